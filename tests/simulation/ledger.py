"""The ERP of a simulation: the port, the books behind it where 'once' is counted, and the people who work in it.

It behaves as the demo ERP does: an invoice is told whole from one moment, a document is checked before it is written, a
reference may be used twice, and people may overdo what the port may not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final, TypeVar

from connectors.erp.ports import (
    ApplicationDocument,
    CreditApplicationDocument,
    ErpCredit,
    ErpCustomer,
    ErpInvoice,
    ErpInvoiceStatus,
    ErpSettlement,
    Page,
    PaymentDocument,
    PostedDocument,
    RefundDocument,
    RefundReversalDocument,
    ReversalDocument,
    SettlementKind,
)
from connectors.errors import ConnectorError, OutcomeUnknown, Rejected, Throttled, Unavailable
from domain.money import Money
from tests.simulation.credits import Credits
from tests.simulation.stage import Stage

T = TypeVar("T")

PAGE_ROWS: Final = 25
REQUEST_LIFE: Final = timedelta(seconds=30)
TAKES_MONEY: Final = frozenset({ErpInvoiceStatus.OPEN, ErpInvoiceStatus.IN_DISPUTE, ErpInvoiceStatus.IN_INSTALMENTS})


@dataclass(slots=True, kw_only=True)
class Document:
    """A payment, reversal or application. `on` is what lies on which invoice now (of a payment, or a person's)."""

    id: str
    reference: str | None
    customer: str
    amount: Money
    on: dict[str, int] = field(default_factory=dict)
    kind: str = "payment"
    reversed: int = 0
    is_deleted: bool = False
    change: int = 0

    @property
    def stands(self) -> bool:
        return self.kind == "payment" and not self.is_deleted and self.reversed < self.amount.minor

    @property
    def unapplied(self) -> int:
        return self.amount.minor - self.reversed - sum(self.on.values())


@dataclass(slots=True, kw_only=True)
class Invoice:
    """An invoice as people there know it."""

    id: str
    customer: str
    total: Money
    issued_on: date
    status: ErpInvoiceStatus = ErpInvoiceStatus.OPEN
    change: int = 0


class FarErp:
    """Implements Erp, ReadsReceivables, ReadsCredits, PostsPayments, PostsRefunds and AppliesCredits."""

    name = "demo"
    has_unique_references = False
    request_life_seconds = int(REQUEST_LIFE.total_seconds())

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.is_down = False
        self.customers: dict[str, tuple[ErpCustomer, int]] = {}
        self.invoices: dict[str, Invoice] = {}
        self.documents: list[Document] = []
        self.late: list[tuple[datetime, Callable[[], object]]] = []
        self.changes = 0
        self.edited: set[str] = set()
        """Invoices on which a person touched a document of ours: the ERP wins there."""

    # ------------------------------------------------------------ the port

    async def ping(self) -> None:
        await self._read(lambda: None)

    async def customers_since(self, cursor: str, *, limit: int) -> Page[ErpCustomer]:
        def effect() -> Page[ErpCustomer]:
            after = int(cursor or "0")
            found = sorted((at, each) for each, at in self._customers() if at > after)[: min(limit, PAGE_ROWS)]
            last = found[-1][0] if found else after
            more = any(at > last for _, at in self._customers())
            return Page(rows=tuple(self.customers[each][0] for _, each in found), cursor=str(last), more=more)

        return await self._read(effect)

    async def invoices_since(self, cursor: str, *, limit: int) -> Page[ErpInvoice]:
        def effect() -> Page[ErpInvoice]:
            after = int(cursor or "0")
            waiting = sorted((each.change, each.id) for each in self.invoices.values() if each.change > after)
            found = waiting[: min(limit, PAGE_ROWS)]
            rows = tuple(self.shown(self.invoices[each]) for _, each in found)
            return Page(rows=rows, cursor=str(found[-1][0] if found else after), more=len(waiting) > len(found))

        return await self._read(effect)

    async def invoices_by_id(self, erp_ids: Sequence[str]) -> Sequence[ErpInvoice]:
        return await self._read(lambda: [self.shown(self.invoices[each]) for each in erp_ids if each in self.invoices])

    async def find_document(self, reference: str) -> Sequence[PostedDocument]:
        return await self._read(lambda: [_posted(each) for each in self.bearing(reference)])

    async def post_payment(self, document: PaymentDocument) -> PostedDocument:
        return await self._write(lambda: self._payment(document))

    async def post_reversal(self, document: ReversalDocument) -> PostedDocument:
        return await self._write(lambda: self._take_off(document, "reversal"))

    async def post_application(self, document: ApplicationDocument) -> PostedDocument:
        return await self._write(lambda: self._application(document))

    async def post_refund(self, document: RefundDocument) -> PostedDocument:
        return await self._write(lambda: self._take_off(document, "refund"))

    async def post_refund_reversal(self, document: RefundReversalDocument) -> PostedDocument:
        return await self._write(lambda: self._put_back(document))

    async def credits_since(self, cursor: str, *, limit: int) -> Page[ErpCredit]:
        return await self._read(lambda: Credits(self).since(cursor, min(limit, PAGE_ROWS)))

    async def credits_by_id(self, erp_ids: Sequence[str]) -> Sequence[ErpCredit]:
        return await self._read(lambda: Credits(self).by_id(erp_ids))

    async def post_credit_application(self, document: CreditApplicationDocument) -> PostedDocument:
        return await self._write(lambda: self._credit_application(document))

    # ------------------------------------------------------------ the wire

    async def _read(self, effect: Callable[[], T]) -> T:
        order = await self.stage.stop("leave", "erp.read", writes=False)
        if self.is_down or order in {"lose the request", "lose the answer", "answer 500"}:
            raise Unavailable("the ERP did not answer a read")
        if order == "throttle":
            raise Throttled("slowly", retry_after_seconds=2)
        answer = effect()
        await self.stage.stop("answer", "erp.read", writes=False)
        return answer

    async def _write(self, effect: Callable[[], PostedDocument]) -> PostedDocument:
        order = await self.stage.stop("leave", "erp.write")
        if self.is_down:
            raise Unavailable("connection refused")
        if order == "throttle":
            raise Throttled("slowly", retry_after_seconds=2)
        if order == "lose the request":
            raise OutcomeUnknown("time-out")
        if order in {"execute late", "die, executed late"}:
            self.late.append((self.stage.now + REQUEST_LIFE, lambda: _tried(effect)))
            if order == "die, executed late":
                await self.stage.die()
            raise OutcomeUnknown("time-out, and it may be executed yet")
        answer = _tried(effect)
        if order == "die after sending":
            await self.stage.die()
        if order in {"lose the answer", "answer 500"}:
            raise OutcomeUnknown("no answer to a write")
        await self.stage.stop("answer", "erp.write")
        if isinstance(answer, ConnectorError):
            raise answer
        return answer

    def catch_up(self) -> None:
        """Requests that were slow are executed: their caller has long gone."""
        now = self.stage.now
        due, self.late = [each for each in self.late if each[0] <= now], [each for each in self.late if each[0] > now]
        for _, effect in due:
            effect()

    # ------------------------------------------------------------ documents

    def _customers(self) -> Iterator[tuple[str, int]]:
        return ((each, at) for each, (_, at) in self.customers.items())

    def bearing(self, reference: str) -> list[Document]:
        """Every document with a reference, deleted ones too."""
        return [each for each in self.documents if each.reference == reference]

    def settled(self, invoice_id: str) -> int:
        """What lies on an invoice now."""
        return sum(each.on.get(invoice_id, 0) for each in self.documents)

    def open(self, invoice_id: str) -> int:
        return self.invoices[invoice_id].total.minor - self.settled(invoice_id)

    def _enter(self, document: Document) -> PostedDocument:
        self.changes += 1
        document.change = self.changes
        self.documents.append(document)
        return _posted(document)

    def _id(self) -> str:
        return f"D{len(self.documents) + 1}"

    def move(self, document: Document, invoice_id: str, minor: int) -> None:
        """Put an amount of a document on an invoice, or take it off."""
        document.on[invoice_id] = document.on.get(invoice_id, 0) + minor
        if document.on[invoice_id] == 0:
            del document.on[invoice_id]
        self.touch(invoice_id)
        document.change = self.changes

    def touch(self, invoice_id: str) -> None:
        self.changes += 1
        self.invoices[invoice_id].change = self.changes

    def _takes(self, invoice_id: str, minor: int) -> None:
        invoice = self.invoices.get(invoice_id)
        if invoice is None or invoice.status not in TAKES_MONEY:
            raise Rejected("INVOICE_NOT_OPEN", f"{invoice_id} takes no payment.")
        if minor > self.open(invoice_id):
            raise Rejected("OVER_APPLIED", f"{invoice_id} has {self.open(invoice_id)} open, less than {minor}.")

    def _payment(self, order: PaymentDocument) -> PostedDocument:
        for line in order.lines:
            self._takes(line.invoice_erp_id, line.amount.minor)
        document = Document(id=self._id(), reference=order.reference, customer=order.customer_erp_id, amount=order.amount)
        posted = self._enter(document)
        for line in order.lines:
            self.move(document, line.invoice_erp_id, line.amount.minor)
        return posted

    def _standing(self, reference: str) -> Document:
        found = next((each for each in self.bearing(reference) if each.stands), None)
        if found is None:
            raise Rejected("PAYMENT_NOT_FOUND", f"There is no standing payment {reference}.")
        return found

    def _take_off(self, order: ReversalDocument | RefundDocument, kind: str) -> PostedDocument:
        payment = self._standing(order.payment_reference)
        lines = {line.invoice_erp_id: line.amount.minor for line in order.lines}
        if any(minor > payment.on.get(each, 0) for each, minor in lines.items()):
            raise Rejected("NOT_APPLIED", f"{payment.id} does not have that much on an invoice.")
        if order.amount.minor > payment.amount.minor - payment.reversed:
            raise Rejected("REVERSAL_TOO_LARGE", f"{payment.id} has less than that left to reverse.")
        if order.amount.minor - sum(lines.values()) > payment.unapplied:
            raise Rejected("NOT_UNAPPLIED", f"{payment.id} does not have that much unapplied money.")
        for invoice_id, minor in lines.items():
            self.move(payment, invoice_id, -minor)
        payment.reversed += order.amount.minor
        document = Document(
            id=self._id(), reference=order.reference, customer=order.customer_erp_id, amount=order.amount, kind=kind
        )
        return self._enter(document)

    def _put_back(self, order: RefundReversalDocument) -> PostedDocument:
        """A refund came back: the payment has its money again."""
        payment = next((each for each in self.bearing(order.payment_reference) if not each.is_deleted), None)
        if payment is None or not self.bearing(order.refund_reference):
            raise Rejected("REFUND_NOT_FOUND", f"There is no refund {order.refund_reference}.")
        for line in order.lines:
            self._takes(line.invoice_erp_id, line.amount.minor)
        payment.reversed -= order.amount.minor
        for line in order.lines:
            self.move(payment, line.invoice_erp_id, line.amount.minor)
        document = Document(
            id=self._id(), reference=order.reference, customer=order.customer_erp_id, amount=order.amount, kind="return"
        )
        return self._enter(document)

    def _application(self, order: ApplicationDocument) -> PostedDocument:
        payment = self._standing(order.payment_reference)
        total = sum(line.amount.minor for line in order.lines)
        if total > payment.unapplied:
            raise Rejected("NOT_UNAPPLIED", f"{payment.id} does not have that much unapplied money.")
        for line in order.lines:
            self._takes(line.invoice_erp_id, line.amount.minor)
        for line in order.lines:
            self.move(payment, line.invoice_erp_id, line.amount.minor)
        document = Document(
            id=self._id(),
            reference=order.reference,
            customer=order.customer_erp_id,
            amount=Money.of(total, payment.amount.currency),
            kind="application",
        )
        return self._enter(document)

    def _credit_application(self, order: CreditApplicationDocument) -> PostedDocument:
        credit, total = Credits(self).apply(order, self._takes)
        document = Document(
            id=self._id(),
            reference=order.reference,
            customer=order.customer_erp_id,
            amount=Money.of(total, credit.amount.currency),
            kind="application",
        )
        return self._enter(document)

    # ------------------------------------------------------------ people

    def add_credit(self, customer: str, amount: Money) -> Document:
        """A person enters a credit note, applied to nothing."""
        document = Document(id=self._id(), reference=None, customer=customer, amount=amount, kind="credit")
        self._enter(document)
        return document

    def edit_credit(self, document: Document, by: int) -> None:
        """A person lets a credit note be worth more, or less, but no less than what of it is applied."""
        document.amount = Money.of(document.amount.minor + by, document.amount.currency)
        self.changes += 1
        document.change = self.changes

    def delete_credit(self, document: Document) -> None:
        """A person deletes a credit note that is on nothing."""
        document.is_deleted = True
        self.changes += 1
        document.change = self.changes

    def add_customer(self, customer: ErpCustomer) -> None:
        self.changes += 1
        self.customers[customer.erp_id] = (customer, self.changes)

    def add_invoice(self, invoice_id: str, customer: str, total: Money, *, issued_on: date) -> None:
        self.invoices[invoice_id] = Invoice(id=invoice_id, customer=customer, total=total, issued_on=issued_on)
        self.touch(invoice_id)

    def pay_by_hand(self, invoice_id: str, minor: int) -> None:
        """A person books a payment of their own, whether or not the invoice has that much open."""
        invoice = self.invoices[invoice_id]
        amount = Money.of(minor, invoice.total.currency)
        document = Document(id=self._id(), reference=None, customer=invoice.customer, amount=amount)
        self._enter(document)
        self.move(document, invoice_id, minor)

    def change_total(self, invoice_id: str, minor: int) -> None:
        self.invoices[invoice_id].total = Money.of(minor, self.invoices[invoice_id].total.currency)
        self.touch(invoice_id)

    def change_status(self, invoice_id: str, status: ErpInvoiceStatus) -> None:
        self.invoices[invoice_id].status = status
        self.touch(invoice_id)

    def edit(self, document: Document, invoice_id: str, by: int) -> None:
        """A person lets our payment stand on the invoice with another amount."""
        document.amount = Money.of(document.amount.minor + by, document.amount.currency)
        self.edited.add(invoice_id)
        self.move(document, invoice_id, by)

    def delete(self, document: Document) -> None:
        """A person deletes our payment."""
        self.edited |= set(document.on)
        for invoice_id in list(document.on):
            self.move(document, invoice_id, -document.on[invoice_id])
        document.is_deleted = True

    # ------------------------------------------------------------ what it tells

    def shown(self, invoice: Invoice) -> ErpInvoice:
        """An invoice with everything from this moment."""
        currency = invoice.total.currency
        lying = [(each, each.on[invoice.id]) for each in self.documents if invoice.id in each.on]
        settled = sum(minor for _, minor in lying)
        is_paid = invoice.status in TAKES_MONEY and settled >= invoice.total.minor
        status = ErpInvoiceStatus.PAID if is_paid else invoice.status
        return ErpInvoice(
            erp_id=invoice.id,
            customer_erp_id=invoice.customer,
            number=invoice.id,
            currency=currency,
            total=invoice.total,
            settled=Money.of(settled, currency),
            issued_on=invoice.issued_on,
            due_on=invoice.issued_on + timedelta(days=30),
            status=status,
            status_word=status.value,
            settlements=tuple(
                ErpSettlement(
                    kind=SettlementKind.PAYMENT,
                    document_number=each.id,
                    amount=Money.of(minor, currency),
                    on=invoice.issued_on,
                    reference=each.reference,
                )
                for each, minor in lying
            ),
        )


def _tried(effect: Callable[[], PostedDocument]) -> PostedDocument | ConnectorError:
    try:
        return effect()
    except Rejected as refused:
        return refused


def _posted(document: Document) -> PostedDocument:
    return PostedDocument(
        erp_id=document.id,
        number=document.id,
        amount=document.amount,
        reference=document.reference or "",
        stands=not document.is_deleted,
    )
