"""What programs read from the JSON API. A promise: fields are added, never changed."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.v1.fields import (
    ID_FORM,
    CustomerId,
    InvoiceId,
    InvoiceStatus,
    MethodId,
    MethodKind,
    PaymentId,
    PaymentState,
    RefundId,
    RefundState,
    SetupId,
    SetupState,
)


class Told(BaseModel):
    """What is answered."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Customer(Told):
    """A customer, as the ERP has it."""

    id: CustomerId
    number: str
    name: str
    email: str | None
    currency: str
    country: str | None
    time_zone: str
    paused: bool
    parent_id: CustomerId | None


class Balance(Told):
    """What a customer owes in one currency; `overdue` by the day it is where the customer is."""

    currency: str
    open: int
    overdue: int
    invoices: int


class CustomerWithBalances(Customer):
    """A customer, and what it owes."""

    balances: list[Balance]


class Customers(Told):
    """A page of customers, the newest first."""

    customers: list[Customer]
    next_cursor: str | None


class Invoice(Told):
    """An invoice. `open` is still owed, `held` is being paid, `available` is what a new payment may take."""

    id: InvoiceId
    customer_id: CustomerId
    number: str
    site: str | None
    po_number: str | None
    currency: str
    issued_on: date
    due_on: date
    paid_on: date | None
    status: InvoiceStatus
    is_overdue: bool
    is_parent: bool
    parent_id: InvoiceId | None
    total: int
    open: int
    held: int
    available: int


class InvoiceLine(Told):
    """A line; `amount` is without tax."""

    description: str
    quantity: str
    unit_price: int
    amount: int
    tax_rate: str
    tax: int


class Settlement(Told):
    """What reduced an invoice; `payment_id` is set for money that was paid here."""

    kind: str
    document: str
    amount: int
    on: date
    payment_id: str | None


class InvoiceWithLines(Invoice):
    """An invoice with its lines, what settled it, and the sites that it is split into."""

    terms: str | None
    discount: int | None
    lines: list[InvoiceLine]
    settlements: list[Settlement]
    sites: list[InvoiceId]


class Invoices(Told):
    """A page of invoices, the newest first."""

    invoices: list[Invoice]
    next_cursor: str | None


class Refusal(Told):
    """Why the business said no."""

    rule: str
    detail: str
    facts: dict[str, str | int]


class CoveredInvoice(Told):
    """An invoice of a payment: what was asked for, and what it covers now (what came back is taken off)."""

    invoice_id: InvoiceId
    number: str | None
    asked: int
    covers: int


class Happening(Told):
    """One event of a payment's timeline."""

    kind: str
    at: datetime


class PaymentLine(Told):
    """A payment in a list."""

    id: PaymentId
    customer_id: CustomerId
    currency: str
    amount: int
    state: PaymentState
    method_kind: str
    method_label: str
    captured: int
    returned: int
    channel: str
    started_by: str
    opened_at: datetime
    changed_at: datetime


class Posting(Told):
    """A document of a payment on its way to an ERP. `reference` is ours and `erp_id` the ERP's; `attempts` is how often it
    was sent. `next_look_at` is when Duly asks whether it is there; null where nothing waits for a time.
    """

    reference: str
    kind: str
    connection_id: str
    state: str
    ignored: bool
    amount: int
    erp_id: str | None
    erp_number: str | None
    attempts: int
    error: str | None
    next_look_at: datetime | None
    confirmed_at: datetime | None


class Payment(Told):
    """A payment. `page_url` is where the customer goes while the state is `awaiting_customer`.

    `unknown` is a state: it may have happened, and Duly asks until it knows.
    """

    id: PaymentId
    customer_id: CustomerId
    currency: str
    amount: int
    state: PaymentState
    refusal: Refusal | None
    method_kind: MethodKind
    method_label: str
    page_url: str | None
    failure_code: str | None
    expected_on: date | None
    captured: int
    returned: int
    refunding: int
    refunded: int
    unapplied: int
    is_posted: bool
    postings: list[Posting]
    invoices: list[CoveredInvoice]
    started_by: str
    opened_at: datetime
    changed_at: datetime
    unknown_since: datetime | None
    next_check_at: datetime | None
    timeline: list[Happening]


