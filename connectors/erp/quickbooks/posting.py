"""Writing Duly's documents into QuickBooks's books, once.

| Document | What is written |
|---|---|
| payment | a Payment, whole in one call |
| application | a full update of that Payment: its lines and a mark, in one call |
| return, refund, refund that came back | a JournalEntry that bears the reference, then an update that links the Payment |
| credit memo onto invoices | a Payment of zero with lines to both |
| credit memo off invoices | a mark on the memo that says what shall be, then an update of the Payment that puts it there |

Everything is looked for before it is written. A version that somebody else changed meanwhile is read and planned anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, TypeVar

from connectors.erp.lines import Lines
from connectors.erp.quickbooks import references, wire
from connectors.erp.quickbooks.client import NOT_FOUND, STALE, QuickBooksClient
from connectors.erp.quickbooks.documents import ENTRY, INVOICE, Documents, Invoice, Payment, payment
from connectors.erp.quickbooks.finding import Entry, Found, entry_of
from connectors.errors import Misconfigured, OutcomeUnknown, Rejected, Throttled, Unavailable
from domain.money import Money

T = TypeVar("T")
"""What lies, or shall lie, on invoices, by their ids."""

_TRIES: Final = 5
_READ_ONLY: Final = ("UnappliedAmt", "MetaData", "domain", "sparse", "LinkedTxn", "status", "TxnStatus")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cash:
    """Money that goes back out of a payment of ours, or comes into it again (`is_out` False), and on which day."""

    reference: str
    about: str
    customer: str
    amount: Money
    on: date
    memo: str
    is_out: bool


class Posting:
    """One writer of one company: two documents at once would read each other's half."""

    def __init__(self, client: QuickBooksClient, documents: Documents, *, deposit_account: str) -> None:
        self._client = client
        self._documents = documents
        self._deposit_account = deposit_account
        self._deposit: str | None = None
        self.one_at_a_time = asyncio.Lock()

    async def ready(self) -> None:
        """Raises Misconfigured where there is no such account to write to."""
        await self.deposit()

    async def deposit(self) -> str:
        """The id of the account where payments wait for the bank."""
        if self._deposit is None:
            self._deposit = await self._documents.account(self._deposit_account)
        return self._deposit

    # ------------------------------------------------------------ a payment

    async def create(self, body: Mapping[str, object], reference: str) -> Found:
        """A payment that nobody wrote before. An answer is not believed by itself: a request's id may play back one that
        was deleted since.
        """
        for salt in ("", "again"):
            made = await self._client.write("Payment", body, salt=salt)
            with begun():
                standing = await self._documents.payments([str(made["Id"])])
                found = standing.get(str(made["Id"]))
            if found is not None and found.reference == reference and found.stands:
                return await self._shown(found, reference)
        raise OutcomeUnknown("QuickBooks answered with a payment that it does not have.")

    async def _shown(self, found: Payment, reference: str) -> Found:
        return Found(
            id=f"payment-{found.id}",
            number=str(found.row["PaymentRefNum"]),
            reference=reference,
            amount=found.total,
            customer=found.customer,
            holder=found,
        )

    # ------------------------------------------------------------ links of a payment

    async def relink(
        self, payment_id: str, reference: str, moved: Money, planned: Callable[[Payment], Awaitable[Lines]]
    ) -> Payment:
        """Change what lies on invoices of a payment, and leave our mark with it, in one call.

        `planned` reads how it stands and answers how it shall; it is asked again where somebody changed it meanwhile.
        """

        async def once() -> Payment:
            standing = await self._fresh(payment_id)
            if any(each.reference == reference for each in references.marks_of(standing.note)):
                return standing
            onto = await planned(standing)
            note = references.marked(standing.note, reference, moved)
            return await self._update(standing, _with_invoices(standing, onto), note)

        return await self._until_fresh(once)

    async def move_cash(
        self, cash: Cash, payment_id: str, planned: Callable[[Payment], Awaitable[Lines]], earlier: Entry | None
    ) -> Found:
        """A journal entry of money that goes or comes, then its payment linked with it. `earlier` is an entry that was
        written before and not linked.
        """
        entry = earlier
        if entry is None:
            await planned(await self._fresh(payment_id))
            entry = await self._enter(cash)
        with begun():
            try:
                await self._link(payment_id, entry, planned)
            except Rejected:
                # The entry alone would be money that moved and lies nowhere.
                with begun(but_refused=True):
                    current = await self._client.one(ENTRY, entry.id)
                    if current is not None:
                        body = {"Id": entry.id, "SyncToken": current["SyncToken"]}
                        await self._client.write(ENTRY, body, operation="delete")
                raise
        return Found(
            id=f"journal-{entry.id}",
            number=str(entry.row["DocNumber"]),
            reference=cash.reference,
            amount=entry.amount,
            customer=entry.customer,
            entry=entry,
        )

    async def _enter(self, cash: Cash) -> Entry:
        currency = cash.amount.currency
        receivable, deposit = await self._documents.receivable(currency), await self.deposit()
        sides = ("Debit", "Credit") if cash.is_out else ("Credit", "Debit")
        customer = {"Type": "Customer", "EntityRef": {"value": cash.customer}}
        body = {
            "DocNumber": references.number(cash.reference),
            "TxnDate": cash.on.isoformat(),
            "PrivateNote": references.headed(cash.reference, cash.memo, about=cash.about),
            **await self._documents.in_currency(currency),
            "Line": [
                _entry_line(cash, {"PostingType": sides[0], "AccountRef": {"value": receivable}, "Entity": customer}),
                _entry_line(cash, {"PostingType": sides[1], "AccountRef": {"value": deposit}}),
            ],
        }
        home = await self._documents.home()
        for salt in ("", "again"):
            made = await self._client.write(ENTRY, body, salt=salt)
            with begun():
                row = await self._client.one(ENTRY, str(made["Id"]))
                entry = entry_of(row, home) if row is not None else None
            if entry is not None and entry.reference == cash.reference:
                return entry
        raise OutcomeUnknown("QuickBooks answered with a journal entry that it does not have.")

    async def _link(self, payment_id: str, entry: Entry, planned: Callable[[Payment], Awaitable[Lines]]) -> Payment:
        async def once() -> Payment:
            standing = await self._fresh(payment_id)
            if entry.id in standing.onto(ENTRY):
                return standing
            lines = [*_with_invoices(standing, await planned(standing)), _line(ENTRY, entry.id, entry.amount)]
            return await self._update(standing, lines, standing.note)

        return await self._until_fresh(once)

    # ------------------------------------------------------------ a credit memo

    async def mark_memo(
        self, memo_id: str, reference: str, moved: Money, plan: Mapping[str, Lines]
    ) -> Mapping[str, Mapping[str, str]]:
        """Our mark on a credit memo, and nothing else of it; answers the plan that is written there, which may be older."""

        async def once() -> Mapping[str, Mapping[str, str]]:
            row = await self._client.one("CreditMemo", memo_id)
            if row is None:
                raise Rejected("CREDIT_NOT_FOUND", f"QuickBooks has no credit memo {memo_id}.")
            note = str(row.get("PrivateNote") or "")
            for each in references.marks_of(note):
                if each.reference == reference:
                    return each.plan
            noted = references.marked(note, reference, moved, plan)
            body = {"Id": memo_id, "SyncToken": row["SyncToken"], "sparse": True, "PrivateNote": noted}
            await self._client.write("CreditMemo", body)
            (mark,) = (each for each in references.marks_of(noted) if each.reference == reference)
            return mark.plan

        return await self._until_fresh(once)

    async def lower(self, payment_id: str, memo_id: str, onto: Lines) -> None:
        """What a payment of zero puts on invoices from one credit memo, as it shall be; with nothing left it is deleted."""

        async def once() -> None:
            found = (await self._documents.payments([payment_id])).get(payment_id)
            if found is None or not found.stands or found.onto() == dict(onto):
                return
            if not onto:
                body = {"Id": found.id, "SyncToken": found.version}
                await self._client.write("Payment", body, operation="delete")
                return
            rest = Money.zero(found.total.currency)
            for amount in onto.values():
                rest += amount
            lines = [*(_line(INVOICE, each, amount) for each, amount in onto.items()), _line("CreditMemo", memo_id, rest)]
            await self._update(found, lines, found.note)

        await self._until_fresh(once)

    # ------------------------------------------------------------ all

    async def _fresh(self, payment_id: str) -> Payment:
        found = (await self._documents.payments([payment_id])).get(payment_id)
        if found is None or not found.stands:
            raise Rejected("PAYMENT_NOT_FOUND", f"QuickBooks has no standing payment {payment_id}.")
        return found

    async def _update(self, standing: Payment, lines: Sequence[wire.Wire], note: str) -> Payment:
        """A full update: what is not sent would be emptied, so everything that was read goes back."""
        kept = {name: each for name, each in standing.row.items() if name not in _READ_ONLY}
        body = {**kept, "PrivateNote": note, "Line": list(lines), "sparse": False}
        written = await self._client.write("Payment", body)
        with begun():
            return payment(written, standing.total.currency)

    async def _until_fresh(self, once: Callable[[], Awaitable[T]]) -> T:
        for _ in range(_TRIES):
            try:
                return await once()
            except Rejected as refused:
                if refused.code != STALE:
                    raise
        raise Unavailable("Somebody keeps changing the same document in QuickBooks; nothing was done.")


