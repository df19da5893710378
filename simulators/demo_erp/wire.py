"""Bodies that the demo ERP takes. Amounts are integers in minor units of the currency beside them."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(min_length=1, max_length=200)]
Reference = Annotated[str, Field(min_length=1, max_length=200)]
CurrencyCode = Annotated[str, Field(pattern="^[A-Z]{3}$")]
Positive = Annotated[int, Field(gt=0, lt=10**15)]
Signed = Annotated[int, Field(gt=-(10**15), lt=10**15)]


class Body(BaseModel):
    """A body with nothing in it that the ERP does not know."""

    model_config = ConfigDict(extra="forbid")


class Line(Body):
    """An amount on an invoice."""

    invoice_id: Name
    amount: Positive


class SignedLine(Body):
    """An amount moved on (positive) or off (negative) an invoice."""

    invoice_id: Name
    amount: Signed


class PaymentBody(Body):
    """A payment: the lines are applied, the rest stays unapplied."""

    external_reference: Reference
    customer_id: Name
    currency: CurrencyCode
    amount: Positive
    received_on: date
    lines: list[Line] = Field(default=[], max_length=1000)
    memo: str = Field(default="", max_length=2000)
    method: str = Field(default="", max_length=200)


class ReversalBody(Body):
    """A payment taken back: the lines come off their invoices, the rest off what is unapplied. `document_id` names it where
    several bear that reference; else it is the oldest.
    """

    external_reference: Reference
    payment_reference: Reference
    document_id: Name | None = None
    customer_id: Name
    currency: CurrencyCode
    amount: Positive
    reversed_on: date
    lines: list[Line] = Field(default=[], max_length=1000)
    memo: str = Field(default="", max_length=2000)


class RefundBody(Body):
    """A part of a payment given back: the lines come off their invoices, the rest off what is unapplied."""

    external_reference: Reference
    payment_reference: Reference
    customer_id: Name
    currency: CurrencyCode
    amount: Positive
    refunded_on: date
    lines: list[Line] = Field(default=[], max_length=1000)
    memo: str = Field(default="", max_length=2000)


class RefundReversalBody(Body):
    """A refund that came back: the payment has that money again, the lines of it on invoices, the rest unapplied."""

    external_reference: Reference
    refund_reference: Reference
    payment_reference: Reference
    customer_id: Name
    currency: CurrencyCode
    amount: Positive
    reversed_on: date
    lines: list[Line] = Field(default=[], max_length=1000)
    memo: str = Field(default="", max_length=2000)


class ApplicationBody(Body):
    """Unapplied money moved on or off invoices: of a payment by its reference, or of any document by its id."""

    external_reference: Reference
    payment_reference: Reference | None = None
    document_id: Name | None = None
    customer_id: Name
    currency: CurrencyCode
    on: date
    lines: list[SignedLine] = Field(min_length=1, max_length=1000)
    memo: str = Field(default="", max_length=2000)


class LookupBody(Body):
    """Ids of invoices, or of documents, to be read as they stand."""

    ids: list[Name] = Field(max_length=500)


class DepositBody(Body):
    """A deposit as a person enters it, with its sign; or `deleted`: whatever bears the reference is deleted."""

    reference: Name
    amount: int = 0
    currency: str = Field(default="USD", pattern=r"^[A-Z]{3}$")
    booked_on: date = date(2026, 1, 1)
    deleted: bool = False


class ContactBody(Body):
    """A person at a customer."""

    name: Name
    email: Name


class CustomerBody(Body):
    """A customer to be entered; without an id the ERP makes one."""

    id: Name | None = None
    number: Name
    name: Name
    currency: CurrencyCode
    email: str | None = None
    country: str | None = None
    time_zone: str = "UTC"
    parent_id: str | None = None
    paused: bool = False
    contacts: list[ContactBody] = []


class InvoiceLineBody(Body):
    """A line of an invoice; `amount` is without tax."""

    description: Name
    quantity: str
    unit_price: Signed
    amount: Signed
    tax_rate: str
    tax: Signed


class InvoiceBody(Body):
    """An invoice to be entered. A parent carries no money; its leaves name it in `parent_id`."""

    id: Name | None = None
    number: Name
    customer_id: Name
    currency: CurrencyCode
    total: Annotated[int, Field(ge=0, lt=10**15)]
    issued_on: date
    due_on: date
    state: str = "Posted"
    layout: Literal["single", "parent", "leaf"] = "single"
    parent_id: str | None = None
    site: str | None = None
    po_number: str | None = None
    terms: str | None = None
    discount: Positive | None = None
    paused: bool = False
    contact_email: str | None = None
    lines: list[InvoiceLineBody] = []


class DocumentBody(Body):
    """A document that a person books; its lines are applied, the rest stays unapplied."""

    kind: Literal["Payment", "Credit note", "Prepayment", "Overpayment", "Write-off", "Adjustment"]
    customer_id: Name
    currency: CurrencyCode
    amount: Positive
    on: date
    lines: list[Line] = []
    external_reference: str | None = None
    memo: str = ""
    method: str = ""


class QuoteBody(Body):
    """A quote to be entered; without a last day it never ends."""

    id: Name | None = None
    number: Name
    customer_id: Name
    currency: CurrencyCode
    total: Positive
    issued_on: date
    expires_on: date | None = None
    state: str = "Sent"
    lines: list[InvoiceLineBody] = []


class TemplateBody(Body):
    """A template that invoices are made from; `frequency` is what a person reads."""

    id: Name | None = None
    title: Name
    customer_id: Name
    currency: CurrencyCode
    amount: Positive
    frequency: Name
    starts_on: date | None = None
    next_on: date | None = None
    remaining: Annotated[int, Field(ge=0)] | None = None


class BulkBody(Body):
    """Many customers, invoices and documents at once, entered in this order in one transaction."""

    customers: list[CustomerBody] = []
    invoices: list[InvoiceBody] = []
    documents: list[DocumentBody] = []
    quotes: list[QuoteBody] = []
    templates: list[TemplateBody] = []


class ActBody(Body):
    """What a person does at the ERP's own desk; `acts.py` says which fields each act reads."""

    act: Name
    customer_id: str | None = None
    invoice_id: str | None = None
    document_id: str | None = None
    reference: str | None = None
    amount: Annotated[int, Field(ge=0, lt=10**15)] | None = None
    currency: str | None = None
    on: date | None = None
    state: str | None = None


class RefusalKnob(Body):
    """Refuse every document that touches a customer or an invoice."""

    customer_id: str | None = None
    invoice_id: str | None = None
    code: str = "POSTING_BLOCKED"
    message: str = "This account is blocked for posting. Ask the finance team."


class KnobsBody(Body):
    """Misbehaviour, off by default. Only fields that are sent are changed; `reset` first turns all off."""

    reset: bool = False
    delay_ms: Annotated[int, Field(ge=0, le=600_000)] | None = None
    answer_delay_ms: Annotated[int, Field(ge=0, le=600_000)] | None = None
    down: bool | None = None
    hang: bool | None = None
    throttle: Annotated[int, Field(ge=0)] | None = None
    error_after_success: Annotated[int, Field(ge=0)] | None = None
    drop_after: Annotated[int, Field(ge=0)] | None = None
    drop_before: Annotated[int, Field(ge=0)] | None = None
    unique_references: bool | None = None
    closed_through: date | None = None
    refuse: list[RefusalKnob] | None = None
    broken: list[str] | None = None
    broken_after: Annotated[int, Field(ge=0)] | None = None
