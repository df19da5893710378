"""Tryton as a connector: reads receivables and credits, posts payments and what becomes of them, finds by our reference."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import date, timedelta
from typing import TypeVar

from connectors.erp.calls import readable
from connectors.erp.ports import (
    ApplicationDocument,
    CreditApplicationDocument,
    ErpCredit,
    ErpCustomer,
    ErpInvoice,
    ErpOpenTotal,
    ErpPayment,
    Page,
    PaymentDocument,
    PaymentLine,
    PostedDocument,
    RefundDocument,
    RefundReversalDocument,
    ReversalDocument,
)
from connectors.erp.tryton.client import VENDOR, TrytonClient, TrytonConfig
from connectors.erp.tryton.documents import Documents
from connectors.erp.tryton.finding import Finding, Found, Standing
from connectors.erp.tryton.payments import Payments
from connectors.erp.tryton.posting import Plan, Posting
from connectors.erp.tryton.reading import INVOICE, LINE, Reading, credit_key, is_number
from connectors.erp.tryton.totals import Totals
from connectors.errors import Rejected
from domain.money import Money

T = TypeVar("T")


class Tryton:
    """Every capability of the ERP ports. Each method raises ConnectorError."""

    has_unique_references = False  # a description may be there twice; what we wrote is looked up before anything is written

    def __init__(self, config: TrytonConfig) -> None:
        self.name = config.name
        self._config = config
        self._client = TrytonClient(config)
        overlap = timedelta(seconds=config.overlap_seconds)
        self._reading = Reading(self._client, time_zone=config.time_zone, overlap=overlap)
        self._finding = Finding(self._client)
        self._totals = Totals(self._client)
        self._documents = Documents(self._client)
        self._payments = Payments(self._client, self._documents, self._finding, overlap=overlap)
        self._posting = Posting(self._client, payment_method=config.payment_method)

    @property
    def request_life_seconds(self) -> int:
        """As configured; search has no lag here."""
        return self._config.request_life_seconds

    async def ping(self) -> None:
        """A cheap authenticated read; where there is nowhere to write payments, Misconfigured already."""
        with readable(VENDOR):
            await self._client.clock()
            await self._posting.ready()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    # ------------------------------------------------------------ reads

    async def customers_since(self, cursor: str, *, limit: int) -> Page[ErpCustomer]:
        """Parties changed after a cursor."""
        with readable(VENDOR):
            return await self._reading.customers.page(cursor, limit=limit)

    async def invoices_since(self, cursor: str, *, limit: int) -> Page[ErpInvoice]:
        """Invoices changed after a cursor, settlements included."""
        with readable(VENDOR):
            return await self._reading.invoices.page(cursor, limit=limit)

    async def invoices_by_id(self, erp_ids: Sequence[str]) -> Sequence[ErpInvoice]:
        """Those invoices as they stand now."""
        with readable(VENDOR):
            return await self._reading.invoices_by_id(int(each) for each in erp_ids if is_number(each))

    async def credits_since(self, cursor: str, *, limit: int) -> Page[ErpCredit]:
        """Credit notes and payments by hand changed after a cursor."""
        with readable(VENDOR):
            return await self._reading.credits.page(cursor, limit=limit)

    async def credits_by_id(self, erp_ids: Sequence[str]) -> Sequence[ErpCredit]:
        """Those credits as they stand now."""
        with readable(VENDOR):
            return await self._reading.credits_by_id(key for each in erp_ids if (key := credit_key(each)) is not None)

    async def payments_since(self, cursor: str, *, limit: int) -> Page[ErpPayment]:
        """Payments of ours and of people changed after a cursor."""
        with readable(VENDOR):
            return await self._payments.stream.page(cursor, limit=limit)

    async def open_totals(self, cursor: str, *, limit: int) -> Page[ErpOpenTotal]:
        """What each party owes, by Tryton's own figures."""
        with readable(VENDOR):
            return await self._totals.open_totals(cursor, limit=limit)

    async def receivable_balances(self) -> Sequence[Money]:
        """What the receivable accounts of the general ledger come to."""
        with readable(VENDOR):
            return await self._totals.receivable_balances()

    async def find_document(self, reference: str) -> Sequence[PostedDocument]:
        """Every document that bears a reference: one that a person took back, and one that is not finished, too."""
        with readable(VENDOR):
            return [_posted(each) for each in await self._finding.documents(reference)]

    # ------------------------------------------------------------ writes

    async def post_payment(self, document: PaymentDocument) -> PostedDocument:
        """Write a payment with its allocations; the rest stays with the customer."""

        async def planned() -> Plan:
            onto = _merged(document.lines)
            return Plan(
                key=document.reference,
                party=_party(document.customer_erp_id),
                currency=document.amount.currency,
                on=document.received_on,
                onto=onto,
                pool=_less(document.amount, onto.values()),
                cash=document.amount,
            )

        memo = f"{document.memo} ({document.method_label})" if document.method_label else document.memo
        return await self._post(document.reference, memo, planned)

    async def post_reversal(self, document: ReversalDocument) -> PostedDocument:
        """Take a payment back, whole or in part; without lines, from where its money stands."""

        async def planned() -> Plan:
            return await self._take_off(document, on=document.reversed_on, is_reversal=True)

        return await self._post(document.reference, document.memo, planned)

    async def post_refund(self, document: RefundDocument) -> PostedDocument:
        """Write that a part of our payment went back."""

        async def planned() -> Plan:
            return await self._take_off(document, on=document.refunded_on, is_reversal=False)

        return await self._post(document.reference, document.memo, planned)

    async def post_refund_reversal(self, document: RefundReversalDocument) -> PostedDocument:
        """Write that a refund came back: its payment has the money again."""

        async def planned() -> Plan:
            party = _party(document.customer_erp_id)
            refund = await self._ours(document.refund_reference, party, what="refund")
            if refund.amount != document.amount:
                raise Rejected("REFUND_DIFFERS", f"{refund.number} is a refund of {refund.amount.plain()}.")
            if await self._finding.has_followers(refund.move):
                raise Rejected("REFUND_CAME_BACK", f"{refund.number} was taken back before.")
            onto = _merged(document.lines)
            return Plan(
                key=document.payment_reference,
                party=party,
                currency=document.amount.currency,
                on=document.reversed_on,
                onto=onto,
                pool=_less(document.amount, onto.values()),
                cash=document.amount,
                origin=f"account.move,{refund.move}",
            )

        return await self._post(document.reference, document.memo, planned)

    async def post_application(self, document: ApplicationDocument) -> PostedDocument:
        """Move unapplied money of our payment on or off invoices."""
        currency = _currency(document.lines)

        async def planned() -> Plan:
            party = _party(document.customer_erp_id)
            payment = await self._ours(document.payment_reference, party, what="payment")
            standing = await self._finding.standing(document.payment_reference, currency)
            onto = _merged(document.lines)
            _comes_off(standing, {each: -amount for each, amount in onto.items() if amount.minor < 0}, payment.number)
            pool = _less(Money.zero(currency), onto.values())
            _is_there(standing, pool, payment.number)
            return _moved(document.payment_reference, party, currency, document.on, onto, pool)

        return await self._post(document.reference, document.memo, planned)

    async def post_credit_application(self, document: CreditApplicationDocument) -> PostedDocument:
        """Put a credit note or a payment by hand on invoices, or take it off again."""
        currency = _currency(document.lines)

        async def planned() -> Plan:
            party, key = _party(document.customer_erp_id), credit_key(document.credit_erp_id)
            if key is None:
                raise Rejected("CREDIT_NOT_FOUND", f"Tryton has no credit {document.credit_erp_id}.")
            standing = await self._finding.standing(document.credit_erp_id, currency)
            onto = _merged(document.lines)
            _comes_off(
                standing, {each: -amount for each, amount in onto.items() if amount.minor < 0}, document.credit_erp_id
            )
            rest = _less(Money.zero(currency), onto.values())
            if key[0] == INVOICE:
                onto[key[1]] = rest
                return _moved(document.credit_erp_id, party, currency, document.on, onto, Money.zero(currency))
            return await self._from_line(key[1], document.credit_erp_id, party, document.on, onto, rest)

        return await self._post(document.reference, document.memo, planned)

    async def _from_line(self, line_id: int, key: str, party: int, on: date, onto: dict[int, Money], pool: Money) -> Plan:
        lines = await self._documents.lines(("id", "=", line_id), ("move.state", "=", "posted"))
        if not lines or lines[0].party != party or lines[0].amount.currency != pool.currency:
            raise Rejected("CREDIT_NOT_FOUND", f"Tryton has no such payment of this customer ({key}).")
        found = await self._reading.credits_by_id([(LINE, line_id)])
        left = found[0].total - found[0].used if found and not found[0].deleted else Money.zero(pool.currency)
        if -pool > left:
            raise Rejected("NOT_UNAPPLIED", f"{lines[0].number} does not have that much left.")
        plan = _moved(key, party, pool.currency, on, onto, pool)
        return Plan(**{**{name: getattr(plan, name) for name in plan.__slots__}, "pool_account": lines[0].account})

    async def _take_off(self, document: ReversalDocument | RefundDocument, *, on: date, is_reversal: bool) -> Plan:
        party, currency = _party(document.customer_erp_id), document.amount.currency
        payment = await self._ours(document.payment_reference, party, what="payment")
        standing = await self._finding.standing(document.payment_reference, currency)
        if document.amount > standing.whole:
            raise Rejected("TOO_LARGE", f"{payment.number} has {standing.whole.plain()} left to take back.")
        onto = _merged(document.lines)
        if is_reversal and not onto and document.amount == standing.whole:
            onto = dict(standing.onto)
        _comes_off(standing, onto, payment.number)
        pool = _less(document.amount, onto.values())
        if pool.minor < 0:
            raise Rejected("LINES_EXCEED_AMOUNT", "The lines come to more than the document.")
        _is_there(standing, -pool, payment.number)
        return Plan(
            key=document.payment_reference,
            party=party,
            currency=currency,
            on=on,
            onto={each: -amount for each, amount in onto.items()},
            pool=-pool,
            cash=-document.amount,
            origin=f"account.move,{payment.move}",
        )

    async def _ours(self, reference: str, party: int, *, what: str) -> Found:
        for each in await self._finding.documents(reference):
            if each.is_posted and each.stands and each.party == party:
                return each
        raise Rejected(f"{what.upper()}_NOT_FOUND", f"There is no standing {what} with reference {reference}.")

    async def _post(self, reference: str, memo: str, planned: Callable[[], Awaitable[Plan]]) -> PostedDocument:
        with readable(VENDOR):
            return _posted(await self._posting.post(reference, memo, planned))