class ReopenedInvoice(Told):
    """How much of a refund comes off an invoice."""

    invoice_id: InvoiceId
    amount: int


class Refund(Told):
    """A refund. Balances change when it is `refunded`, not before; `unknown` is a state: Duly asks until it knows."""

    id: RefundId
    payment_id: PaymentId
    customer_id: CustomerId
    amount: int
    currency: str
    state: RefundState
    refusal: Refusal | None
    reason: str
    note: str
    needs_second: bool
    invoices: list[ReopenedInvoice]
    requested_by: str
    second_by: str | None
    failure_code: str | None
    requested_at: datetime
    changed_at: datetime
    unknown_since: datetime | None
    next_check_at: datetime | None


class Refunds(Told):
    """The refunds of a payment, the newest first."""

    refunds: list[Refund]


class Payments(Told):
    """A page of payments, the newest first."""

    payments: list[PaymentLine]
    next_cursor: str | None


class Pending(Told):
    """It was asked for, and nobody has said in time what became of it. Ask for `url`, or repeat the same request.

    `state` is the state of its row, or `starting` before it has one; `not_started` says that no process knows it (yet).
    """

    id: Annotated[str, Field(pattern=f"^(pay|req|rfd|set|chg|pm)_{ID_FORM}$")]
    state: str
    url: str


class PaymentMethod(Told):
    """A saved card or bank account. Its number is known to the provider only."""

    id: MethodId
    customer_id: CustomerId
    kind: MethodKind
    brand: str
    last4: str
    exp_month: int | None
    exp_year: int | None
    state: Literal["active", "verifying", "detaching"]
    is_default: bool
    added_at: datetime


class PaymentMethods(Told):
    """A page of payment methods, the newest first."""

    payment_methods: list[PaymentMethod]
    next_cursor: str | None


class MethodSetup(Told):
    """The set-up of a method. `page_url` is where the customer goes while the state is `redirected`."""

    id: SetupId
    customer_id: CustomerId
    kind: MethodKind
    currency: str
    state: SetupState
    refusal: Refusal | None
    page_url: str | None
    method_id: str | None
    failure_code: str | None
    opened_at: datetime
    changed_at: datetime


class MethodSetups(Told):
    """A page of set-ups, the newest first."""

    method_setups: list[MethodSetup]
    next_cursor: str | None


class PortalLink(Told):
    """A portal link. Its address is told once, to the program that made it."""

    id: str
    customer_id: CustomerId
    invoice_id: InvoiceId | None
    contact_id: str | None
    created_by: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None


class OpenLink(PortalLink):
    """A link at the only moment when its address is known."""

    url: str


class PortalLinks(Told):
    """A page of links, the newest first."""

    links: list[PortalLink]
    next_cursor: str | None


class Revoked(Told):
    """How many links were open until now. Sessions that they opened end at the next request."""

    revoked: int


class Setting(Told):
    """A setting as it is now."""

    name: str
    value: Any
    default: Any


class Settings(Told):
    """Every setting."""

    settings: list[Setting]


class SettingVersion(Told):
    """One version of a setting: what it became, by whom, when."""

    version: int
    value: Any
    changed_by: str
    changed_at: datetime


class SettingWithHistory(Setting):
    """A setting with every version of it, the newest first."""

    history: list[SettingVersion]


class Place(Told):
    """Where a request is wrong: a JSON pointer into its body, or a parameter."""

    pointer: str | None = None
    parameter: str | None = None
    detail: str


class Problem(BaseModel):
    """Why not (RFC 9457). `rule` is the name to act on; `detail` is what a person reads."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    rule: str | None = None
    facts: dict[str, str | int] = {}
    errors: list[Place] = []
