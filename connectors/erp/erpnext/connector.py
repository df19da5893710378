"""ERPNext as a connector: reads receivables, credits and payments, posts what Duly writes, finds by our reference."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from connectors.erp.calls import readable
from connectors.erp.erpnext import wire
from connectors.erp.erpnext.accounts import Accounts
from connectors.erp.erpnext.client import VENDOR, ErpNextClient, ErpNextConfig
from connectors.erp.erpnext.finding import Finding, Found, currency_of
from connectors.erp.erpnext.ledger import INVOICE, SUBMITTED, Ledger, Standing
from connectors.erp.erpnext.plans import came_back, comes_off, gone_out, merged, moved
from connectors.erp.erpnext.posting import Posting
from connectors.erp.erpnext.reading import Reading, credit_key
from connectors.erp.erpnext.templates import Templates
from connectors.erp.erpnext.totals import Totals
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
    PostedDocument,
    RefundDocument,
    RefundReversalDocument,
    ReversalDocument,
)
from connectors.errors import Misconfigured, Rejected
from domain.money import Money, total


class ErpNext:
    """Every capability of the ERP ports. Each method raises ConnectorError."""

    has_unique_references = False  # a reference may be there twice; what we wrote is looked up before anything is written

    def __init__(self, config: ErpNextConfig) -> None:
        self.name = config.name
        self._config = config
        self._client = ErpNextClient(config)
        company = config.company
        self._ledger = Ledger(self._client, company=company)
        self._accounts = Accounts(self._client, company=company, deposits=config.deposit_accounts)
        self._finding = Finding(self._client, self._ledger, company=company)
        overlap = timedelta(seconds=config.overlap_seconds)
        self._reading = Reading(self._client, self._ledger, self._accounts, company=company, overlap=overlap)
        self._posting = Posting(self._client, self._ledger, self._finding, self._accounts, company=company)
        self._templates = Templates(self._client, self._accounts.home, company=company)
        self._totals = Totals(self._client, self._accounts, company=company)

    @property
    def request_life_seconds(self) -> int:
        """As configured; a list is read from the tables that were written, so that search has no lag."""
        return self._config.request_life_seconds

    async def ping(self) -> None:
        """Who we are there, and that the company and its accounts are there too: else Misconfigured."""
        with readable(VENDOR):
            if await self._client.asked("frappe.auth.get_logged_user") in (None, "", "Guest"):
                raise Misconfigured("ERPNext does not know our key.")
            await self._accounts.ready()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    # ------------------------------------------------------------ reads

    async def customers_since(self, cursor: str, *, limit: int) -> Page[ErpCustomer]:
        """Customers changed after a cursor, their contacts included."""
        with readable(VENDOR):
            return await self._reading.customers.page(cursor, limit=limit)

    async def invoices_since(self, cursor: str, *, limit: int) -> Page[ErpInvoice]:
        """Invoices changed after a cursor, settlements included; cancelled ones are void."""
        with readable(VENDOR):
            return await self._reading.invoices.page(cursor, limit=limit)

    async def invoices_by_id(self, erp_ids: Sequence[str]) -> Sequence[ErpInvoice]:
        """Those invoices as they stand now."""
        with readable(VENDOR):
            return await self._reading.invoices_by_id(erp_ids)

    async def credits_since(self, cursor: str, *, limit: int) -> Page[ErpCredit]:
        """Credit notes and payments by hand changed after a cursor."""
        with readable(VENDOR):
            return await self._reading.credits.page(cursor, limit=limit)

    async def credits_by_id(self, erp_ids: Sequence[str]) -> Sequence[ErpCredit]:
        """Those credits as they stand now."""
        with readable(VENDOR):
            return await self._reading.credits_by_id(key for each in erp_ids if (key := credit_key(each)) is not None)

    async def payments_since(self, cursor: str, *, limit: int) -> Page[ErpPayment]:
        """Payment Entries of customers changed after a cursor, whoever wrote them."""
        with readable(VENDOR):
            return await self._reading.payments.page(cursor, limit=limit)

    async def quotes_since(self, cursor: str, *, limit: int) -> Page[ErpQuote]:
        """Quotations changed after a cursor."""
        with readable(VENDOR):
            return await self._reading.quotes.page(cursor, limit=limit)

    async def recurring_since(self, cursor: str, *, limit: int) -> Page[ErpRecurring]:
        """Auto Repeats of invoices that differ from what a cursor knows."""
        with readable(VENDOR):
            return await self._templates.page(cursor, limit=limit)

    async def open_totals(self, cursor: str, *, limit: int) -> Page[ErpOpenTotal]:
        """What each customer owes by open invoices, now."""
        with readable(VENDOR):
            return await self._totals.open_totals(cursor, limit=limit)

    async def receivable_balances(self) -> Sequence[Money]:
        """The receivable accounts of the general ledger, now."""
        with readable(VENDOR):
            return await self._totals.receivable_balances()

    async def invoice_pdf(self, erp_id: str) -> bytes:
        """The PDF of an invoice, by the site's own print format."""
        return await self._client.printed({"doctype": INVOICE, "name": erp_id})

    async def credit_note_pdf(self, erp_id: str) -> bytes:
        """The PDF of a credit note. Raises Rejected for what is no credit note."""
        key = credit_key(erp_id)
        if key is None or key[0] != INVOICE:
            raise Rejected("NO_PDF", f"ERPNext prints no {erp_id}.")
        return await self._client.printed({"doctype": INVOICE, "name": key[1]})

    async def find_document(self, reference: str) -> Sequence[PostedDocument]:
        """Every document that bears a reference: one that a person cancelled, and one that is not finished, too."""
        with readable(VENDOR):
            return [each.posted() for each in await self._finding.documents(reference)]

    # ------------------------------------------------------------ writes

    async def post_payment(self, document: PaymentDocument) -> PostedDocument:
        """Write a payment with its allocations; the rest stays with the customer."""
        lines = merged(document.lines)
        _fits(document.amount, lines)
        memo = f"{document.memo} ({document.method_label})" if document.method_label else document.memo

        async def written() -> Found:
            return await self._posting.receive(
                document.reference, memo, document.customer_erp_id, document.amount, document.received_on, lines
            )

        return await self._one_at_a_time(written)

    async def post_reversal(self, document: ReversalDocument) -> PostedDocument:
        """Take a payment back, whole or in part; without lines, from where its money stands."""
        return await self._gone_out(document, document.reversed_on, is_reversal=True)

    async def post_refund(self, document: RefundDocument) -> PostedDocument:
        """Write that a part of our payment went back."""
        return await self._gone_out(document, document.refunded_on, is_reversal=False)

    async def _gone_out(self, document: ReversalDocument | RefundDocument, on: date, *, is_reversal: bool) -> PostedDocument:
        """Money that went back is a document of that day. The payment is not cancelled: its own day may lie in a closed
        period, its line of the bank may be reconciled, and it did come.
        """

        async def written() -> Found:
            if (found := await self._begun(document.reference)) is not None:
                return await self._posting.go_on(found)
            payment, standing = await self._payment(document.payment_reference, document.customer_erp_id)
            lines = merged(document.lines)
            if is_reversal and not lines and document.amount == standing.whole:
                lines = dict(standing.on_invoices)
            plan = gone_out(payment, document.reference, standing, lines, _in(document.amount, standing))
            return await self._posting.pay_back(plan, document.memo, on)

        return await self._one_at_a_time(written)

    async def post_refund_reversal(self, document: RefundReversalDocument) -> PostedDocument:
        """Write that a refund came back: its payment has the money again."""

        async def written() -> Found:
            if (found := await self._begun(document.reference)) is not None:
                return await self._posting.go_on(found)
            payment, standing = await self._payment(document.payment_reference, document.customer_erp_id)
            refund = await self._ours(document.refund_reference, document.customer_erp_id, what="refund")
            if refund.amount != document.amount:
                raise Rejected("REFUND_DIFFERS", f"{refund.name} is a refund of {refund.amount.plain()}.")
            lines = merged(document.lines)
            await self._ledger.payable(payment.customer, standing.pool.currency, lines)
            plan = came_back(payment, refund, document.reference, standing, lines)
            return await self._posting.take_again(plan, document.memo, document.reversed_on)

        return await self._one_at_a_time(written)

    async def post_application(self, document: ApplicationDocument) -> PostedDocument:
        """Move unapplied money of our payment on or off invoices."""

        async def written() -> Found:
            if (found := await self._begun(document.reference)) is not None:
                return await self._posting.go_on(found)
            payment, standing = await self._payment(document.payment_reference, document.customer_erp_id)
            return await self._move(payment, standing, document)

        return await self._one_at_a_time(written)

    async def post_credit_application(self, document: CreditApplicationDocument) -> PostedDocument:
        """Put a credit note or a payment by hand on invoices, or take it off again."""
        key = credit_key(document.credit_erp_id)
        if key is None:
            raise Rejected("CREDIT_NOT_FOUND", f"ERPNext has no credit {document.credit_erp_id}.")

        async def written() -> Found:
            if (found := await self._begun(document.reference)) is not None:
                return await self._posting.go_on(found)
            if key[0] == INVOICE:
                return await self._from_note(key[1], document)
            row = await self._finding.payment(key[1])
            if row is None or row["docstatus"] != SUBMITTED or row["party"] != document.customer_erp_id:
                raise Rejected("CREDIT_NOT_FOUND", f"ERPNext has no such payment of this customer ({key[1]}).")
            standing = await self._ledger.standing(key[1], currency_of(row))
            return await self._move(_by_hand(row), standing, document)

        return await self._one_at_a_time(written)

    # ------------------------------------------------------------ parts of them

    async def _move(
        self, payment: Found, standing: Standing, document: ApplicationDocument | CreditApplicationDocument
    ) -> Found:
        lines = merged(document.lines)
        plan = moved(payment, document.reference, standing, lines)
        await self._ledger.payable(payment.customer, standing.pool.currency, lines)
        return await self._posting.move(plan, document.memo, document.on)

    async def _from_note(self, note: str, document: CreditApplicationDocument) -> Found:
        found = (await self._ledger.invoices([note])).get(note)
        if found is None or not found.is_return or found.customer != document.customer_erp_id:
            raise Rejected("CREDIT_NOT_FOUND", f"ERPNext has no such credit note of this customer ({note}).")
        lines = merged(document.lines)
        invoices = await self._ledger.payable(found.customer, found.currency, lines)
        if any(each.account != found.account for each in invoices.values()):
            raise Rejected("SEVERAL_ACCOUNTS", "A credit note and its invoices must be on one receivable account.")
        onto, _ = await self._reading.note_standing(note, found.currency)
        standing = Standing(onto={(INVOICE, name): amount for name, amount in onto.items()}, pool=-found.open)
        comes_off(note, standing, {name: -amount for name, amount in lines.items() if amount.minor < 0})
        if total(lines.values(), currency=found.currency) > standing.pool:
            raise Rejected("NOT_UNAPPLIED", f"Credit note {note} does not have that much left.")
        return await self._posting.journal(
            document.reference, document.memo, found.customer, note, found.account, document.on, lines
        )

    async def _begun(self, reference: str) -> Found | None:
        """What an earlier try wrote of a document."""
        found = await self._finding.documents(reference)
        return found[0] if found else None

    async def _payment(self, reference: str, customer: str) -> tuple[Found, Standing]:
        payment = await self._ours(reference, customer, what="payment")
        return payment, await self._ledger.standing(payment.name, currency_of(payment.row))

    async def _ours(self, reference: str, customer: str, *, what: str) -> Found:
        for each in await self._finding.payments(reference):
            if each.docstatus == SUBMITTED and each.customer == customer:
                return each
        raise Rejected(f"{what.upper()}_NOT_FOUND", f"There is no standing {what} with reference {reference}.")

    async def _one_at_a_time(self, written: Callable[[], Awaitable[Found]]) -> PostedDocument:
        async with self._posting.one_at_a_time:
            with readable(VENDOR):
                return (await written()).posted()


def _by_hand(row: Mapping[str, Any]) -> Found:
    """A payment that a person entered, as if it were found by a reference."""
    return Found(
        kind="Payment Entry",
        name=str(row["name"]),
        reference="",
        amount=wire.amount(row["paid_amount"], currency_of(row)),
        customer=str(row["party"]),
        docstatus=row["docstatus"],
        modified=str(row["modified"]),
        is_finished=True,
        plan=None,
        row=row,
    )


def _fits(amount: Money, lines: dict[str, Money]) -> None:
    if total(lines.values(), currency=amount.currency) > amount:
        raise Rejected("LINES_EXCEED_AMOUNT", "The lines come to more than the document.")


def _in(amount: Money, standing: Standing) -> Money:
    if amount.currency != standing.pool.currency:
        raise Rejected("OTHER_CURRENCY", f"The payment is kept in {standing.pool.currency}.")
    return amount
