"""NetSuite as a connector: reads receivables, credits and payments; posts; finds that again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from connectors.erp.calls import readable
from connectors.erp.lines import Lines, moved_of, plus, require_lying
from connectors.erp.netsuite import totals
from connectors.erp.netsuite.client import VENDOR, NetSuiteClient, NetSuiteConfig
from connectors.erp.netsuite.documents import MEMO, PAYMENT, Documents, Holder, is_number
from connectors.erp.netsuite.finding import Entry, Finding, Found
from connectors.erp.netsuite.posting import Cash, Posting, check
from connectors.erp.netsuite.reading import Reading
from connectors.erp.ports import (
    ApplicationDocument,
    CreditApplicationDocument,
    ErpCredit,
    ErpCustomer,
    ErpInvoice,
    ErpOpenTotal,
    ErpPayment,
    ErpQuote,
    Page,
    PaymentDocument,
    PaymentLine,
    PostedDocument,
    RefundDocument,
    RefundReversalDocument,
    ReversalDocument,
)
from connectors.errors import Rejected
from domain.ids import is_our_reference
from domain.money import Money, total


class NetSuite:
    """Every capability of the ERP ports. Each method raises ConnectorError."""

    has_unique_references = True  # an external id is one record's; what has it already is looked up all the same

    def __init__(self, config: NetSuiteConfig) -> None:
        self.name = config.name
        self._config = config
        self._client = NetSuiteClient(config)
        self._documents = Documents(self._client)
        self._finding = Finding(self._client, self._documents)
        self._posting = Posting(
            self._client,
            self._documents,
            self._finding,
            deposit_account=config.deposit_account,
            receivable_account=config.receivable_account,
        )
        self._reading = Reading(
            self._client,
            zone=ZoneInfo(config.time_zone),
            time_zone=config.customers_time_zone,
            overlap=timedelta(seconds=config.overlap_seconds),
        )

    @property
    def request_life_seconds(self) -> int:
        """As configured: NetSuite works on a request for a quarter of an hour at most."""
        return self._config.request_life_seconds

    async def ping(self) -> None:
        """A cheap authenticated read."""
        with readable(VENDOR):
            await self._client.rows("SELECT id, symbol FROM currency ORDER BY id")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    # ------------------------------------------------------------ reads

    async def customers_since(self, cursor: str, *, limit: int) -> Page[ErpCustomer]:
        """Customers changed after a cursor."""
        with readable(VENDOR):
            return await self._reading.customers.page(cursor, limit=limit)

    async def invoices_since(self, cursor: str, *, limit: int) -> Page[ErpInvoice]:
        """Invoices changed after a cursor, settlements included."""
        with readable(VENDOR):
            return await self._reading.invoices.page(cursor, limit=limit)

    async def invoices_by_id(self, erp_ids: Sequence[str]) -> Sequence[ErpInvoice]:
        """Those invoices as they stand now."""
        with readable(VENDOR):
            return await self._reading.invoices_by_id(erp_ids)

    async def credits_since(self, cursor: str, *, limit: int) -> Page[ErpCredit]:
        """Credit memos and people's payments changed after a cursor."""
        with readable(VENDOR):
            return await self._reading.credits.page(cursor, limit=limit)

    async def credits_by_id(self, erp_ids: Sequence[str]) -> Sequence[ErpCredit]:
        """Those credits as they stand now."""
        with readable(VENDOR):
            return await self._reading.credits_by_id(erp_ids)

    async def payments_since(self, cursor: str, *, limit: int) -> Page[ErpPayment]:
        """Payments changed after a cursor, ours and those of people."""
        with readable(VENDOR):
            return await self._reading.payments.page(cursor, limit=limit)

    async def quotes_since(self, cursor: str, *, limit: int) -> Page[ErpQuote]:
        """Estimates changed after a cursor."""
        with readable(VENDOR):
            return await self._reading.quotes.page(cursor, limit=limit)

    async def open_totals(self, cursor: str, *, limit: int) -> Page[ErpOpenTotal]:
        """What each customer owes by open invoices."""
        with readable(VENDOR):
            return await totals.open_totals(self._client, cursor, limit=limit)

    async def receivable_balances(self) -> Sequence[Money]:
        """What the ledger's receivables accounts come to."""
        with readable(VENDOR):
            return await totals.receivable_balances(self._client)

    async def find_document(self, reference: str) -> Sequence[PostedDocument]:
        """Every document that bears a reference: one that a person voided, and one that is not finished, too."""
        with readable(VENDOR):
            return [_posted(each) for each in await self._finding.documents(reference)]

    # ------------------------------------------------------------ writes

    async def post_payment(self, document: PaymentDocument) -> PostedDocument:
        """Write a payment with its allocations; the rest stays with the customer."""
        reference, onto, amount = document.reference, _merged(document.lines), document.amount
        with readable(VENDOR):
            async with self._posting.one_at_a_time:
                earlier = await self._finding.written(reference)
                if earlier is not None and not earlier.stands:
                    raise Rejected("VOIDED", f"{earlier.number} was voided in NetSuite: it is not written again.")
                if earlier is not None:
                    return _posted(_same(earlier, amount, document.customer_erp_id))
                if total(onto.values(), currency=amount.currency) > amount:
                    raise Rejected("LINES_EXCEED_AMOUNT", "The lines come to more than the document.")
                customer = document.customer_erp_id
                await self._check(customer, onto)
                memo = f"{document.memo} ({document.method_label})" if document.method_label else document.memo
                made = await self._posting.create(reference, customer, amount, document.received_on, memo, onto)
                return _posted(made)

    async def post_reversal(self, document: ReversalDocument) -> PostedDocument:
        """Take a payment back, whole or in part; without lines, from where its money stands."""
        return await self._take_off(document, on=document.reversed_on, is_reversal=True)

    async def post_refund(self, document: RefundDocument) -> PostedDocument:
        """Write that a part of our payment went back."""
        return await self._take_off(document, on=document.refunded_on, is_reversal=False)

    async def post_refund_reversal(self, document: RefundReversalDocument) -> PostedDocument:
        """Write that a refund came back: its payment has the money again."""
        onto = _merged(document.lines)
        back = f"Back from {document.refund_reference}"

        async def planned(standing: Holder) -> Lines:
            await self._check(document.customer_erp_id, onto)
            for each in await self._documents.notes("journalEntry", standing.given):
                if back in each.split("\n"):
                    raise Rejected("REFUND_CAME_BACK", "That refund was taken back before.")
            if total(onto.values(), currency=document.amount.currency) > document.amount:
                raise Rejected("LINES_EXCEED_AMOUNT", "The lines come to more than the document.")
            return plus(standing.onto, onto)

        with readable(VENDOR):
            async with self._posting.one_at_a_time:
                earlier = await self._earlier(document.reference, document.amount, document.customer_erp_id)
                if isinstance(earlier, Found):
                    return _posted(earlier)
                refund = await self._finding.entry(document.refund_reference)
                if refund is None or not refund.is_out or refund.about != document.payment_reference:
                    raise Rejected("REFUND_NOT_FOUND", f"There is no refund with reference {document.refund_reference}.")
                if refund.amount != document.amount:
                    raise Rejected("REFUND_DIFFERS", f"That is a refund of {refund.amount.plain()}.")
                payment = await self._ours(document.payment_reference, document.customer_erp_id)
                cash = _cash(document, on=document.reversed_on, memo=f"{back}\n{document.memo}", is_out=False)
                return _posted(await self._posting.move_cash(cash, payment.id, planned, earlier))

    async def post_application(self, document: ApplicationDocument) -> PostedDocument:
        """Move unapplied money of our payment on or off invoices."""
        with readable(VENDOR):
            async with self._posting.one_at_a_time:
                payment = await self._ours(document.payment_reference, document.customer_erp_id)
                return await self._relinked(payment, document)

    async def post_credit_application(self, document: CreditApplicationDocument) -> PostedDocument:
        """Put a credit memo or a person's payment on invoices, or take it off again."""
        kind, _, erp_id = document.credit_erp_id.partition("-")
        if kind not in {"memo", "payment"} or not is_number(erp_id):
            raise Rejected("CREDIT_NOT_FOUND", f"NetSuite has no credit {document.credit_erp_id}.")
        with readable(VENDOR):
            async with self._posting.one_at_a_time:
                holder = await self._documents.holder(MEMO if kind == "memo" else PAYMENT, erp_id)
                ours = holder is not None and is_our_reference(holder.external or "")
                if holder is None or ours or holder.customer != document.customer_erp_id:
                    raise Rejected("CREDIT_NOT_FOUND", f"NetSuite has no such credit of this customer ({erp_id}).")
                return await self._relinked(holder, document)

    async def _relinked(self, holder: Holder, document: ApplicationDocument | CreditApplicationDocument) -> PostedDocument:
        assert document.lines, "an application moves at least one amount"
        change = _merged(document.lines)
        moved = moved_of(change, document.lines[0].amount.currency)

        async def planned(standing: Holder) -> Lines:
            require_lying(
                standing.onto, {each: -amount for each, amount in change.items() if amount.minor < 0}, of=standing.number
            )
            if total(change.values(), currency=moved.currency) > standing.pool:
                raise Rejected("NOT_UNAPPLIED", f"{standing.number} does not have that much unapplied money.")
            await self._check(document.customer_erp_id, {each: part for each, part in change.items() if part.minor > 0})
            return plus(standing.onto, change)

        await self._posting.relink(holder.kind, holder.id, document.reference, moved, planned)
        return PostedDocument(
            erp_id=f"{'payment' if holder.kind == PAYMENT else 'memo'}-{holder.id}",
            number=holder.number,
            amount=moved,
            reference=document.reference,
            facts={"customer_erp_id": holder.customer},
        )

    async def _take_off(self, document: ReversalDocument | RefundDocument, *, on: date, is_reversal: bool) -> PostedDocument:
        lines = _merged(document.lines)

        async def planned(standing: Holder) -> Lines:
            lies, currency = standing.onto, document.amount.currency
            whole = standing.pool + total(lies.values(), currency=currency)
            if document.amount > whole:
                raise Rejected("TOO_LARGE", f"{standing.number} has {whole.plain()} left to take back.")
            off = lies if is_reversal and not lines and document.amount == whole else lines
            require_lying(standing.onto, off, of=standing.number)
            pool = document.amount - total(off.values(), currency=currency)
            if pool.minor < 0:
                raise Rejected("LINES_EXCEED_AMOUNT", "The lines come to more than the document.")
            if pool > standing.pool:
                raise Rejected("NOT_UNAPPLIED", f"{standing.number} does not have that much unapplied money.")
            return plus(lies, {each: -amount for each, amount in off.items()})

        with readable(VENDOR):
            async with self._posting.one_at_a_time:
                earlier = await self._earlier(document.reference, document.amount, document.customer_erp_id)
                if isinstance(earlier, Found):
                    return _posted(earlier)
                payment = await self._ours(document.payment_reference, document.customer_erp_id)
                cash = _cash(document, on=on, memo=document.memo, is_out=True)
                return _posted(await self._posting.move_cash(cash, payment.id, planned, earlier))

    async def _earlier(self, reference: str, amount: Money, customer: str) -> Found | Entry | None:
        """What an earlier try wrote: the document, or an entry of it that is not linked yet."""
        found = await self._finding.written(reference)
        if found is None:
            return None
        same = _same(found, amount, customer)
        return same if same.is_finished or same.entry is None else same.entry

    async def _ours(self, reference: str, customer: str) -> Holder:
        found = await self._documents.holder(PAYMENT, f"eid:{reference}")
        if found is None or found.is_void or found.customer != customer:
            raise Rejected("PAYMENT_NOT_FOUND", f"There is no standing payment with reference {reference}.")
        return found

    async def _check(self, customer: str, added: Lines) -> None:
        """Whether those invoices can take that much more from a customer."""
        if not is_number(customer):
            raise Rejected("CUSTOMER_NOT_FOUND", f"NetSuite has no customer {customer}.")
        check(await self._documents.open_invoices(added), customer, added)


