"""What an ERP can do, in protocols sized by capability. A connector claims only what it can do.

`reference` is Duly's own id of a document (a posting's or payment's id), written into the ERP's document so that a
repeat can be found. Amounts are Money; parties and documents are named by the ERP's own ids.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from domain.money import Money

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ErpContact:
    """A person at a customer."""

    erp_id: str
    name: str
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErpCustomer:
    """A customer as the ERP has it. `time_zone` is an IANA name."""

    erp_id: str
    number: str
    name: str
    currency: str
    email: str | None
    country: str | None
    time_zone: str
    parent_erp_id: str | None = None
    paused: bool = False
    contacts: tuple[ErpContact, ...] = ()
    deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ErpLine:
    """A line of an invoice; `amount` is without tax, quantity is text as the ERP prints it."""

    description: str
    quantity: str
    unit_price: Money
    amount: Money
    tax_rate: str  # '20 %', as the ERP prints it
    tax: Money


class SettlementKind(StrEnum):
    """What reduced an invoice in the ERP."""

    PAYMENT = "payment"
    CREDIT_NOTE = "credit_note"
    PREPAYMENT = "prepayment"
    WRITE_OFF = "write_off"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErpSettlement:
    """One application on an invoice; `reference` is Duly's where it bears ours, else None."""

    kind: SettlementKind
    document_number: str
    amount: Money
    on: date
    reference: str | None = None


class ErpInvoiceStatus(StrEnum):
    """The ERP's own state of an invoice, translated. UNKNOWN is shown as open, not selectable, and told to staff."""

    DRAFT = "draft"
    OPEN = "open"
    PAID = "paid"
    IN_DISPUTE = "in_dispute"
    IN_INSTALMENTS = "in_instalments"
    WRITTEN_OFF = "written_off"
    CLOSED = "closed"
    VOID = "void"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErpInvoice:
    """An invoice with everything from *one* answer of the ERP: `total`, `settled` and `settlements` belong together.

    A parent of a multi-site invoice has no money of its own: its children carry it (`parent_erp_id`).
    """

    erp_id: str
    customer_erp_id: str
    number: str
    currency: str
    total: Money
    settled: Money
    issued_on: date
    due_on: date
    status: ErpInvoiceStatus
    status_word: str  # the ERP's own word, for staff when status is UNKNOWN
    is_parent: bool = False
    parent_erp_id: str | None = None
    site: str | None = None
    po_number: str | None = None
    terms: str | None = None
    paused: bool = False
    paid_on: date | None = None
    lines: tuple[ErpLine, ...] = ()
    discount: Money | None = None
    settlements: tuple[ErpSettlement, ...] = ()
    contact_email: str | None = None
    deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """A page of an incremental read; `cursor` continues after it, `more` says whether anything waits."""

    rows: tuple[T, ...]
    cursor: str
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentLine:
    """What a payment settles on one invoice, named by the ERP's id."""

    invoice_erp_id: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentDocument:
    """A captured payment to be written: allocations plus what is left unapplied add up to `amount`."""

    reference: str
    customer_erp_id: str
    amount: Money
    received_on: date
    lines: tuple[PaymentLine, ...]
    memo: str
    method_label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReversalDocument:
    """A returned payment to be taken back: the payment document `payment_reference` is reversed as a whole or by lines."""

    reference: str
    payment_reference: str
    customer_erp_id: str
    amount: Money
    reversed_on: date
    lines: tuple[PaymentLine, ...]
    memo: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationDocument:
    """Unapplied money of one of our payments moved on or off invoices (amounts may be negative: un-apply)."""

    reference: str
    payment_reference: str
    customer_erp_id: str
    lines: tuple[PaymentLine, ...]
    on: date
    memo: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PostedDocument:
    """What the ERP wrote: its id and number, echoed amount."""

    erp_id: str
    number: str
    amount: Money
    reference: str
    facts: Mapping[str, str] = field(default_factory=dict)


class Erp(Protocol):
    """What every ERP connector has."""

    name: str

    @property
    def has_unique_references(self) -> bool:
        """Whether the ERP itself refuses a second document with one reference."""
        ...

    @property
    def request_life_seconds(self) -> int:
        """The longest a request sent by us can still take effect after we stopped waiting, search lag included."""
        ...

    async def ping(self) -> None:
        """A cheap authenticated read. Raises ConnectorError."""
        ...


class ReadsReceivables(Protocol):
    """Incremental reads; the empty cursor means from the beginning."""

    async def customers_since(self, cursor: str, *, limit: int) -> Page[ErpCustomer]:
        """Customers changed after a cursor. Raises ConnectorError."""
        ...

    async def invoices_since(self, cursor: str, *, limit: int) -> Page[ErpInvoice]:
        """Invoices changed after a cursor, settlements included. Raises ConnectorError."""
        ...

    async def invoices_by_id(self, erp_ids: Sequence[str]) -> Sequence[ErpInvoice]:
        """Those invoices as they stand now; missing ones are left out. Raises ConnectorError."""
        ...


class PostsPayments(Protocol):
    """Writes payments. Each raises ConnectorError; OutcomeUnknown when the document may exist."""

    async def post_payment(self, document: PaymentDocument) -> PostedDocument:
        """Write a payment with its allocations."""
        ...

    async def post_reversal(self, document: ReversalDocument) -> PostedDocument:
        """Take a payment back."""
        ...

    async def post_application(self, document: ApplicationDocument) -> PostedDocument:
        """Move unapplied money of our payment on or off invoices."""
        ...

    async def find_document(self, reference: str) -> Sequence[PostedDocument]:
        """Every document that bears a reference; empty when none."""
        ...
