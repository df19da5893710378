"""Writing Duly's documents into NetSuite's books, once.

| Document | What is written |
|---|---|
| payment | a customer payment under its external id, whole in one call |
| application of unapplied money or of a credit memo | those lines of its list that change, and a mark, in one call |
| return, refund, refund that came back | a journal entry under its external id, then the payment's list ticks it |

A write under an external id changes the record that has it already. So it is asked for first, and written only after a 404.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Final

from connectors.erp.lines import Lines
from connectors.erp.netsuite import references, wire
from connectors.erp.netsuite.client import NetSuiteClient
from connectors.erp.netsuite.documents import ENTRY, PAYMENT, Documents, Holder, Open
from connectors.erp.netsuite.finding import Entry, Finding, Found, of_payment
from connectors.errors import Misconfigured, OutcomeUnknown, Rejected, Throttled, Unavailable
from domain.money import Money

"""What lies, or shall lie, on invoices, by their ids."""

_GONE: Final = "HTTP_404"


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
    """One writer of one account: two documents at once would read each other's half."""

    def __init__(
        self,
        client: NetSuiteClient,
        documents: Documents,
        finding: Finding,
        *,
        deposit_account: str,
        receivable_account: str,
    ) -> None:
        self._client = client
        self._documents = documents
        self._finding = finding
        self._deposit, self._receivable = deposit_account, receivable_account
        self.one_at_a_time = asyncio.Lock()

    async def create(self, reference: str, customer: str, amount: Money, on: date, memo: str, onto: Lines) -> Found:
        """A payment that nobody wrote before."""
        body = {
            "customer": {"id": customer},
            "currency": {"id": await self._documents.currency_id(amount.currency)},
            "payment": amount,
            "tranDate": on.isoformat(),
            "memo": references.memo_of(references.headed(reference, memo)),
            "account": {"id": self._deposit},
            "autoApply": False,
            "apply": {"items": [_ticked(each, part) for each, part in onto.items()]},
        }
        await self._client.write("PUT", f"/{PAYMENT}/eid:{reference}", body)
        with begun():
            found = await self._documents.holder(PAYMENT, f"eid:{reference}")
            if found is None:
                raise OutcomeUnknown("NetSuite says that it wrote a payment, and does not show it.")
            return of_payment(found, reference)

    async def relink(
        self,
        kind: str,
        erp_id: str,
        reference: str,
        moved: Money,
        planned: Callable[[Holder], Awaitable[Lines]],
    ) -> Holder:
        """Change what lies on invoices of a payment or a credit memo, and leave our mark with it, in one call."""
        standing = await self._fresh(kind, erp_id)
        if any(each.reference == reference for each in references.marks_of(standing.note)):
            return standing
        lines = _changes(standing.onto, await planned(standing))
        memo = references.memo_of(references.marked(standing.note, reference, moved))
        await self._client.write("PATCH", f"/{kind}/{erp_id}", {"memo": memo, "apply": {"items": lines}})
        return standing

    async def move_cash(
        self, cash: Cash, payment_id: str, planned: Callable[[Holder], Awaitable[Lines]], earlier: Entry | None
    ) -> Found:
        """A journal entry of money that goes or comes, then its payment linked with it."""
        entry = earlier
        if entry is None:
            await planned(await self._fresh(PAYMENT, payment_id))
            entry = await self._enter(cash)
        with begun():
            try:
                await self._link(payment_id, entry, planned)
            except Rejected:
                # The entry alone would be money that moved and lies nowhere.
                with begun(but_refused=True):
                    await self._client.write("DELETE", f"/{ENTRY}/{entry.id}", None)
                raise
        return Found(
            id=f"journal-{entry.id}",
            number=entry.number,
            reference=cash.reference,
            amount=entry.amount,
            customer=entry.customer,
            entry=entry,
        )

    async def _enter(self, cash: Cash) -> Entry:
        ours, theirs = ("debit", "credit") if cash.is_out else ("credit", "debit")
        body = {
            "tranDate": cash.on.isoformat(),
            "currency": {"id": await self._documents.currency_id(cash.amount.currency)},
            "memo": references.memo_of(references.headed(cash.reference, cash.memo, about=cash.about)),
            "line": {
                "items": [
                    {"account": {"id": self._receivable}, ours: cash.amount, "entity": {"id": cash.customer}},
                    {"account": {"id": self._deposit}, theirs: cash.amount},
                ]
            },
        }
        await self._client.write("PUT", f"/{ENTRY}/eid:{cash.reference}", body)
        with begun():
            entry = await self._finding.entry(cash.reference)
            if entry is None:
                raise OutcomeUnknown("NetSuite says that it wrote a journal entry, and does not show it.")
            return entry

    async def _link(self, payment_id: str, entry: Entry, planned: Callable[[Holder], Awaitable[Lines]]) -> None:
        standing = await self._fresh(PAYMENT, payment_id)
        if entry.id in {*standing.entries, *standing.given}:
            return
        lines = _changes(standing.onto, await planned(standing))
        ticked = _ticked(entry.id, entry.amount)
        body: wire.Wire = {"apply": {"items": [*lines, ticked] if entry.is_out else lines}}
        if not entry.is_out:
            body["credit"] = {"items": [ticked]}
        await self._client.write("PATCH", f"/{PAYMENT}/{payment_id}", body)

    async def _fresh(self, kind: str, erp_id: str) -> Holder:
        found = await self._documents.holder(kind, erp_id)
        if found is None or found.is_void:
            raise Rejected("DOCUMENT_NOT_FOUND", f"NetSuite has no standing {kind} {erp_id}.")
        return found


@contextmanager
def begun(*, but_refused: bool = False) -> Iterator[None]:
    """Something of the document may be there already: that nothing happened is no longer true, and (`but_refused`) not even
    where they say no.
    """
    try:
        yield
    except (Unavailable, Throttled, Misconfigured, KeyError, TypeError, ValueError) as silent:
        raise OutcomeUnknown("NetSuite stopped answering in the middle of a document.") from silent
    except Rejected as refused:
        if but_refused and refused.code != _GONE:
            raise OutcomeUnknown("NetSuite keeps a journal entry of ours that it does not give back.") from refused
        raise


def check(invoices: Mapping[str, Open], customer: str, added: Lines) -> None:
    """What NetSuite would refuse, or take and must not."""
    for each, amount in added.items():
        invoice = invoices.get(each)
        if invoice is None:
            raise Rejected("INVOICE_NOT_FOUND", f"NetSuite has no invoice {each}.")
        if customer not in {invoice.customer, invoice.parent}:
            raise Rejected("OTHER_CUSTOMER", f"Invoice {invoice.number} belongs to another customer.")
        if invoice.open.currency != amount.currency:
            raise Rejected("OTHER_CURRENCY", f"Invoice {invoice.number} is in {invoice.open.currency}.")
        if amount > invoice.open:
            told = f"Invoice {invoice.number} has {invoice.open.plain()} open, less than {amount.plain()}."
            raise Rejected("OVER_APPLIED", told)


def _ticked(erp_id: str, amount: Money) -> wire.Wire:
    return {"doc": {"id": erp_id}, "apply": True, "amount": amount}


def _changes(lies: Lines, shall: Lines) -> list[wire.Wire]:
    """Only the lines that change: a list that is sent whole would undo what a person did meanwhile."""
    changed = [_ticked(each, amount) for each, amount in shall.items() if amount.minor and lies.get(each) != amount]
    return [*changed, *({"doc": {"id": each}, "apply": False} for each in lies if each not in shall)]
