"""What is read of Odoo's books: receivable lines, what settles what, invoices; and the marks by which our lines are known.

A mark says whose money a line moves and for which invoice: `<key> <invoice or ->`. A payment has it at the beginning of its
payment reference, a line of our own entry as its label.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from connectors.erp.odoo import wire
from connectors.erp.odoo.client import OdooClient
from domain.ids import is_our_reference
from domain.money import Money

BATCH: Final = 200
NO_TARGET: Final = "-"
OF_CUSTOMERS: Final = ("out_invoice", "out_refund")

LINE_FIELDS: Final = (
    *("move_id", "payment_id", "name", "parent_state", "date", "date_maturity", "partner_id", "account_id"),
    *("currency_id", "amount_currency", "amount_residual_currency"),
)
MOVE_FIELDS: Final = ("name", "ref", "move_type", "state", "posted_before", "reversed_entry_id", "journal_id")
INVOICE_FIELDS: Final = (
    *MOVE_FIELDS,
    *("payment_state", "amount_total", "amount_residual", "currency_id", "invoice_date", "invoice_date_due"),
    *("partner_id", "commercial_partner_id", "partner_shipping_id", "invoice_payment_term_id", "invoice_line_ids"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Whose money it is: our payment's reference, or the id of a credit (`invoice-7`, `line-7`); and for which invoice."""

    key: str
    target: int | None

    @classmethod
    def parsed(cls, label: object) -> Mark | None:
        """The mark at the beginning of a text; None where there is none."""
        key, _, rest = (wire.text(label) or "").partition(" ")
        target = rest.split(" ", 1)[0]
        if not is_key(key) or not (target == NO_TARGET or is_number(target)):
            return None
        return cls(key=key, target=None if target == NO_TARGET else int(target))

    def text(self) -> str:
        """As `parsed` reads it."""
        return f"{self.key} {NO_TARGET if self.target is None else self.target}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line on a receivable account. `amount` is what it takes off what is owed (credit positive), `residual` what of that
    is not settled with other lines; both in the line's own currency. `kind` is the type of its move.
    """

    id: int
    move: int
    number: str
    reference: str | None
    mark: Mark | None
    kind: str
    journal: int | None
    takes_back: int | None
    is_posted: bool
    was_posted: bool
    payment: int | None
    on: date
    due: date | None
    customer: int | None
    account: int
    amount: Money
    residual: Money

    @property
    def is_ours(self) -> bool:
        """Whether Duly wrote its move."""
        return is_our_reference(self.reference)


@dataclass(frozen=True, slots=True, kw_only=True)
class Partial:
    """What one debit line and one credit line settle of each other, in the currency of either."""

    id: int
    debit: int
    credit: int
    debit_amount: str
    credit_amount: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What one line takes off an invoice (or, of a credit note, what it went to), in the invoice's currency."""

    partial: int
    line: Line
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """An invoice of a customer, or a credit note, with its own lines on receivable accounts and what settles them."""

    id: int
    row: Mapping[str, Any]
    customer: int
    currency: str
    total: Money
    lines: tuple[Line, ...]
    applied: tuple[Applied, ...]

    @property
    def is_note(self) -> bool:
        return bool(self.row["move_type"] == "out_refund")

    @property
    def is_posted(self) -> bool:
        return bool(self.row["state"] == "posted")

    @property
    def open(self) -> Money:
        """What is left of it by its lines in the ledger; Odoo's own field of it may be late."""
        left = Money.zero(self.currency)
        for line in self.lines:
            left += line.residual if self.is_note else -line.residual
        return left

    @property
    def account(self) -> int:
        return self.lines[0].account


def is_key(text: str) -> bool:
    """Whether a text names money: a reference of ours, or a credit's id."""
    kind, _, number = text.partition("-")
    return is_our_reference(text) or (kind in {"invoice", "line"} and is_number(number))


def is_number(text: str) -> bool:
    """Whether a text can be an id of Odoo's."""
    return text.isascii() and text.isdigit() and len(text) < 10


