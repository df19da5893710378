"""Credit memos onto invoices and off them again: QuickBooks does it by payments of zero that name both."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from connectors.erp.lines import Lines, moved_of
from connectors.erp.ports import CreditApplicationDocument
from connectors.erp.quickbooks import references, wire
from connectors.erp.quickbooks.client import QuickBooksClient
from connectors.erp.quickbooks.documents import INVOICE, MEMO, Documents, Payment, currency_of
from connectors.erp.quickbooks.finding import Finding, Found
from connectors.erp.quickbooks.posting import Posting, begun, credit_line, payment_lines
from connectors.errors import Rejected
from domain.money import Money, total


class CreditsOnto:
    """One writer's view of credit memos; its caller holds the lock."""

    def __init__(
        self,
        client: QuickBooksClient,
        documents: Documents,
        posting: Posting,
        finding: Finding,
        check: Callable[[str, Lines], Awaitable[object]],
    ) -> None:
        self._client = client
        self._documents = documents
        self._posting = posting
        self._finding = finding
        self._check = check

    async def post(self, document: CreditApplicationDocument, memo_id: str, change: Lines) -> Found:
        """Put a memo on invoices by amounts, or take it off where they are negative. Raises ConnectorError."""
        assert document.lines, "an application moves at least one amount"
        row = await self._client.one(MEMO, memo_id)
        if row is None or str(row["CustomerRef"]["value"]) != document.customer_erp_id:
            raise Rejected("CREDIT_NOT_FOUND", f"QuickBooks has no credit memo {memo_id} of this customer.")
        currency = currency_of(row, await self._documents.home())
        for earlier in await self._finding.written(document.reference):
            if earlier.stands:
                return earlier
        if all(amount.minor > 0 for amount in change.values()):
            return await self._put_on(document, row, currency, change)
        return await self._move(document, row, currency, change)

    async def _put_on(self, document: CreditApplicationDocument, row: wire.Wire, currency: str, onto: Lines) -> Found:
        await self._check(document.customer_erp_id, onto)
        moved = total(onto.values(), currency=currency)
        _is_left(row, moved, currency)
        body = {
            "CustomerRef": {"value": document.customer_erp_id},
            **await self._documents.in_currency(currency),
            "TotalAmt": Money.zero(currency),
            "TxnDate": document.on.isoformat(),
            "PaymentRefNum": references.number(references.owner(document.reference)),
            "PrivateNote": references.headed(document.reference, document.memo),
            "Line": [*payment_lines(onto), credit_line(str(row["Id"]), moved)],
        }
        made = await self._posting.create(body, document.reference)
        return Found(
            id=made.id,
            number=made.number,
            reference=made.reference,
            amount=moved,
            customer=made.customer,
            holder=made.holder,
        )

    async def _move(self, document: CreditApplicationDocument, row: wire.Wire, currency: str, change: Lines) -> Found:
        """Take off, and put what was taken off elsewhere: as it shall be in the end is written down first."""
        memo_id, note = str(row["Id"]), str(row.get("PrivateNote") or "")
        moved = moved_of(change, currency)
        plan: Mapping[str, Lines] = {}
        if not any(each.reference == document.reference for each in references.marks_of(note)):
            plan = await self._plan(row, currency, change)
            await self._check(document.customer_erp_id, {each: part for each, part in change.items() if part.minor > 0})
        told = await self._posting.mark_memo(memo_id, document.reference, moved, plan)
        with begun(but_refused=True):
            for each, onto in told.items():
                shall = {at: wire.amount(amount, currency) for at, amount in onto.items()}
                left = {at: amount for at, amount in shall.items() if amount.minor}
                await self._posting.lower(each, memo_id, left)
        number = str(row.get("DocNumber") or memo_id)
        return Found(
            id=f"memo-{memo_id}",
            number=number,
            reference=document.reference,
            amount=moved,
            customer=document.customer_erp_id,
        )

    async def _plan(self, row: wire.Wire, currency: str, change: Lines) -> Mapping[str, Lines]:
        """What shall lie on invoices by each payment of zero that is touched."""
        linked = [str(each["TxnId"]) for each in row.get("LinkedTxn", ()) if each["TxnType"] == "Payment"]
        standing = await self._documents.payments(linked)
        after = {each.id: dict(each.onto()) for each in standing.values() if _is_of(each, str(row["Id"]))}
        touched: dict[str, None] = {}
        for invoice, amount in change.items():
            left = -amount.minor
            for each, onto in after.items():
                take = min(max(left, 0), onto[invoice].minor if invoice in onto else 0)
                if take:
                    onto[invoice] -= Money.of(take, currency)
                    touched[each], left = None, left - take
            if amount.minor < 0 and left:
                raise Rejected("NOT_APPLIED", f"That credit memo does not have that much on invoice {invoice} by itself.")
        first = next(iter(touched))
        for invoice, amount in change.items():
            if amount.minor > 0:
                after[first][invoice] = after[first].get(invoice, Money.zero(currency)) + amount
        more = total(after[first].values(), currency=currency) - total(standing[first].onto().values(), currency=currency)
        _is_left(row, more, currency)
        return {each: after[each] for each in touched}


def _is_of(payment: Payment, memo_id: str) -> bool:
    """Whether a payment moves nothing but this memo: only then is it known what lies where."""
    others = [link for link in payment.links if link.kind != INVOICE and (link.kind, link.id) != (MEMO, memo_id)]
    return payment.stands and not payment.total.minor and not others and bool(payment.links)


def _is_left(row: wire.Wire, wanted: Money, currency: str) -> None:
    left = wire.amount(row.get("RemainingCredit", row.get("Balance")), currency)
    if wanted > left:
        raise Rejected("NOT_UNAPPLIED", f"Credit memo {row.get('DocNumber') or row['Id']} has {left.plain()} left.")
