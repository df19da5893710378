"""Odoo as a connector: reads receivables and credits, posts payments and what becomes of them, finds by our reference."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import date, timedelta
from typing import TypeVar

from connectors.erp.calls import readable
from connectors.erp.odoo import totals
from connectors.erp.odoo.client import VENDOR, OdooClient, OdooConfig
from connectors.erp.odoo.documents import Documents, is_number
from connectors.erp.odoo.finding import Finding, Found, Standing, follows
from connectors.erp.odoo.payments import Payments
from connectors.erp.odoo.posting import Plan, Posting
from connectors.erp.odoo.quotes import Quotes
from connectors.erp.odoo.reading import Reading, credit_key
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
from domain.money import Money

T = TypeVar("T")


class Odoo:
    """Every capability of the ERP ports. Each method raises ConnectorError."""

    has_unique_references = False  # a memo may be there twice; what we wrote is looked up before anything is written

    def __init__(self, config: OdooConfig) -> None:
        self.name = config.name
        self._config = config
        self._client = OdooClient(config)
        self._documents = Documents(self._client)
        self._finding = Finding(self._client, self._documents)
        self._reading = Reading(
            self._client,
            self._documents,
            time_zone=config.time_zone,
            overlap=timedelta(seconds=config.overlap_seconds),
        )
        self._payments = Payments(
            self._client,
            self._documents,
            self._finding,
            self._reading,
            overlap=timedelta(seconds=config.overlap_seconds),
        )
        self._quotes = Quotes(self._client, overlap=timedelta(seconds=config.overlap_seconds))
        self._posting = Posting(
            self._client, self._documents, self._finding, journal=config.journal, entries=config.entry_journal
        )

    @property
    def request_life_seconds(self) -> int:
        """As configured; search has no lag here."""
        return self._config.request_life_seconds

    async def ping(self) -> None:
        """A cheap authenticated read; Misconfigured where payments cannot be written, or would be no money in the books."""
        with readable(VENDOR):
            await self._client.clock()
            await self._posting.ready()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    # ------------------------------------------------------------ reads

    async def customers_since(self, cursor: str, *, limit: int) -> Page[ErpCustomer]:
        """Partners who are customers, changed after a cursor."""
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

    async def quotes_since(self, cursor: str, *, limit: int) -> Page[ErpQuote]:
        """Quotations changed after a cursor; none where Odoo has no Sales."""
        with readable(VENDOR):
            return await self._quotes.stream.page(cursor, limit=limit)

    async def find_document(self, reference: str) -> Sequence[PostedDocument]:
        """Every document that bears a reference: one that a person took back, and one that is not finished, too."""
        with readable(VENDOR):
            return [_posted(each) for each in await self._finding.documents(reference)]

    async def open_totals(self, cursor: str, *, limit: int) -> Page[ErpOpenTotal]:
        """What each customer owes by the open invoices, summed up by Odoo."""
        with readable(VENDOR):
            return await totals.open_totals(self._client, cursor, limit=limit)

    async def receivable_balances(self) -> Sequence[Money]:
        """The receivable accounts of the general ledger, in the company's currency."""
        with readable(VENDOR):
            return await totals.receivable_balances(self._client)

    # ------------------------------------------------------------ writes

    async def post_payment(self, document: PaymentDocument) -> PostedDocument:
        """Write a payment with its allocations; the rest stays with the customer."""

        async def planned() -> Plan:
            onto = _merged(document.lines)
            return Plan(
                key=document.reference,
                customer=_customer(document.customer_erp_id),
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

        memo = f"{follows(document.payment_reference)} {document.memo}"
        return await self._post(document.reference, memo, planned)

    async def post_refund(self, document: RefundDocument) -> PostedDocument:
        """Write that a part of our payment went back."""

        async def planned() -> Plan:
            return await self._take_off(document, on=document.refunded_on, is_reversal=False)

        return await self._post(document.reference, document.memo, planned)

    async def post_refund_reversal(self, document: RefundReversalDocument) -> PostedDocument:
        """Write that a refund came back: its payment has the money again."""

        async def planned() -> Plan:
            customer = _customer(document.customer_erp_id)
            refund = await self._ours(document.refund_reference, customer, what="refund")
            if refund.amount != document.amount:
                raise Rejected("REFUND_DIFFERS", f"{refund.number} is a refund of {refund.amount.plain()}.")
            if await self._finding.has_followers(document.refund_reference):
                raise Rejected("REFUND_CAME_BACK", f"{refund.number} was taken back before.")
            onto = _merged(document.lines)
            return Plan(
                key=document.payment_reference,
                customer=customer,
                currency=document.amount.currency,
                on=document.reversed_on,
                onto=onto,
                pool=_less(document.amount, onto.values()),
                cash=document.amount,
            )

        memo = f"{follows(document.refund_reference)} {document.memo}"
        return await self._post(document.reference, memo, planned)

    async def post_application(self, document: ApplicationDocument) -> PostedDocument:
        """Move unapplied money of our payment on or off invoices."""
        currency = _currency(document.lines)

        async def planned() -> Plan:
            customer = _customer(document.customer_erp_id)
            await self._ours(document.payment_reference, customer, what="payment")
            standing = await self._finding.standing(document.payment_reference, currency)
            return _moved(document.payment_reference, customer, document.on, _merged(document.lines), standing, currency)

        return await self._post(document.reference, document.memo, planned)

    async def post_credit_application(self, document: CreditApplicationDocument) -> PostedDocument:
        """Put a credit note or a payment by hand on invoices, or take it off again."""
        currency = _currency(document.lines)

        async def planned() -> Plan:
            customer = _customer(document.customer_erp_id)
            standing = await self._finding.standing(document.credit_erp_id, currency)
            if not await self._is_credit_of(document.credit_erp_id, customer, currency):
                raise Rejected("CREDIT_NOT_FOUND", f"Odoo has no such credit of this customer ({document.credit_erp_id}).")
            return _moved(document.credit_erp_id, customer, document.on, _merged(document.lines), standing, currency)

        return await self._post(document.reference, document.memo, planned)

    async def _is_credit_of(self, erp_id: str, customer: int, currency: str) -> bool:
        key = credit_key(erp_id)
        for each in await self._reading.credits_by_id([key] if key is not None else []):
            return each.customer_erp_id == str(customer) and each.total.currency == currency and not each.deleted
        return False

    async def _take_off(self, document: ReversalDocument | RefundDocument, *, on: date, is_reversal: bool) -> Plan:
        customer, currency = _customer(document.customer_erp_id), document.amount.currency
        payment = await self._ours(document.payment_reference, customer, what="payment")
        standing = await self._finding.standing(document.payment_reference, currency)
        if document.amount > standing.whole:
            raise Rejected("TOO_LARGE", f"{payment.number} has {standing.whole.plain()} left to take back.")
        onto = _merged(document.lines)
        if is_reversal and document.amount == standing.whole:
            # All of it went back, so it comes off wherever a person has put it meanwhile.
            onto = dict(standing.onto)
        _comes_off(standing, onto, payment.number)
        pool = _less(document.amount, onto.values())
        if pool.minor < 0:
            raise Rejected("LINES_EXCEED_AMOUNT", "The lines come to more than the document.")
        _is_there(standing, -pool, payment.number)
        return Plan(
            key=document.payment_reference,
            customer=customer,
            currency=currency,
            on=on,
            onto={each: -amount for each, amount in onto.items()},
            pool=-pool,
            cash=-document.amount,
            pool_account=standing.pool_account,
        )

    async def _ours(self, reference: str, customer: int, *, what: str) -> Found:
        for each in await self._finding.documents(reference):
            if each.stands and each.customer == customer:
                return each
        raise Rejected(f"{what.upper()}_NOT_FOUND", f"There is no standing {what} with reference {reference}.")

    async def _post(self, reference: str, memo: str, planned: Callable[[], Awaitable[Plan]]) -> PostedDocument:
        with readable(VENDOR):
            return _posted(await self._posting.post(reference, memo, planned))


def _posted(found: Found) -> PostedDocument:
    return PostedDocument(
        erp_id=f"entry-{found.entry}" if found.entry is not None else str(found.id),
        number=found.number,
        amount=found.amount,
        reference=found.reference,
        stands=found.stands or found.is_draft,
        is_finished=found.is_finished,
        facts={"state": "draft" if found.is_draft else "posted", "customer_erp_id": str(found.customer)},
    )


def _moved(key: str, customer: int, on: date, onto: dict[int, Money], standing: Standing, currency: str) -> Plan:
    """Money that is there, moved on or off invoices; Rejected where it is not there."""
    _comes_off(standing, {each: -amount for each, amount in onto.items() if amount.minor < 0}, key)
    pool = _less(Money.zero(currency), onto.values())
    _is_there(standing, pool, key)
    return Plan(
        key=key,
        customer=customer,
        currency=currency,
        on=on,
        onto=onto,
        pool=pool,
        cash=Money.zero(currency),
        pool_account=standing.pool_account,
    )


def _comes_off(standing: Standing, lines: dict[int, Money], number: str) -> None:
    for each, amount in lines.items():
        if amount > standing.onto.get(each, Money.zero(amount.currency)):
            raise Rejected("NOT_APPLIED", f"{number} does not have that much on invoice {each}.")


def _is_there(standing: Standing, pool: Money, number: str) -> None:
    if -pool > standing.pool:
        raise Rejected("NOT_UNAPPLIED", f"{number} does not have that much unapplied money.")


def _merged(lines: Sequence[PaymentLine]) -> dict[int, Money]:
    """Each invoice once, by Odoo's number."""
    merged: dict[int, Money] = {}
    for line in lines:
        if not is_number(line.invoice_erp_id):
            raise Rejected("INVOICE_NOT_FOUND", f"Odoo has no invoice {line.invoice_erp_id}.")
        each = int(line.invoice_erp_id)
        merged[each] = merged.get(each, Money.zero(line.amount.currency)) + line.amount
    return {each: amount for each, amount in merged.items() if amount.minor}


def _less(amount: Money, parts: Iterable[Money]) -> Money:
    for part in parts:
        amount -= part
    return amount


def _customer(erp_id: str) -> int:
    if not is_number(erp_id):
        raise Rejected("CUSTOMER_NOT_FOUND", f"Odoo has no customer {erp_id}.")
    return int(erp_id)


def _currency(lines: Sequence[PaymentLine]) -> str:
    """Raises AssertionError for a document without lines: it has no currency, and is a mistake of ours."""
    assert lines, "an application moves at least one amount"
    return lines[0].amount.currency
