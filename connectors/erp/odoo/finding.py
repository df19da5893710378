"""Documents of Duly's in Odoo's books, by their reference; and where the money of one payment or credit stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from connectors.erp.odoo import wire
from connectors.erp.odoo.client import OdooClient
from connectors.erp.odoo.documents import Documents, Line, Mark, is_number
from domain.money import Money

_CANCELLED: Final = frozenset({"cancel", "canceled", "rejected"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One amount of a document: a payment of Odoo's, or a line of an entry. Credit positive."""

    mark: Mark | None
    amount: Money
    line: Line | None
    is_draft: bool
    stands: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Everything that one document of ours consists of: payments written together, or one entry (`entry` is its id).

    `is_draft`: begun and never posted. `stands` is False where a person took it back.
    """

    id: int
    number: str
    reference: str
    customer: int
    on: date
    parts: tuple[Part, ...]
    payments: tuple[int, ...]
    entry: int | None
    is_finished: bool

    @property
    def is_draft(self) -> bool:
        return all(part.is_draft for part in self.parts)

    @property
    def stands(self) -> bool:
        return any(part.stands for part in self.parts)

    @property
    def marks(self) -> tuple[Mark, ...]:
        return tuple(part.mark for part in self.parts if part.mark is not None)

    @property
    def amount(self) -> Money:
        """What came in or went out; of an entry, what it puts somewhere. What a person took back is not in it."""
        parts = [part for part in self.parts if part.stands] or self.parts
        whole = Money.zero(parts[0].amount.currency)
        for part in parts:
            if self.entry is None:
                whole += part.amount if part.amount.minor > 0 else -part.amount
            elif part.amount.minor > 0:
                whole += part.amount
        return whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where the money of a payment or of a credit is by now: on invoices, and still with the customer (and on which
    account).
    """

    onto: Mapping[int, Money]
    pool: Money
    pool_account: int | None

    @property
    def whole(self) -> Money:
        """All that is left of it."""
        whole = self.pool
        for amount in self.onto.values():
            whole += amount
        return whole


