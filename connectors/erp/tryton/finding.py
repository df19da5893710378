"""Documents of Duly's in Tryton's books, by their reference; and where the money of one payment stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connectors.erp.tryton.client import TrytonClient
from connectors.erp.tryton.documents import LINE_FIELDS, Documents, MoveLine, move_line
from domain.ids import is_our_reference
from domain.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A move that bears a reference of ours. `invoices` are those that its lines are on, `keys` whose money it moves;
    `stands` is False where a person took it back.
    """

    move: int
    number: str
    reference: str
    amount: Money
    party: int
    is_posted: bool
    is_finished: bool
    stands: bool
    invoices: tuple[int, ...]
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where the money of a payment or of a credit is by now: on invoices, and still with the customer."""

    onto: Mapping[int, Money]
    pool: Money

    @property
    def whole(self) -> Money:
        """All that is left of it."""
        whole = self.pool
        for amount in self.onto.values():
            whole += amount
        return whole


class Finding:
    """Look-ups by reference. Each raises ConnectorError, and ValueError or KeyError on what is malformed."""

    def __init__(self, client: TrytonClient) -> None:
        self._client = client
        self._documents = Documents(client)

    async def documents(self, reference: str) -> list[Found]:
        """Every document that bears the reference, the oldest first. What Tryton's own wizard wrote to take one back bears
        it too, and is none.
        """
        rows = await self._client.rows("account.move", [("description", "=", reference)], ["origin"])
        moves = {row["id"]: row["origin"] for row in rows}
        copies = {each for each, origin in moves.items() if move_of(origin) in moves}
        ours = sorted(moves.keys() - copies)
        if not ours:
            return []
        found = await self._client.rows(
            "account.move.line", [("move", "in", ours)], [*LINE_FIELDS, "account.type.receivable"]
        )
        taken_back = await self.taken_back(ours)
        grouped: dict[int, list[tuple[MoveLine, bool]]] = {each: [] for each in ours}
        for row in found:
            is_receivable = bool(row["account."]["type."]["receivable"])
            grouped[row["move."]["id"]].append((move_line(row), is_receivable))
        return [
            await self._found(reference, lines, stands=each not in taken_back) for each, lines in grouped.items() if lines
        ]

    async def standing(self, key: str, currency: str) -> Standing:
        """Where that money is, as posted; what a person took back nets out."""
        onto: dict[int, Money] = {}
        pool = Money.zero(currency)
        for line in await self._documents.lines(("description", "=", key), ("move.state", "=", "posted")):
            if line.invoice is None:
                pool += line.amount
            else:
                onto[line.invoice] = onto.get(line.invoice, Money.zero(currency)) + line.amount
        return Standing(onto={each: amount for each, amount in onto.items() if amount.minor}, pool=pool)

    async def has_followers(self, move: int) -> bool:
        """Whether a document of ours names this move as the one that it takes back."""
        rows = await self._client.rows("account.move", [("origin", "=", f"account.move,{move}")], ["description", "state"])
        return any(is_our_reference(row["description"]) and row["state"] == "posted" for row in rows)

    async def taken_back(self, moves: Sequence[int]) -> set[int]:
        """Of these, what a person took back: another posted move names it as its origin, and is no document of ours."""
        own = {
            row["id"]: row["description"]
            for row in await self._client.rows("account.move", [("id", "in", list(moves))], ["description"])
        }
        origins = [f"account.move,{each}" for each in moves]
        rows = await self._client.rows(
            "account.move", [("origin", "in", origins), ("state", "=", "posted")], ["origin", "description"]
        )
        found = set()
        for row in rows:
            move = move_of(row["origin"])
            if move is not None and (not is_our_reference(row["description"]) or row["description"] == own.get(move)):
                found.add(move)
        return found

    async def _found(self, reference: str, lines: Sequence[tuple[MoveLine, bool]], *, stands: bool) -> Found:
        first = lines[0][0]
        receivable = [line for line, is_receivable in lines if is_receivable]
        invoices = tuple(sorted({line.invoice for line in receivable if line.invoice is not None}))
        open_marks = [
            each.id
            for each in (await self._documents.invoices(invoices)).values()
            if each.state == "posted" and not each.open.minor
        ]
        return Found(
            move=first.move,
            number=first.number,
            reference=reference,
            amount=_amount(lines),
            party=next((line.party for line in receivable if line.party is not None), 0),
            is_posted=first.is_posted,
            is_finished=first.is_posted and not open_marks,
            stands=stands,
            invoices=invoices,
            keys=tuple(sorted({line.key for line in receivable if line.key is not None})),
        )


def _amount(lines: Sequence[tuple[MoveLine, bool]]) -> Money:
    """What came in or went out; where nothing did, what was moved."""
    currency = lines[0][0].amount.currency
    cash = sum(line.amount.minor for line, is_receivable in lines if not is_receivable)
    moved = sum(line.amount.minor for line, is_receivable in lines if is_receivable and line.amount.minor > 0)
    return Money.of(abs(cash) or moved, currency)


def move_of(origin: str | None) -> int | None:
    """The move that an origin names; None where it names something else."""
    model, _, number = (origin or "").partition(",")
    return int(number) if model == "account.move" and number.isdigit() else None
