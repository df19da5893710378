"""Writing a document of Duly's: its own journal, its lines, each once, and then posted as a whole.

The journal's name and the lines' numbers follow from the document, and Business Central takes neither twice; a journal that
was posted is empty, and posting it again is refused. So each step can be made again after whatever answer was lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any, Final

from connectors.erp.business_central import wire
from connectors.erp.business_central.books import ON_ACCOUNT, PAYMENTS, Books, Journal, Posted, Said, code_of, number_of
from connectors.erp.business_central.client import NOTHING_TO_POST, BusinessCentralClient
from connectors.errors import Misconfigured, OutcomeUnknown, Rejected, Throttled, Unavailable
from domain.money import Money

_STEP: Final = 10_000


class Posting:
    """One writer of one company. Each raises ConnectorError."""

    def __init__(self, client: BusinessCentralClient, books: Books, *, balancing_account: str) -> None:
        self._client = client
        self._books = books
        self._account_number = balancing_account
        self._account: str | None = None
        self.one_at_a_time = asyncio.Lock()

    async def ready(self) -> None:
        """Raises Misconfigured where the account that money comes in on is not there."""
        await self._balancing()

    async def post(
        self,
        kind: tuple[str, str],
        reference: str,
        customer: Mapping[str, Any],
        on: date,
        said: Sequence[tuple[Said, str | None]],
    ) -> Posted:
        """Write the lines and post them; each with the id of the invoice that it pays. What comes in is below zero there."""
        account = await self._balancing()
        journal = await self._books.journal(kind, reference)
        if journal is None:
            values = {"code": code_of(reference), "displayName": reference[:50], "balancingAccountId": account}
            made = await self._client.create(kind[0], values)
            with _begun():
                journal = Journal(kind=kind, id=str(made["id"]), etag=str(made.get("@odata.etag", "*")), lines=())
        elif (found := await self._books.posted(reference)) is not None:
            # It was posted while we looked for its journal: an empty one is no unwritten one.
            return found
        with _begun():
            try:
                await self._fill(journal, reference, customer, on, said)
                await self._client.act(f"journals({journal.id})/Microsoft.NAV.post")
            except Rejected as refused:
                late = await self._books.posted(reference)
                if late is None and refused.code != NOTHING_TO_POST:
                    with _begun(but_refused=True):
                        await self._taken_away(kind, reference)
                    raise
            return await self.finished(kind, reference)

    async def finished(self, kind: tuple[str, str], reference: str) -> Posted:
        """What was posted, its empty journal taken away."""
        with _begun(but_refused=True):
            found = await self._books.posted(reference)
            if found is None:
                raise OutcomeUnknown("Business Central posted a document and does not show it.")
            await self._taken_away(kind, reference)
            return found

    async def _fill(
        self,
        journal: Journal,
        reference: str,
        customer: Mapping[str, Any],
        on: date,
        said: Sequence[tuple[Said, str | None]],
    ) -> None:
        there = {int(line["lineNumber"]): line for line in journal.lines}
        for position, (each, invoice) in enumerate(said, start=1):
            number = position * _STEP
            line = there.pop(number, None)
            if line is None:
                values = self._line(journal.kind, reference, customer, on, each, invoice)
                await self._client.create(f"{journal.path}/{journal.kind[1]}", {"lineNumber": number, **values})
            elif not _is_ours(line, each):
                raise Rejected("LINES_CHANGED", f"A person changed a line of our journal {code_of(reference)}.")
        if there:
            raise Rejected("LINES_CHANGED", f"A person added a line to our journal {code_of(reference)}.")
        # As it was made, and no other: what is in it now is what is posted.
        again = await self._books.journal(journal.kind, reference)
        waiting = again.lines if again is not None else ()
        if len(waiting) != len(said) or not all(
            _is_ours(line, each)
            for line, (each, _) in zip(sorted(waiting, key=lambda row: int(row["lineNumber"])), said, strict=True)
        ):
            raise Rejected("LINES_CHANGED", f"A person changed our journal {code_of(reference)}.")

    def _line(
        self,
        kind: tuple[str, str],
        reference: str,
        customer: Mapping[str, Any],
        on: date,
        said: Said,
        invoice: str | None,
    ) -> wire.Wire:
        values: wire.Wire = {
            "postingDate": on.isoformat(),
            "documentNumber": number_of(reference),
            "externalDocumentNumber": reference[:35],
            "amount": -said.amount,
            "description": said.text(),
        }
        if kind == PAYMENTS:
            values |= {"customerId": customer["id"]}
            if invoice is not None:
                values |= {"appliesToInvoiceId": invoice}
        else:
            values |= {"accountType": "Customer", "accountNumber": customer["number"]}
        return values

    async def _taken_away(self, kind: tuple[str, str], reference: str) -> None:
        """Nothing of ours waits there any more. A journal that a person changed meanwhile stays, and is told."""
        journal = await self._books.journal(kind, reference)
        if journal is not None:
            await self._client.delete(journal.path, journal.etag)

    async def _balancing(self) -> str:
        if self._account is None:
            wanted = f"number eq {wire.quoted(self._account_number)}"
            rows = await self._client.rows("accounts", {"filter": wanted, "select": "id,number"})
            if len(rows) != 1:
                raise Misconfigured(f"Business Central has no G/L account {self._account_number}.")
            self._account = str(rows[0]["id"])
        return self._account


@contextmanager
def _begun(*, but_refused: bool = False) -> Iterator[None]:
    """Something of the document may be there already: that nothing happened is no longer true, and (`but_refused`) not even
    where they say no.
    """
    try:
        yield
    except (Unavailable, Throttled, Misconfigured, KeyError, TypeError, ValueError, IndexError) as silent:
        raise OutcomeUnknown("Business Central stopped answering in the middle of a document.") from silent
    except Rejected as refused:
        if but_refused:
            raise OutcomeUnknown(f"A document of ours is in Business Central in part: {refused.sentence}") from refused
        raise


def _is_ours(line: Mapping[str, Any], said: Said) -> bool:
    amount = wire.amount(line["amount"], said.amount.currency)
    return Said.read(line["description"]) == said and amount == -said.amount


def on_account(reference: str, amount: Money) -> Said:
    """A line that is for no invoice."""
    return Said(reference=reference, amount=amount, about=ON_ACCOUNT)