class Documents:
    """Reads of invoices and lines, batch by batch. Each raises ConnectorError, and ValueError or KeyError on what is
    malformed.
    """

    def __init__(self, client: OdooClient) -> None:
        self._client = client

    async def lines(self, *domain: object, marks: Mapping[int, Mark | None] | None = None) -> list[Line]:
        """Lines on receivable accounts of our company, in the order of their ids; `marks` of payments that are known."""
        setup = await self._client.setup()
        wanted = [setup.receivable, ("company_id", "=", setup.company), *domain]
        rows = await self._client.rows("account.move.line", wanted, LINE_FIELDS)
        moves = await self._moves({move for row in rows if (move := wire.linked(row["move_id"])) is not None})
        payments = {payment for row in rows if (payment := wire.linked(row["payment_id"])) is not None}
        known = marks or {}
        marks = {**known, **await self._marks(payments - known.keys())}
        return [_line(row, moves, marks) for row in rows]

    async def lines_by_id(self, ids: Iterable[int]) -> dict[int, Line]:
        """Those lines, by id."""
        wanted = sorted(set(ids))
        found: dict[int, Line] = {}
        for start in range(0, len(wanted), BATCH):
            found |= {line.id: line for line in await self.lines(("id", "in", wanted[start : start + BATCH]))}
        return found

    async def lines_of(self, *keys: str) -> list[Line]:
        """Posted lines of ours that move that money. `=like` takes more than asked: an underscore stands for anything."""
        payments: dict[int, Mark | None] = {}
        for key in keys:
            asked = [("payment_reference", "=like", f"{key} %")]
            for row in await self._client.rows("account.payment", asked, ["payment_reference"]):
                payments[row["id"]] = Mark.parsed(row["payment_reference"])
        labels: list[object] = [("name", "=like", f"{key} %") for key in keys]
        either: list[object] = ["|"] * len(labels) + [("payment_id", "in", sorted(payments)), *labels]
        lines = await self.lines(("parent_state", "=", "posted"), *either, marks=payments)
        return [each for each in lines if each.is_ours and each.mark is not None and each.mark.key in keys]

    async def partials(self, lines: Iterable[int]) -> list[Partial]:
        """Everything that settles one of those lines."""
        wanted = sorted(set(lines))
        fields = ("debit_move_id", "credit_move_id", "debit_amount_currency", "credit_amount_currency")
        found: dict[int, Partial] = {}
        for start in range(0, len(wanted), BATCH):
            some = wanted[start : start + BATCH]
            domain = ["|", ("debit_move_id", "in", some), ("credit_move_id", "in", some)]
            for row in await self._client.rows("account.partial.reconcile", domain, fields):
                found[row["id"]] = Partial(
                    id=row["id"],
                    debit=row["debit_move_id"][0],
                    credit=row["credit_move_id"][0],
                    debit_amount=str(row["debit_amount_currency"]),
                    credit_amount=str(row["credit_amount_currency"]),
                )
        return [found[each] for each in sorted(found)]

    async def open_among(self, ids: Iterable[int]) -> set[int]:
        """Those of these moves that are posted and owed something."""
        setup = await self._client.setup()
        domain = [setup.receivable, ("move_id", "in", sorted(set(ids))), ("parent_state", "=", "posted")]
        rows = await self._client.rows("account.move.line", domain, ["move_id", "currency_id", "amount_residual_currency"])
        left: dict[int, int] = {}
        for row in rows:
            amount = wire.amount(row["amount_residual_currency"], wire.named(row["currency_id"]) or "")
            left[row["move_id"][0]] = left.get(row["move_id"][0], 0) + amount.minor
        return {move for move, minor in left.items() if minor > 0}

    async def booked(self, payments: Iterable[int]) -> set[int]:
        """Those of these payments that have a posted entry."""
        setup = await self._client.setup()
        domain = [setup.receivable, ("payment_id", "in", sorted(set(payments))), ("parent_state", "=", "posted")]
        rows = await self._client.rows("account.move.line", domain, ["payment_id"])
        return {row["payment_id"][0] for row in rows}

    async def invoices(self, ids: Iterable[int]) -> dict[int, Invoice]:
        """Invoices and credit notes of customers that are or were posted, by id; others are left out."""
        wanted = sorted(set(ids))
        found: dict[int, Invoice] = {}
        for start in range(0, len(wanted), BATCH):
            found |= await self._batch(wanted[start : start + BATCH])
        return found

    async def _batch(self, ids: Sequence[int]) -> dict[int, Invoice]:
        setup = await self._client.setup()
        rows = await self._client.rows("account.move", [("id", "in", ids), *issued(setup.company)], INVOICE_FIELDS)
        own: dict[int, list[Line]] = {row["id"]: [] for row in rows}
        for line in await self.lines(("move_id", "in", sorted(own))) if own else []:
            own[line.move].append(line)
        mine = {line.id: line for lines in own.values() for line in lines}
        partials = await self.partials(mine)
        sides = {side for each in partials for side in (each.debit, each.credit)}
        others = {**await self.lines_by_id(sides - mine.keys()), **mine}
        return {row["id"]: _invoice(row, own[row["id"]], partials, others) for row in rows}

    async def _moves(self, ids: set[int]) -> Mapping[int, wire.Wire]:
        if not ids:
            return {}
        return {row["id"]: row for row in await self._client.rows("account.move", [("id", "in", sorted(ids))], MOVE_FIELDS)}

    async def _marks(self, payments: set[int]) -> Mapping[int, Mark | None]:
        if not payments:
            return {}
        rows = await self._client.rows("account.payment", [("id", "in", sorted(payments))], ["payment_reference"])
        return {row["id"]: Mark.parsed(row["payment_reference"]) for row in rows}