class Finding:
    """Look-ups by reference. Each raises ConnectorError, and ValueError or KeyError on what is malformed."""

    def __init__(self, client: OdooClient, documents: Documents) -> None:
        self._client = client
        self._documents = documents

    async def documents(self, reference: str) -> list[Found]:
        """Every document that bears the reference, the oldest first."""
        setup = await self._client.setup()
        ours = [("company_id", "=", setup.company)]
        fields = (
            *("name", "state", "amount", "currency_id", "payment_type", "partner_id", "payment_reference", "move_id"),
            "date",
        )
        payments = await self._client.rows("account.payment", [(setup.memo, "=", reference), *ours], fields)
        entries = await self._client.rows(
            "account.move", [("ref", "=", reference), ("move_type", "=", "entry"), *ours], ["name", "state", "posted_before"]
        )
        of_payments = {wire.linked(row["move_id"]) for row in payments}
        moves = {row["id"]: row for row in entries if row["id"] not in of_payments}
        wanted = sorted({*(each for each in of_payments if each is not None), *moves})
        lines = await self._documents.lines(("move_id", "in", wanted)) if wanted else []
        taken_back = await self.taken_back(wanted)
        found = [await self._of_payments(reference, rows, lines, taken_back) for rows in _written_together(payments)]
        for move, row in moves.items():
            own = [line for line in lines if line.move == move]
            if own:
                found.append(await self._of_entry(reference, row, own, stands=move not in taken_back))
        return found

    async def standing(self, key: str, currency: str) -> Standing:
        """Where that money is, as posted."""
        lines = await self.money(key)
        settled = await self.on_invoices(lines)
        onto: dict[int, Money] = {}
        for invoice, amount in ((each.move, amount) for each, _, amount in settled):
            onto[invoice] = onto.get(invoice, Money.zero(currency)) + amount
        pool = Money.zero(currency)
        account = None
        for line in lines:
            if line.amount.currency == currency and line.residual.minor:
                pool += line.residual
                account = line.account if line.residual.minor > 0 and account is None else account
        return Standing(
            onto={each: amount for each, amount in onto.items() if amount.minor}, pool=pool, pool_account=account
        )

    async def money(self, key: str) -> list[Line]:
        """Every posted line of that money, and of a credit the lines that it came with."""
        lines = await self._documents.lines_of(key)
        kind, _, number = key.partition("-")
        if kind in {"invoice", "line"} and is_number(number):
            field = "move_id" if kind == "invoice" else "id"
            lines += await self._documents.lines((field, "=", int(number)), ("parent_state", "=", "posted"))
        return lines

    async def on_invoices(self, lines: Sequence[Line]) -> list[tuple[Line, tuple[int, Line], Money]]:
        """What those credits have on invoices: the invoice's line, (partial, credit), and how much of the credit."""
        credits_by_id = {line.id: line for line in lines if line.amount.minor > 0}
        partials = [each for each in await self._documents.partials(credits_by_id) if each.credit in credits_by_id]
        debits = await self._documents.lines_by_id(each.debit for each in partials)
        found = []
        for each in partials:
            credit, debit = credits_by_id[each.credit], debits.get(each.debit)
            if debit is not None and debit.kind == "out_invoice":
                found.append((debit, (each.id, credit), wire.amount(each.credit_amount, credit.amount.currency)))
        return found

    async def has_followers(self, reference: str) -> bool:
        """Whether a document of ours names this one as the one that came back."""
        setup = await self._client.setup()
        domain = [("payment_reference", "=like", f"% {follows(reference)} %"), ("company_id", "=", setup.company)]
        rows = await self._client.rows("account.payment", domain, ["payment_reference", "state"])
        named = [row for row in rows if f" {follows(reference)} " in row["payment_reference"]]
        return any(row["state"] not in {"draft", *_CANCELLED} for row in named)

    async def is_settled(self, marks: Sequence[Mark], own: Sequence[Line]) -> bool:
        """Whether nothing is left to do for a document: its debits took what they should, and what is meant for an invoice
        is on it, as far as the invoice is open.
        """
        if any(line.residual.minor < 0 for line in own):
            return False
        targets = {mark.target for mark in marks if mark.target is not None}
        waiting = {
            line.mark.target
            for key in sorted({mark.key for mark in marks if mark.target is not None})
            for line in await self._documents.lines_of(key)
            if line.mark is not None
            and line.residual.minor > 0
            and line.mark.target is not None
            and line.mark.target in targets
        }
        return not waiting or not await self._documents.open_among(each for each in targets if each in waiting)

    async def _of_payments(
        self, reference: str, rows: Sequence[wire.Wire], lines: Sequence[Line], taken_back: set[int]
    ) -> Found:
        parts = []
        for row in rows:
            own = next((line for line in lines if line.payment == row["id"]), None)
            amount = wire.amount(row["amount"], wire.named(row["currency_id"]) or "")
            was_posted = own is not None and own.was_posted
            parts.append(
                Part(
                    mark=Mark.parsed(row["payment_reference"]),
                    amount=amount if row["payment_type"] == "inbound" else -amount,
                    line=own if own is not None and own.is_posted else None,
                    is_draft=row["state"] == "draft" and not was_posted,
                    stands=row["state"] not in {"draft", *_CANCELLED} and wire.linked(row["move_id"]) not in taken_back,
                )
            )
        marks = [part.mark for part in parts if part.mark is not None]
        posted = [part.line for part in parts if part.line is not None]
        is_begun = any(part.is_draft for part in parts)
        return Found(
            id=rows[0]["id"],
            number=wire.text(rows[0]["name"]) or f"draft {rows[0]['id']}",
            reference=reference,
            customer=wire.linked(rows[0]["partner_id"]) or 0,
            on=wire.day(rows[0]["date"]),
            parts=tuple(parts),
            payments=tuple(row["id"] for row in rows),
            entry=None,
            is_finished=not is_begun and await self.is_settled(marks, posted),
        )

    async def _of_entry(self, reference: str, row: wire.Wire, lines: Sequence[Line], *, stands: bool) -> Found:
        is_draft = row["state"] == "draft" and not row["posted_before"]
        stands = stands and row["state"] == "posted"
        parts = tuple(
            Part(mark=line.mark, amount=line.amount, line=line, is_draft=is_draft, stands=stands) for line in lines
        )
        marks = [line.mark for line in lines if line.mark is not None]
        return Found(
            id=row["id"],
            number=wire.text(row["name"]) or f"draft {row['id']}",
            reference=reference,
            customer=lines[0].customer or 0,
            on=lines[0].on,
            parts=parts,
            payments=(),
            entry=row["id"],
            is_finished=not is_draft and (not stands or await self.is_settled(marks, lines)),
        )

    async def taken_back(self, moves: Sequence[int]) -> set[int]:
        """Of these, what a person took back with Odoo's own wizard: another posted entry names it as reversed."""
        if not moves:
            return set()
        rows = await self._client.rows(
            "account.move", [("reversed_entry_id", "in", list(moves)), ("state", "=", "posted")], ["reversed_entry_id"]
        )
        return {row["reversed_entry_id"][0] for row in rows}


def follows(reference: str) -> str:
    """How a payment says which document of ours it takes back, after its mark."""
    return f"~{reference}"


def _written_together(rows: Sequence[wire.Wire]) -> list[list[wire.Wire]]:
    """Payments of one reference, by document: the second time that a part is there, it is another document's."""
    written: list[list[wire.Wire]] = []
    seen: dict[str, int] = {}
    for row in rows:
        mark = str(row["payment_reference"])
        number = seen.get(mark, 0)
        seen[mark] = number + 1
        if number == len(written):
            written.append([])
        written[number].append(row)
    return written