@contextmanager
def begun(*, but_refused: bool = False) -> Iterator[None]:
    """Something of the document may be there already: that nothing happened is no longer true, and (`but_refused`) not even
    where they say no.
    """
    try:
        yield
    except (Unavailable, Throttled, Misconfigured, KeyError, TypeError, ValueError) as silent:
        raise OutcomeUnknown("QuickBooks stopped answering in the middle of a document.") from silent
    except Rejected as refused:
        if but_refused and refused.code != NOT_FOUND:
            raise OutcomeUnknown("QuickBooks keeps a journal entry of ours that it does not give back.") from refused
        raise


def check(invoices: Mapping[str, Invoice], family: Mapping[str, str], customer: str, added: Lines) -> None:
    """What QuickBooks would refuse, or take and must not. `family` names who pays for whom, by customers' ids."""
    for each, amount in added.items():
        invoice = invoices.get(each)
        if invoice is None:
            raise Rejected("INVOICE_NOT_FOUND", f"QuickBooks has no invoice {each}.")
        number = invoice.row.get("DocNumber") or each
        if customer not in {invoice.customer, family.get(invoice.customer)}:
            raise Rejected("OTHER_CUSTOMER", f"Invoice {number} belongs to another customer.")
        if invoice.currency != amount.currency:
            raise Rejected("OTHER_CURRENCY", f"Invoice {number} is in {invoice.currency}.")
        if amount > invoice.open:
            raise Rejected("OVER_APPLIED", f"Invoice {number} has {invoice.open.plain()} open, less than {amount.plain()}.")


def payment_lines(onto: Lines) -> list[wire.Wire]:
    """The lines of a payment over invoices."""
    return [_line(INVOICE, each, amount) for each, amount in onto.items()]


def credit_line(memo_id: str, amount: Money) -> wire.Wire:
    """The line of a payment that takes from a credit memo."""
    return _line("CreditMemo", memo_id, amount)


def _line(kind: str, erp_id: str, amount: Money) -> wire.Wire:
    return {"Amount": amount, "LinkedTxn": [{"TxnId": erp_id, "TxnType": kind}]}


def _with_invoices(standing: Payment, onto: Lines) -> list[wire.Wire]:
    """A payment's lines with other amounts on invoices; its lines for anything else stay as they are."""
    others = [
        line
        for line in standing.row.get("Line", ())
        if not any(linked["TxnType"] == INVOICE for linked in line.get("LinkedTxn", ()))
    ]
    return [*payment_lines({each: amount for each, amount in onto.items() if amount.minor}), *others]


def _entry_line(cash: Cash, detail: Mapping[str, Any]) -> wire.Wire:
    return {
        "DetailType": "JournalEntryLineDetail",
        "Amount": cash.amount,
        "Description": cash.memo,
        "JournalEntryLineDetail": dict(detail),
    }