def issued(company: int) -> tuple[object, ...]:
    """The condition on what customers were given: posted, cancelled, or taken back to a draft after it was posted."""
    return (
        ("company_id", "=", company),
        ("move_type", "in", list(OF_CUSTOMERS)),
        "|",
        ("state", "=", "posted"),
        ("posted_before", "=", True),
    )


def _line(row: wire.Wire, moves: Mapping[int, wire.Wire], marks: Mapping[int, Mark | None]) -> Line:
    move = moves[row["move_id"][0]]
    currency = wire.named(row["currency_id"]) or ""
    payment = wire.linked(row["payment_id"])
    return Line(
        id=row["id"],
        move=move["id"],
        number=wire.text(move["name"]) or f"draft {move['id']}",
        reference=wire.text(move["ref"]),
        mark=marks.get(payment) if payment is not None else Mark.parsed(row["name"]),
        kind=move["move_type"],
        journal=wire.linked(move["journal_id"]),
        takes_back=wire.linked(move["reversed_entry_id"]),
        is_posted=row["parent_state"] == "posted",
        was_posted=bool(move["posted_before"]),
        payment=payment,
        on=wire.day(row["date"]),
        due=wire.some_day(row["date_maturity"]),
        customer=wire.linked(row["partner_id"]),
        account=row["account_id"][0],
        amount=-wire.amount(row["amount_currency"], currency),
        residual=-wire.amount(row["amount_residual_currency"], currency),
    )


def _invoice(row: wire.Wire, own: Sequence[Line], partials: Sequence[Partial], lines: Mapping[int, Line]) -> Invoice:
    currency = wire.named(row["currency_id"]) or ""
    is_note = row["move_type"] == "out_refund"
    ids = {line.id for line in own}
    applied = []
    for each in partials:
        mine, other = (each.credit, each.debit) if is_note else (each.debit, each.credit)
        if mine in ids and other in lines:
            told = each.credit_amount if is_note else each.debit_amount
            applied.append(Applied(partial=each.id, line=lines[other], amount=wire.amount(told, currency)))
    return Invoice(
        id=row["id"],
        row=row,
        customer=row["commercial_partner_id"][0],
        currency=currency,
        total=wire.amount(row["amount_total"], currency),
        lines=tuple(own),
        applied=tuple(applied),
    )
