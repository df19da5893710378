"""What an ERP can do, in protocols sized by capability. A connector claims only what it can do.

`reference` is Duly's own id of a document (a posting's or payment's id), written into the ERP's document so that a
repeat can be found. Amounts are Money; parties and documents are named by the ERP's own ids.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Generic, Protocol, TypeVar, runtime_checkable

from domain.money import Money
from domain.receivables import (
    CreditKind,
    ErpApplied,
    ErpContact,
    ErpCredit,
    ErpCustomer,
    ErpInvoice,
    ErpInvoiceStatus,
    ErpLine,
    ErpOpenTotal,
    ErpPaid,
    ErpPayment,
    ErpQuote,
    ErpRecurring,
    ErpSettlement,
    QuoteStatus,
    SettlementKind,
)

__all__ = [
    "ApplicationDocument",
    "AppliesCredits",
    "CreditApplicationDocument",
    "CreditKind",
    "Erp",
    "ErpApplied",
    "ErpContact",
    "ErpCredit",
    "ErpCustomer",
    "ErpDeposit",
    "ErpInvoice",
    "ErpInvoiceStatus",
    "ErpLine",
    "ErpOpenTotal",
    "ErpPaid",
    "ErpPayment",
    "ErpQuote",
    "ErpRecurring",
    "ErpSettlement",
    "LedgerErp",
    "OnlyTakesDown",
    "Page",
    "PaymentDocument",
    "PaymentLine",
    "PostedDocument",
    "PostsPayments",
    "PostsRefunds",
    "QuoteStatus",
    "ReadsControlTotals",
    "ReadsCredits",
    "ReadsDeposits",
    "ReadsOpenTotals",
    "ReadsPayments",
    "ReadsQuotes",
    "ReadsReceivables",
    "ReadsRecurring",
    "RefundDocument",
    "RefundReversalDocument",
    "ReversalDocument",
    "ReversesSurplus",
    "SettlementKind",
    "SurplusDocument",
    "TypesetsDocuments",
]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """A page of an incremental read; `cursor` continues after it, `more` says whether anything waits.

    `total` is how many rows a read from the beginning brings, where the ERP says that for nothing: staff see how far it is.
    """

    rows: tuple[T, ...]
    cursor: str
    more: bool
    total: int | None = None


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
class SurplusDocument:
    """One of several documents that bear `payment_reference` is to be taken back, named by the ERP's own id of it."""

    reference: str
    surplus_erp_id: str
    payment_reference: str
    customer_erp_id: str
    amount: Money
    reversed_on: date
    memo: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundDocument:
    """A part of a payment that went back to the customer: its lines come off the payment's invoices, the rest comes off
    what is unapplied of it.
    """

    reference: str
    payment_reference: str
    customer_erp_id: str
    amount: Money
    refunded_on: date
    lines: tuple[PaymentLine, ...]
    memo: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundReversalDocument:
    """A refund that came back, as a whole: the payment has its money again, by `lines` on invoices, else unapplied."""

    reference: str
    refund_reference: str
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
class CreditApplicationDocument:
    """A credit of the ERP's own put on invoices, or taken off them where amounts are negative."""

    reference: str
    credit_erp_id: str
    customer_erp_id: str
    lines: tuple[PaymentLine, ...]
    on: date
    memo: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PostedDocument:
    """What the ERP wrote: its id and number, echoed amount. `stands` is False once a person deleted it there; of one that a
    reversal took back, some ERPs say that it stands, some that it does not.

    `is_finished` is False where writing takes several calls and not all were made: sending the same document again
    finishes it, and does not write it twice.
    """

    erp_id: str
    number: str
    amount: Money
    reference: str
    stands: bool = True
    is_finished: bool = True
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


class ReadsCredits(Protocol):
    """Incremental reads of credit notes, prepayments, overpayments and payments that were entered in the ERP itself.

    What Duly posted is not among them: Duly's own rows say what is left of it.
    """

    async def credits_since(self, cursor: str, *, limit: int) -> Page[ErpCredit]:
        """Credits changed after a cursor. Raises ConnectorError."""
        ...

    async def credits_by_id(self, erp_ids: Sequence[str]) -> Sequence[ErpCredit]:
        """Those credits as they stand now; missing ones are left out. Raises ConnectorError."""
        ...


