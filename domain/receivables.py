"""Receivables as an ERP tells them: customers, invoices with their settlements.

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

    `origin` is where it came from in the ERP's words (a return, a correction), None where it says nothing.
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