def _posted(found: Found) -> PostedDocument:
    return PostedDocument(
        erp_id=str(found.move),
        number=found.number,
        amount=found.amount,
        reference=found.reference,
        stands=found.stands,
        is_finished=found.is_finished,
        facts={"state": "posted" if found.is_posted else "draft", "customer_erp_id": str(found.party)},
    )


def _moved(key: str, party: int, currency: str, on: date, onto: dict[int, Money], pool: Money) -> Plan:
    return Plan(key=key, party=party, currency=currency, on=on, onto=onto, pool=pool, cash=Money.zero(currency))


def _comes_off(standing: Standing, lines: dict[int, Money], number: str) -> None:
    for each, amount in lines.items():
        if amount > standing.onto.get(each, Money.zero(amount.currency)):
            raise Rejected("NOT_APPLIED", f"{number} does not have that much on invoice {each}.")


def _is_there(standing: Standing, pool: Money, number: str) -> None:
    if -pool > standing.pool:
        raise Rejected("NOT_UNAPPLIED", f"{number} does not have that much unapplied money.")


def _merged(lines: Sequence[PaymentLine]) -> dict[int, Money]:
    """Each invoice once, by Tryton's number."""
    merged: dict[int, Money] = {}
    for line in lines:
        if not is_number(line.invoice_erp_id):
            raise Rejected("INVOICE_NOT_FOUND", f"Tryton has no invoice {line.invoice_erp_id}.")
        each = int(line.invoice_erp_id)
        merged[each] = merged.get(each, Money.zero(line.amount.currency)) + line.amount
    return {each: amount for each, amount in merged.items() if amount.minor}


def _less(amount: Money, parts: Iterable[Money]) -> Money:
    for part in parts:
        amount -= part
    return amount


def _party(erp_id: str) -> int:
    if not is_number(erp_id):
        raise Rejected("CUSTOMER_NOT_FOUND", f"Tryton has no party {erp_id}.")
    return int(erp_id)


def _currency(lines: Sequence[PaymentLine]) -> str:
    """Raises AssertionError for a document without lines: it has no currency, and is a mistake of ours."""
    assert lines, "an application moves at least one amount"
    return lines[0].amount.currency
