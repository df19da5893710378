"""Receivables as an ERP tells them: customers, invoices with their settlements, credits, payments, quotes, templates.

Values that connectors give and the store takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from domain.money import Money


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


class CreditKind(StrEnum):
    """What it is in the ERP. A payment is one that was entered there, such as a bank transfer."""

    CREDIT_NOTE = "credit_note"
    PREPAYMENT = "prepayment"
    OVERPAYMENT = "overpayment"
    PAYMENT = "payment"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErpApplied:
    """Where a credit went, as the ERP shows it."""

    invoice_number: str
    amount: Money
    on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class ErpCredit:
    """A credit with everything from *one* answer of the ERP; `used` is what is applied or paid out, ours included.

    `origin` is where it came from in the ERP's words (a return, a correction), None where it says nothing. An ERP that says
    of a deleted one only that it is gone has no `customer_erp_id` of it.
    """

    erp_id: str
    customer_erp_id: str
    number: str
    kind: CreditKind
    issued_on: date
    total: Money
    used: Money
    applications: tuple[ErpApplied, ...] = ()
    origin: str | None = None
    deleted: bool = False

    @property
    def is_forgotten(self) -> bool:
        """Whether it is gone, and the ERP no longer says whose it was."""
        return self.deleted and not self.customer_erp_id


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

    A parent of a multi-site invoice has no money of its own: its children carry it (`parent_erp_id`). An ERP that says of a
    deleted one only that it is gone has no `customer_erp_id` of it, and nothing else is believed of that row.
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

    @property
    def is_forgotten(self) -> bool:
        """Whether it is gone, and the ERP no longer says whose it was."""
        return self.deleted and not self.customer_erp_id


@dataclass(frozen=True, slots=True, kw_only=True)
class ErpPaid:
    """What a payment document settles on one invoice, named by the ERP's id."""

    invoice_erp_id: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class ErpPayment:
    """A payment document in the ERP's books, whoever wrote it, with everything from *one* answer.

    `amount` is what the document says was received, `lines` what of it lies on invoices, `unapplied` the rest.
    `reference` is Duly's where it bears ours, else None. `author` is the ERP's word for who entered it, None where the ERP
    hides that. One that was reversed, voided or deleted there does not stand; of a deleted one an ERP may say nothing else.
    """

    erp_id: str
    customer_erp_id: str
    number: str
    amount: Money
    unapplied: Money
    received_on: date
    lines: tuple[ErpPaid, ...] = ()
    reference: str | None = None
    author: str | None = None
    stands: bool = True


class QuoteStatus(StrEnum):
    """The ERP's own state of a quote, translated."""

    DRAFT = "draft"
    OPEN = "open"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    EXPIRED = "expired"
    INVOICED = "invoiced"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErpQuote:
    """An offer to a customer; `expires_on` is its last day, None where it never ends. Of a deleted one an ERP may say no
    more than that.
    """

    erp_id: str
    customer_erp_id: str
    number: str
    total: Money
    issued_on: date
    expires_on: date | None
    status: QuoteStatus
    status_word: str
    lines: tuple[ErpLine, ...] = ()
    deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ErpRecurring:
    """A template that invoices are made from; `frequency` is the ERP's own wording ('every 2 months').

    `remaining` counts the invoices still to come, None where there is no end or the ERP does not say.
    """

    erp_id: str
    customer_erp_id: str
    title: str
    frequency: str
    starts_on: date | None
    next_on: date | None
    remaining: int | None
    amount: Money
    active: bool
    deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ErpOpenTotal:
    """What one customer owes in one currency by the ERP's own list of open invoices: how many, and how much in sum."""

    customer_erp_id: str
    count: int
    open: Money