def _posted(found: Found) -> PostedDocument:
    return PostedDocument(
        erp_id=found.id,
        number=found.number,
        amount=found.amount,
        reference=found.reference,
        stands=found.stands,
        is_finished=found.is_finished,
        facts={"customer_erp_id": found.customer},
    )


def _same(found: Found, amount: Money, customer: str) -> Found:
    """An earlier document of this reference, if it is this one: another is never overwritten, nor taken for it."""
    if (found.amount, found.customer) != (amount, customer):
        raise Rejected("REFERENCE_TAKEN", f"{found.number} bears this reference, with another amount or customer.")
    return found


def _cash(
    document: ReversalDocument | RefundDocument | RefundReversalDocument, *, on: date, memo: str, is_out: bool
) -> Cash:
    return Cash(
        reference=document.reference,
        about=document.payment_reference,
        customer=document.customer_erp_id,
        amount=document.amount,
        on=on,
        memo=memo,
        is_out=is_out,
    )


def _merged(lines: Sequence[PaymentLine]) -> Mapping[str, Money]:
    """Each invoice once."""
    merged: dict[str, Money] = {}
    for line in lines:
        each = _number(line.invoice_erp_id, "INVOICE_NOT_FOUND")
        merged[each] = merged.get(each, Money.zero(line.amount.currency)) + line.amount
    return {each: amount for each, amount in merged.items() if amount.minor}


def _number(erp_id: str, code: str) -> str:
    if not is_number(erp_id):
        raise Rejected(code, f"NetSuite has no document {erp_id}.")
    return erp_id
