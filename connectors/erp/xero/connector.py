"""Xero as a connector: reads receivables and credits, posts payments and what becomes of them, finds by our reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date

from connectors.erp.calls import readable
from connectors.erp.ports import (
    ApplicationDocument,
    CreditApplicationDocument,
    ErpCredit,
    ErpCustomer,
    ErpInvoice,
    ErpOpenTotal,
    ErpPayment,
    ErpQuote,
    ErpRecurring,
    Page,
    PaymentDocument,
    PaymentLine,
    PostedDocument,
    RefundDocument,
    RefundReversalDocument,
    ReversalDocument,
)
from connectors.erp.xero.client import VENDOR, XeroClient, XeroConfig
from connectors.erp.xero.documents import GONE, Documents, Kind, Source, SourceKey, bears, is_id, is_our_reference
from connectors.erp.xero.payments import Payments
from connectors.erp.xero.plans import Plan, Till
from connectors.erp.xero.posting import Posting, Receipt, moved, received
from connectors.erp.xero.reading import Reading
from connectors.erp.xero.selling import OpenTotals, Templates, quotes
from connectors.errors import Rejected
from domain.money import Money, total


class Xero:
    """Every capability of the ERP ports that Xero has. Each method raises ConnectorError."""

    has_unique_references = False  # any two documents may bear one; what we wrote is looked up before anything is written

    def __init__(self, config: XeroConfig) -> None:
        self.name = config.name
        self._config = config
        self._client = XeroClient(config)
        self._documents = Documents(self._client)
        self._reading = Reading(self._client, self._documents, config)
        home = self._reading.home
        self._payments = Payments(self._client, self._documents, config, home)
        self._quotes = quotes(self._client, config)
        self._templates = Templates(self._client, home, every_seconds=config.read_every_seconds)
        self._open_totals = OpenTotals(self._client)
        self._posting = Posting(self._client, self._documents, deposit_account=config.deposit_account)

    @property
    def request_life_seconds(self) -> int:
        """As configured."""
        return self._config.request_life_seconds

    async def ping(self) -> None:
        """A cheap authenticated read; where there is nowhere to write payments, Misconfigured already."""
        with readable(VENDOR):
            await self._posting.ready()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    # ------------------------------------------------------------ reads

    async def customers_since(self, cursor: str, *, limit: int) -> Page[ErpCustomer]:
        """Contacts changed after a cursor, but those who only supply."""
        with readable(VENDOR):
            return await self._reading.customers.page(cursor, limit=limit)

    async def invoices_since(self, cursor: str, *, limit: int) -> Page[ErpInvoice]:
        """Invoices to customers changed after a cursor, settlements included."""
        with readable(VENDOR):
            return await self._reading.invoices.page(cursor, limit=limit)

    async def invoices_by_id(self, erp_ids: Sequence[str]) -> Sequence[ErpInvoice]:
        """Those invoices as they stand now."""
        with readable(VENDOR):
            return await self._reading.invoices_by_id(erp_ids)

    async def credits_since(self, cursor: str, *, limit: int) -> Page[ErpCredit]:
        """Credit notes, prepayments and overpayments changed after a cursor, but ours."""
        with readable(VENDOR):
            return await self._reading.credits.page(cursor, limit=limit)

    async def credits_by_id(self, erp_ids: Sequence[str]) -> Sequence[ErpCredit]:
        """Those credits as they stand now."""
        with readable(VENDOR):
            return await self._reading.credits_by_id(erp_ids)

    async def payments_since(self, cursor: str, *, limit: int) -> Page[ErpPayment]:
        """Payments of ours and of people changed after a cursor."""
        with readable(VENDOR):
            return await self._payments.stream.page(cursor, limit=limit)

    async def quotes_since(self, cursor: str, *, limit: int) -> Page[ErpQuote]:
        """Quotes changed after a cursor."""
        with readable(VENDOR):
            return await self._quotes.page(cursor, limit=limit)

    async def recurring_since(self, cursor: str, *, limit: int) -> Page[ErpRecurring]:
        """Repeating invoices that differ from what a cursor knows."""
        with readable(VENDOR):
            return await self._templates.page(cursor, limit=limit)

    async def open_totals(self, cursor: str, *, limit: int) -> Page[ErpOpenTotal]:
        """What each contact owes by open invoices."""
        with readable(VENDOR):
            return await self._open_totals.page(cursor, limit=limit)

    async def invoice_pdf(self, erp_id: str) -> bytes:
        """The PDF of an invoice."""
        return await self._pdf("Invoices", erp_id)

    async def credit_note_pdf(self, erp_id: str) -> bytes:
        """The PDF of a credit note."""
        key = SourceKey.parsed(erp_id)
        return await self._pdf("CreditNotes", key.id if key is not None and key.kind is Kind.CREDIT_NOTE else "")

    async def _pdf(self, room: str, number: str) -> bytes:
        if not is_id(number):
            raise Rejected("NOT_FOUND", "Xero has no such document.")
        return await self._client.file(f"/{room}/{number}")

    async def find_document(self, reference: str) -> Sequence[PostedDocument]:
        """Every document that bears a reference: one that a person took back, and one that is not finished, too."""
        with readable(VENDOR):
            came = await self._documents.named(Kind.OVERPAYMENT, reference)
            drafts = await self._documents.named(Kind.CREDIT_NOTE, reference)
            return [
                *(received(each, reference) for each in came if bears(each, reference)),
                *(moved(each, is_finished=each.status in GONE) for each in drafts if each.reference == reference),
            ]

    # ------------------------------------------------------------ writes

    async def post_payment(self, document: PaymentDocument) -> PostedDocument:
        """Write a payment with its allocations; the rest stays with the customer."""
        onto = _merged(document.lines)
        _within(document.amount, onto)
        memo = f"{document.memo} ({document.method_label})" if document.method_label else document.memo
        receipt = Receipt(
            reference=document.reference,
            own=document.reference,
            customer=_customer(document.customer_erp_id),
            amount=document.amount,
            on=document.received_on,
            onto=onto,
            memo=memo,
        )
        with readable(VENDOR):
            async with self._posting.one_at_a_time:
                return await self._posting.receive(receipt)

    async def post_reversal(self, document: ReversalDocument) -> PostedDocument:
        """Take a payment back, whole or in part; without lines, from where its money lies."""

        def planned(till: Till) -> None:
            lines = _merged(document.lines)
            lying = till.lying(document.amount.currency)
            whole = till.left(document.amount.currency) + total(lying.values(), currency=document.amount.currency)
            if document.amount > whole:
                raise Rejected("TOO_LARGE", f"The payment has {whole.plain()} left to take back.")
            _taken_back(till, document.amount, lying if not lines and document.amount == whole else lines)

        return await self._move_of_payment(document, document.amount, document.reversed_on, planned)

    async def post_refund(self, document: RefundDocument) -> PostedDocument:
        """Write that a part of our payment went back."""

        def planned(till: Till) -> None:
            _taken_back(till, document.amount, _merged(document.lines))

        return await self._move_of_payment(document, document.amount, document.refunded_on, planned)

    async def post_application(self, document: ApplicationDocument) -> PostedDocument:
        """Move unapplied money of our payment on or off invoices."""
        lines = _merged(document.lines)
        return await self._move_of_payment(document, _moved_amount(lines), document.on, lambda till: _shifted(till, lines))

    async def post_credit_application(self, document: CreditApplicationDocument) -> PostedDocument:
        """Put a credit note, a prepayment or an overpayment on invoices, or take it off again."""
        lines, key = _merged(document.lines), SourceKey.parsed(document.credit_erp_id)
        customer, amount = _customer(document.customer_erp_id), _moved_amount(lines)

        async def planned() -> Plan:
            found = (await self._documents.sources([key])).get(key) if key is not None else None
            if found is None or not found.stands or found.customer != customer or is_our_reference(found.reference):
                raise Rejected("CREDIT_NOT_FOUND", f"Xero has no such credit of this customer ({document.credit_erp_id}).")
            if found.total.currency != amount.currency:
                raise Rejected("OTHER_CURRENCY", f"{found.number} is in {found.total.currency}.")
            till = Till([found], found.number)
            _shifted(till, lines)
            return till.plan(document.reference, document.credit_erp_id, amount, document.on)

        with readable(VENDOR):
            async with self._posting.one_at_a_time:
                return await self._posting.move(document.reference, customer, planned)

    async def post_refund_reversal(self, document: RefundReversalDocument) -> PostedDocument:
        """Write that a refund came back: its payment has the money again."""
        onto, customer = _merged(document.lines), _customer(document.customer_erp_id)
        _within(document.amount, onto)
        receipt = Receipt(
            reference=f"{document.payment_reference}/{document.reference}",
            own=document.reference,
            customer=customer,
            amount=document.amount,
            on=document.reversed_on,
            onto=onto,
            memo=document.memo,
            takes_back=document.refund_reference,
        )
        with readable(VENDOR):
            async with self._posting.one_at_a_time:
                await self._came_back_once(document, customer)
                return await self._posting.receive(receipt)

    async def _came_back_once(self, document: RefundReversalDocument, customer: str) -> None:
        drafts = await self._documents.named(Kind.CREDIT_NOTE, document.refund_reference)
        refunds = [each for each in drafts if each.reference == document.refund_reference and each.customer == customer]
        if not refunds or refunds[0].status not in GONE:
            raise Rejected("REFUND_NOT_FOUND", f"There is no refund with reference {document.refund_reference}.")
        refund = Plan.read(document.refund_reference, refunds[0].said)
        if refund.amount != document.amount or refund.about != document.payment_reference:
            raise Rejected("REFUND_DIFFERS", f"It is a refund of {refund.amount.plain()}.")
        for each in await self._documents.named(Kind.OVERPAYMENT, document.payment_reference):
            is_own = bears(each, document.reference)
            if not is_own and each.stands and f"takes back {document.refund_reference})" in each.said:
                raise Rejected("REFUND_CAME_BACK", "This refund was taken back before.")

    async def _move_of_payment(
        self,
        document: ReversalDocument | RefundDocument | ApplicationDocument,
        amount: Money,
        on: date,
        change: Callable[[Till], None],
    ) -> PostedDocument:
        customer = _customer(document.customer_erp_id)

        async def planned() -> Plan:
            till = Till(await self._money_of(document.payment_reference, customer, amount.currency), "The payment")
            change(till)
            return till.plan(document.reference, document.payment_reference, amount, on)

        with readable(VENDOR):
            async with self._posting.one_at_a_time:
                return await self._posting.move(document.reference, customer, planned)

    async def _money_of(self, reference: str, customer: str, currency: str) -> list[Source]:
        """What came in by a payment, and what came back to it."""
        found = [
            each
            for each in await self._documents.named(Kind.OVERPAYMENT, reference)
            if each.reference.partition("/")[0] == reference and each.stands and each.customer == customer
        ]
        if not any(each.reference == reference and each.total.currency == currency for each in found):
            raise Rejected("PAYMENT_NOT_FOUND", f"There is no standing payment with reference {reference}.")
        return found


def _shifted(till: Till, lines: Mapping[str, Money]) -> None:
    """Off first: what comes off one invoice can go on another."""
    for invoice, amount in lines.items():
        if amount.minor < 0:
            till.take(invoice, -amount)
    for invoice, amount in lines.items():
        if amount.minor > 0:
            till.put(invoice, amount)


def _taken_back(till: Till, amount: Money, lines: Mapping[str, Money]) -> None:
    _within(amount, lines)
    for invoice, part in lines.items():
        till.take(invoice, part)
    till.pay_out(amount)


def _within(amount: Money, lines: Mapping[str, Money]) -> None:
    if total(lines.values(), currency=amount.currency) > amount:
        raise Rejected("LINES_EXCEED_AMOUNT", "The lines come to more than the document.")


def _moved_amount(lines: Mapping[str, Money]) -> Money:
    """What is put on invoices, or (where nothing is) what comes off. Raises Rejected for what moves nothing."""
    if not lines:
        raise Rejected("NOTHING_MOVED", "The document moves nothing.")
    currency = next(iter(lines.values())).currency
    put = total((each for each in lines.values() if each.minor > 0), currency=currency)
    return put if put.minor else -total(lines.values(), currency=currency)


def _merged(lines: Sequence[PaymentLine]) -> dict[str, Money]:
    """Each invoice once."""
    merged: dict[str, Money] = {}
    for line in lines:
        if not is_id(line.invoice_erp_id):
            raise Rejected("INVOICE_NOT_FOUND", f"Xero has no invoice {line.invoice_erp_id}.")
        before = merged.get(line.invoice_erp_id, Money.zero(line.amount.currency))
        merged[line.invoice_erp_id] = before + line.amount
    return {each: amount for each, amount in merged.items() if amount.minor}


def _customer(erp_id: str) -> str:
    if not is_id(erp_id):
        raise Rejected("CUSTOMER_NOT_FOUND", f"Xero has no contact {erp_id}.")
    return erp_id
