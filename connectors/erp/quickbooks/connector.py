"""QuickBooks Online as a connector: reads receivables, credits, payments, quotes and templates; posts; finds that again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from connectors.declaring import RotatingTokens
from connectors.erp.calls import readable
from connectors.erp.lines import Lines, moved_of, plus, require_lying
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
from connectors.erp.quickbooks import credits_onto, references
from connectors.erp.quickbooks.client import VENDOR, QuickBooksClient, QuickBooksConfig
from connectors.erp.quickbooks.documents import INVOICE, Documents, Invoice, Payment, is_number
from connectors.erp.quickbooks.finding import Entry, Finding, Found, of_payment
from connectors.erp.quickbooks.posting import Cash, Posting, check, payment_lines
from connectors.erp.quickbooks.reading import Reading
from connectors.errors import Rejected
from domain.money import Money, total


class QuickBooks:
    """Every capability of the ERP ports. Each method raises ConnectorError."""

    has_unique_references = False  # a payment's number may be there twice; what we wrote is looked up before we write

    def __init__(self, config: QuickBooksConfig, tokens: RotatingTokens) -> None:
        self.name = config.name
        self._config = config
        self._client = QuickBooksClient(config, tokens)
        self._documents = Documents(self._client)
        self._finding = Finding(self._client, self._documents)
        self._posting = Posting(self._client, self._documents, deposit_account=config.deposit_account)
        self._reading = Reading(self._client, self._documents, config)

    @property
    def request_life_seconds(self) -> int:
        """As configured; a query that lags is included."""
        return self._config.request_life_seconds

    async def ping(self) -> None:
        """A cheap authenticated read; where there is no such account to write to, Misconfigured already."""
        with readable(VENDOR):
            await self._posting.ready()
            await self._client.get(f"/companyinfo/{self._config.realm_id}")

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

    async def recurring_since(self, cursor: str, *, limit: int) -> Page[ErpRecurring]:
        """Templates of invoices that differ from what the cursor knows."""
        with readable(VENDOR):
            return await self._reading.recurring.page(cursor, limit=limit)

    async def open_totals(self, cursor: str, *, limit: int) -> Page[ErpOpenTotal]:
        """What each customer owes by QuickBooks's open invoices."""
        with readable(VENDOR):
            return await self._reading.open_totals(cursor, limit=limit)

    async def receivable_balances(self) -> Sequence[Money]:
        """The receivables accounts, one amount for each currency."""
        with readable(VENDOR):
            return await self._reading.receivable_balances()

    async def invoice_pdf(self, erp_id: str) -> bytes:
        """The PDF of an invoice."""
        return await self._client.pdf(INVOICE, _number(erp_id, "INVOICE_NOT_FOUND"))

    async def credit_note_pdf(self, erp_id: str) -> bytes:
        """The PDF of a credit memo."""
        return await self._client.pdf("CreditMemo", _number(erp_id.removeprefix("memo-"), "CREDIT_NOT_FOUND"))

    async def find_document(self, reference: str) -> Sequence[PostedDocument]:
        """Every document that bears a reference: one that a person voided, and one that is not finished, too."""
        with readable(VENDOR):
            return [_posted(each) for each in await self._finding.documents(reference)]

    # ------------------------------------------------------------ writes

    async def post_payment(self, document: PaymentDocument) -> PostedDocument:
        """Write a payment with its allocations; the rest stays with the customer."""
        reference, onto = document.reference, _merged(document.lines)
        with readable(VENDOR):
            async with self._posting.one_at_a_time:
                invoices = await self._invoices(onto)
                for earlier in await self._written(reference, invoices):
                    if earlier.stands:
                        return _posted(_same(earlier, document.amount, document.customer_erp_id))
                if total(onto.values(), currency=document.amount.currency) > document.amount:
                    raise Rejected("LINES_EXCEED_AMOUNT", "The lines come to more than the document.")
                await self._check(document.customer_erp_id, onto, invoices)
                memo = f"{document.memo} ({document.method_label})" if document.method_label else document.memo
                body = {
                    "CustomerRef": {"value": document.customer_erp_id},
                    **await self._documents.in_currency(document.amount.currency),
                    "TotalAmt": document.amount,
                    "TxnDate": document.received_on.isoformat(),
                    "PaymentRefNum": references.number(references.owner(reference)),
                    "PrivateNote": references.headed(reference, memo),
                    "DepositToAccountRef": {"value": await self._posting.deposit()},
                    "Line": payment_lines(onto),
                }
                return _posted(await self._posting.create(body, reference))

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

        async def planned(standing: Payment) -> Lines:
            await self._check(document.customer_erp_id, onto)
            for row in await self._documents.by_id("JournalEntry", standing.onto("JournalEntry")):
                if back in str(row.get("PrivateNote") or "").split("\n"):
                    raise Rejected("REFUND_CAME_BACK", "That refund was taken back before.")
            if total(onto.values(), currency=document.amount.currency) > document.amount:
                raise Rejected("LINES_EXCEED_AMOUNT", "The lines come to more than the document.")
            return plus(standing.onto(), onto)

        with readable(VENDOR):
            async with self._posting.one_at_a_time:
                earlier = await self._earlier(document.reference, document.amount, document.customer_erp_id)
                if isinstance(earlier, Found):
                    return _posted(earlier)
                refunds = await self._finding.entries(document.refund_reference)
                if not any(each.is_out and each.about == document.payment_reference for each in refunds):
                    raise Rejected("REFUND_NOT_FOUND", f"There is no refund with reference {document.refund_reference}.")
                if refunds[0].amount != document.amount:
                    raise Rejected("REFUND_DIFFERS", f"That is a refund of {refunds[0].amount.plain()}.")
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
            raise Rejected("CREDIT_NOT_FOUND", f"QuickBooks has no credit {document.credit_erp_id}.")
        with readable(VENDOR):
            async with self._posting.one_at_a_time:
                if kind == "memo":
                    memos = credits_onto.CreditsOnto(
                        self._client, self._documents, self._posting, self._finding, self._check
                    )
                    return _posted(await memos.post(document, erp_id, _merged(document.lines)))
                payment = (await self._documents.payments([erp_id])).get(erp_id)
                if payment is None or payment.reference is not None or payment.customer != document.customer_erp_id:
                    raise Rejected("CREDIT_NOT_FOUND", f"QuickBooks has no such payment of this customer ({erp_id}).")
                return await self._relinked(payment, document)

    async def _relinked(self, payment: Payment, document: ApplicationDocument | CreditApplicationDocument) -> PostedDocument:
        assert document.lines, "an application moves at least one amount"
        change = _merged(document.lines)
        moved = moved_of(change, document.lines[0].amount.currency)

        async def planned(standing: Payment) -> Lines:
            require_lying(
                standing.onto(),
                {each: -amount for each, amount in change.items() if amount.minor < 0},
                of=f"Payment {standing.id}",
            )
            rest = standing.unapplied - total(change.values(), currency=moved.currency)
            if rest.minor < 0:
                raise Rejected("NOT_UNAPPLIED", f"Payment {standing.id} does not have that much unapplied money.")
            await self._check(document.customer_erp_id, {each: part for each, part in change.items() if part.minor > 0})
            return plus(standing.onto(), change)

        after = await self._posting.relink(payment.id, document.reference, moved, planned)
        return PostedDocument(
            erp_id=f"payment-{after.id}",
            number=str(after.row.get("PaymentRefNum") or after.id),
            amount=moved,
            reference=document.reference,
            facts={"customer_erp_id": after.customer},
        )

    async def _take_off(self, document: ReversalDocument | RefundDocument, *, on: date, is_reversal: bool) -> PostedDocument:
        lines = _merged(document.lines)

        async def planned(standing: Payment) -> Lines:
            lies, currency = standing.onto(), document.amount.currency
            whole = standing.unapplied + total(lies.values(), currency=currency)
            if document.amount > whole:
                raise Rejected("TOO_LARGE", f"Payment {standing.id} has {whole.plain()} left to take back.")
            off = lies if is_reversal and not lines and document.amount == whole else lines
            require_lying(standing.onto(), off, of=f"Payment {standing.id}")
            pool = document.amount - total(off.values(), currency=currency)
            if pool.minor < 0:
                raise Rejected("LINES_EXCEED_AMOUNT", "The lines come to more than the document.")
            if pool > standing.unapplied:
                raise Rejected("NOT_UNAPPLIED", f"Payment {standing.id} does not have that much unapplied money.")
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
        for each in await self._finding.written(reference):
            same = _same(each, amount, customer)
            return same if same.is_finished or same.entry is None else same.entry
        return None

    async def _ours(self, reference: str, customer: str) -> Payment:
        found = await self._finding.payment(reference)
        if found is None or found.customer != customer:
            raise Rejected("PAYMENT_NOT_FOUND", f"There is no standing payment with reference {reference}.")
        return found

    async def _invoices(self, ids: Iterable[str]) -> Mapping[str, Invoice]:
        return await self._documents.invoices(await self._documents.by_id(INVOICE, ids))

    async def _written(self, reference: str, invoices: Mapping[str, Invoice]) -> list[Found]:
        """What bears the reference: by its number, and by the links of its invoices, which do not lag as a query does."""
        linked = {each.id for invoice in invoices.values() for each in invoice.paying if each.reference == reference}
        shown = await self._finding.written(reference)
        hidden = linked - {each.holder.id for each in shown if each.holder is not None}
        return [*shown, *(of_payment(each, reference) for each in (await self._documents.payments(hidden)).values())]

    async def _check(self, customer: str, added: Lines, invoices: Mapping[str, Invoice] | None = None) -> None:
        """Whether those invoices can take that much more from a customer."""
        if not is_number(customer):
            raise Rejected("CUSTOMER_NOT_FOUND", f"QuickBooks has no customer {customer}.")
        found = await self._invoices(added) if invoices is None else invoices
        family = await self._reading.payers({each.customer for each in found.values()} - {customer})
        check(found, family, customer, added)


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
        raise Rejected(code, f"QuickBooks has no document {erp_id}.")
    return erp_id