class AppliesCredits(Protocol):
    """Puts the ERP's own credits on invoices; `find_document` finds what it wrote."""

    async def post_credit_application(self, document: CreditApplicationDocument) -> PostedDocument:
        """Apply a credit, or take it off again. Raises ConnectorError; OutcomeUnknown when it may have happened."""
        ...


class LedgerErp(Erp, PostsPayments, AppliesCredits, ReadsReceivables, ReadsCredits, Protocol):
    """What Duly works with: an ERP that everything is read from, and that payments and applications are written to."""


@runtime_checkable
class PostsRefunds(Protocol):
    """Writes refunds. Each raises ConnectorError; OutcomeUnknown when the document may exist."""

    async def post_refund(self, document: RefundDocument) -> PostedDocument:
        """Write that a part of our payment went back; its invoices are open again by the lines."""
        ...

    async def post_refund_reversal(self, document: RefundReversalDocument) -> PostedDocument:
        """Write that a refund came back."""
        ...


@runtime_checkable
class ReversesSurplus(Protocol):
    """Takes back one of several documents that bear one reference."""

    async def post_surplus_reversal(self, document: SurplusDocument) -> PostedDocument:
        """Take that one back as a whole, off its invoices too; the others stand. Raises ConnectorError; OutcomeUnknown when
        it may have happened.
        """
        ...


@runtime_checkable
class ReadsPayments(Protocol):
    """Incremental reads of every payment document in the books, those that Duly posted and those of people alike.

    Reconciliation compares them with Duly's postings. A document comes again when its lines, its amount or whether it stands
    has changed.
    """

    async def payments_since(self, cursor: str, *, limit: int) -> Page[ErpPayment]:
        """Payment documents changed after a cursor. Raises ConnectorError."""
        ...


@runtime_checkable
class ReadsQuotes(Protocol):
    """Incremental reads of quotes."""

    async def quotes_since(self, cursor: str, *, limit: int) -> Page[ErpQuote]:
        """Quotes changed after a cursor. Raises ConnectorError."""
        ...


@runtime_checkable
class ReadsRecurring(Protocol):
    """Incremental reads of the templates that invoices are made from."""

    async def recurring_since(self, cursor: str, *, limit: int) -> Page[ErpRecurring]:
        """Templates changed after a cursor; an ERP without such a filter answers all that differ. Raises ConnectorError."""
        ...


@runtime_checkable
class ReadsOpenTotals(Protocol):
    """The ERP's own sums, to be compared with ours every night: a sum that differs is a row that a cursor missed."""

    async def open_totals(self, cursor: str, *, limit: int) -> Page[ErpOpenTotal]:
        """What each customer owes by the ERP's open invoices, now; the empty cursor begins. Raises ConnectorError."""
        ...


@runtime_checkable
class ReadsControlTotals(Protocol):
    """What the ERP's general ledger says beside its documents. It is compared where they agree (`ReadsOpenTotals`)."""

    async def receivable_balances(self) -> Sequence[Money]:
        """The receivables account of the general ledger, now, one amount for each currency: not summed up from documents.

        Raises ConnectorError.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ErpDeposit:
    """A deposit that stands in the books of the bank account and bears a payout's reference; negative where money left."""

    erp_id: str
    reference: str
    amount: Money
    booked_on: date


@runtime_checkable
class ReadsDeposits(Protocol):
    """Shows what arrived on the bank account, by the references that people gave it: a payout's id at its provider."""

    async def deposits_of(self, references: Sequence[str]) -> Sequence[ErpDeposit]:
        """Every deposit that stands and bears one of them. Raises ConnectorError: half an answer is none."""
        ...


@runtime_checkable
class OnlyTakesDown(Protocol):
    """An ERP that is written to and cannot be asked what is open there."""

    only_takes_down: bool


@runtime_checkable
class TypesetsDocuments(Protocol):
    """Gives the ERP's own PDF of a document."""

    async def invoice_pdf(self, erp_id: str) -> bytes:
        """The PDF of an invoice. Raises ConnectorError; Rejected where there is none."""
        ...

    async def credit_note_pdf(self, erp_id: str) -> bytes:
        """The PDF of a credit note. Raises ConnectorError; Rejected where there is none."""
        ...
