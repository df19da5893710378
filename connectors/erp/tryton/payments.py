"""Every payment document in Tryton's books, ours and people's: what it brought, where that lies, whether it stands.

One of ours is a move with our reference; what moves its money later has lines that name it. One of a person's is what a
party brought in one move, named by the first line of it. A posted move cannot be deleted: another one takes it back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from connectors.erp.ports import ErpPayment
from connectors.erp.sweeps import Key, Stream
from connectors.erp.tryton import translate
from connectors.erp.tryton.client import TrytonClient
from connectors.erp.tryton.documents import INVOICE_OF, Documents, MoveLine
from connectors.erp.tryton.finding import Finding, Standing, move_of
from connectors.erp.tryton.reading import LINE, credit_key, credit_lines, is_payment_by_hand, used_of
from domain.ids import is_our_reference
from domain.money import Money, total

OURS: Final = 0
_OUR_MOVES: Final = (("description", "like", "pay%"), ("state", "=", "posted"), ("origin", "=", None))
_TOUCHED_LINE: Final = ("description", "move", "move.description")
_TOUCHED_MOVE: Final = ("origin", "description", "lines.description")


class Payments:
    """The stream of payment documents: `OURS` by moves, `LINE` (people's) by lines. Raises ConnectorError, and ValueError or
    KeyError on what is malformed.
    """

    def __init__(self, client: TrytonClient, documents: Documents, finding: Finding, *, overlap: timedelta) -> None:
        self._client = client
        self._documents = documents
        self._finding = finding
        self.stream = Stream(changed=self._changed, read=self._read, clock=client.clock, overlap=overlap)

    # ------------------------------------------------------------ what changed

    async def _changed(self, since: datetime | None, after: Key, limit: int) -> Sequence[Key]:
        if since is not None:
            found = await self._keys_of(await self._touched_moves(since))
            return sorted(key for key in found if key > after)[:limit]
        keys: list[Key] = []
        if after < (LINE, 0):
            ours = [*_OUR_MOVES, ("id", ">", max(after[1], 0))]
            rows = await self._client.rows("account.move", ours, ["id"], limit=limit)
            keys += [(OURS, row["id"]) for row in rows]
        if len(keys) < limit:
            people = [*credit_lines(), ("id", ">", after[1] if after[0] == LINE else 0)]
            rows = await self._client.rows("account.move.line", people, ["id"], limit=limit - len(keys))
            keys += [(LINE, row["id"]) for row in rows]
        return keys

    async def _touched_moves(self, since: datetime) -> set[int]:
        """Moves that changed, and those whose money did: what moves it names it, what takes it back comes from it."""
        lines = await self._client.touched("account.move.line", since, _TOUCHED_LINE, ("account.type.receivable", "=", True))
        moves = await self._client.touched("account.move", since, _TOUCHED_MOVE)
        found = {row["move"] for row in lines} | {row["id"] for row in moves}
        found |= {move for row in moves if (move := move_of(row["origin"])) is not None}
        names = {row["description"] for row in lines}
        names |= {each["description"] for row in moves for each in row.get("lines.") or []}
        references = sorted(each for each in names if is_our_reference(each))
        if references:
            wanted = [("description", "in", references), *_OUR_MOVES]
            found |= {row["id"] for row in await self._client.rows("account.move", wanted, ["id"])}
        keys = [key for each in names if (key := credit_key(each or "")) is not None]
        by_hand = sorted(number for kind, number in keys if kind == LINE)
        if by_hand:
            named = [("id", "in", by_hand)]
            found |= {row["move"] for row in await self._client.rows("account.move.line", named, ["move"])}
        return found

    async def _keys_of(self, moves: set[int]) -> list[Key]:
        if not moves:
            return []
        wanted = [("id", "in", sorted(moves)), *_OUR_MOVES]
        ours = await self._client.rows("account.move", wanted, ["id"])
        people = await self._client.rows("account.move.line", [("move", "in", sorted(moves)), *credit_lines()], ["id"])
        return [*((OURS, row["id"]) for row in ours), *((LINE, row["id"]) for row in people)]

    # ------------------------------------------------------------ what it says

    async def _read(self, keys: Sequence[Key]) -> Mapping[Key, ErpPayment]:
        ours = await self._ours([number for kind, number in keys if kind == OURS])
        return {**ours, **await self._of_people([number for kind, number in keys if kind == LINE])}

    async def _ours(self, moves: Sequence[int]) -> dict[Key, ErpPayment]:
        """Those of these moves that are payments: a refund's lines name another document than its own."""
        own: dict[int, list[MoveLine]] = {}
        for line in await self._documents.lines(("move", "in", list(moves))) if moves else []:
            if line.is_ours and line.key == line.reference:
                own.setdefault(line.move, []).append(line)
        if not own:
            return {}
        standing = await self._standing({line.reference or "": line.amount.currency for line, *_ in own.values()})
        taken_back = await self._finding.taken_back(sorted(own))
        followed = await self._followed(own)
        found: dict[Key, ErpPayment] = {}
        for move, lines in own.items():
            now = standing[lines[0].reference or ""]
            stands = move not in taken_back and not (move in followed and not now.whole.minor)
            found[OURS, move] = translate.payment(lines, now if stands else None)
        return found

    async def _standing(self, currencies: Mapping[str, str]) -> dict[str, Standing]:
        """Where the money of each payment is, by its reference."""
        pools = {each: Money.zero(currency) for each, currency in currencies.items()}
        onto: dict[str, dict[int, Money]] = {each: {} for each in currencies}
        posted = ("move.state", "=", "posted")
        for line in await self._documents.lines(("description", "in", sorted(currencies)), posted):
            key = line.key or ""
            if line.invoice is None:
                pools[key] += line.amount
            else:
                lies = onto[key].get(line.invoice, Money.zero(currencies[key]))
                onto[key][line.invoice] = lies + line.amount
        return {
            each: Standing(onto={invoice: amount for invoice, amount in onto[each].items() if amount.minor}, pool=pool)
            for each, pool in pools.items()
        }

    async def _followed(self, moves: Iterable[int]) -> set[int]:
        """Those that a document of ours takes back, whole or in part."""
        rows = await self._taking_back(moves)
        return {row["back"] for row in rows if is_our_reference(row["description"])}

    async def _taking_back(self, moves: Iterable[int]) -> list[dict[str, Any]]:
        domain = [("origin", "in", [f"account.move,{each}" for each in sorted(set(moves))]), ("state", "=", "posted")]
        rows = await self._client.rows("account.move", domain, ["origin", "description"])
        return [{**row, "back": move_of(row["origin"])} for row in rows]

    async def _of_people(self, ids: Sequence[int]) -> dict[Key, ErpPayment]:
        """What each party brought in a move, under the first of its lines; other lines are told with it."""
        if not ids:
            return {}
        moves = {line.move for line in await self._documents.lines(("id", "in", list(ids)), *credit_lines())}
        by_hand = [
            line
            for line in await self._documents.lines(("move", "in", sorted(moves)), *credit_lines())
            if line.party is not None and is_payment_by_hand(line)
        ]
        brought: dict[tuple[int, int | None, str], list[MoveLine]] = {}
        for line in by_hand:
            brought.setdefault((line.move, line.party, line.amount.currency), []).append(line)
        moved = await self._moved([f"line-{line.id}" for line in by_hand])
        paid = await self._settled_in({line.reconciliation for line in by_hand if line.reconciliation is not None})
        taken_back = {row["back"] for row in await self._taking_back(moves)}
        authors = await self._authors(moves)
        found: dict[Key, ErpPayment] = {}
        for (move, _, currency), lines in brought.items():
            if lines[0].id in ids:
                on = [each for line in lines for each in _lies(line, moved.get(f"line-{line.id}", ()), paid)]
                left = [_left(line, moved.get(f"line-{line.id}", ())) for line in lines]
                found[LINE, lines[0].id] = translate.payment_of_a_person(
                    lines,
                    paid=on,
                    left=total(left, currency=currency),
                    author=authors.get(move),
                    stands=move not in taken_back,
                )
        return found

    async def _moved(self, names: Sequence[str]) -> dict[str, list[MoveLine]]:
        """Lines of ours that moved a person's payment, by its name."""
        found: dict[str, list[MoveLine]] = {}
        posted = ("move.state", "=", "posted")
        for line in await self._documents.lines(("description", "in", list(names)), posted) if names else []:
            if line.is_ours:
                found.setdefault(line.key or "", []).append(line)
        return found

    async def _settled_in(self, groups: set[int]) -> dict[int, int]:
        """The invoice that was settled in a reconciliation; of several it is not said which by what."""
        found: dict[int, set[int]] = {}
        for line in await self._documents.lines(("reconciliation", "in", sorted(groups))) if groups else []:
            origin = line.move_origin or ""
            if origin.startswith(INVOICE_OF) and line.journal_kind == "revenue" and line.reconciliation is not None:
                found.setdefault(line.reconciliation, set()).add(int(origin.removeprefix(INVOICE_OF)))
        return {group: next(iter(invoices)) for group, invoices in found.items() if len(invoices) == 1}

    async def _authors(self, moves: set[int]) -> dict[int, str]:
        rows = await self._client.rows("account.move", [("id", "in", sorted(moves))], ["create_uid.rec_name"])
        return {row["id"]: row["create_uid."]["rec_name"] for row in rows if row.get("create_uid.")}


def _lies(line: MoveLine, moved: Sequence[MoveLine], paid: Mapping[int, int]) -> list[tuple[int, Money]]:
    """The invoices that a line's money is on."""
    if line.invoice is not None:
        return [(line.invoice, line.amount)]
    if moved:
        return [(each.invoice, each.amount) for each in moved if each.invoice is not None]
    settled = paid.get(line.reconciliation) if line.reconciliation is not None else None
    return [(settled, line.amount)] if settled is not None else []


def _left(line: MoveLine, moved: Sequence[MoveLine]) -> Money:
    """What of a line is on no invoice."""
    if line.invoice is not None or line.reconciliation is not None:
        return Money.zero(line.amount.currency)
    return line.amount - used_of(line, moved)
