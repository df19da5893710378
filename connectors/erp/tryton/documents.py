"""What is read of Tryton's books: invoices with their move lines, and whose a move is. Shapes of ours, words of theirs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from connectors.erp.tryton import wire
from connectors.erp.tryton.client import TrytonClient
from domain.ids import is_our_reference
from domain.money import Money

BATCH: Final = 200
POSTED_STATES: Final = ("posted", "paid", "cancelled")
INVOICE_OF: Final = "account.invoice,"
"""How an origin begins that is an invoice; its id follows."""

LINE_FIELDS: Final = (
    *("debit", "credit", "amount_second_currency", "second_currency.code", "account.company.currency.code"),
    *("party", "account", "description", "origin", "reconciliation", "invoice_payment", "maturity_date"),
    *("move.number", "move.description", "move.state", "move.origin", "move.date", "move.journal.type"),
)
INVOICE_FIELDS: Final = (
    *("number", "reference", "state", "total_amount", "tax_amount", "currency.code", "invoice_date", "party", "account"),
    *("payment_term.name", "invoice_address.rec_name", "invoice_address.building_name", "invoice_address.party_name"),
    *("lines", "lines_to_pay", "payment_lines", "reconciliation_lines"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveLine:
    """A line on a receivable account. `amount` is what it takes off what is owed (credit positive), in the line's own
    currency; `home` the same in the company's.
    """

    id: int
    move: int
    number: str
    reference: str | None
    is_posted: bool
    origin: str | None
    move_origin: str | None
    journal_kind: str
    on: date
    due: date | None
    key: str | None
    party: int | None
    account: int
    amount: Money
    home: Money
    reconciliation: int | None
    invoice: int | None

    @property
    def is_ours(self) -> bool:
        """Whether Duly wrote its move."""
        return is_our_reference(self.reference)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """An invoice of a customer, or a credit note (its total is negative), with the lines that are open or settle it."""

    id: int
    row: Mapping[str, Any]
    party: int
    account: int
    currency: str
    total: Money
    to_pay: tuple[MoveLine, ...]
    paying: tuple[MoveLine, ...]

    @property
    def state(self) -> str:
        return str(self.row["state"])

    @property
    def settled(self) -> Money:
        """What is taken off it: posted lines that count, in its own currency."""
        taken = Money.zero(self.currency)
        for line in self.paying:
            taken += in_currency(line, self.currency)
        return taken

    @property
    def open(self) -> Money:
        """What is left to pay, or (negative) left of a credit note."""
        return self.total - self.settled


def in_currency(line: MoveLine, currency: str) -> Money:
    """A line's amount in a currency; nothing where it has none there (a difference between exchange rates)."""
    if line.amount.currency == currency:
        return line.amount
    return line.home if line.home.currency == currency else Money.zero(currency)


def move_line(row: Mapping[str, Any]) -> MoveLine:
    """A line from Tryton's row. Raises KeyError, ValueError."""
    home_currency = row["account."]["company."]["currency."]["code"]
    home = wire.amount(row["credit"], home_currency) - wire.amount(row["debit"], home_currency)
    second = row.get("second_currency.")
    amount = -wire.amount(row["amount_second_currency"], second["code"]) if second else home
    move = row["move."]
    return MoveLine(
        id=row["id"],
        move=move["id"],
        number=move["number"] or f"draft {move['id']}",
        reference=move["description"] or None,
        is_posted=move["state"] == "posted",
        origin=row["origin"],
        move_origin=move["origin"],
        journal_kind=move["journal."]["type"],
        on=move["date"],
        due=row["maturity_date"],
        key=row["description"] or None,
        party=row["party"],
        account=row["account"],
        amount=amount,
        home=home,
        reconciliation=row["reconciliation"],
        invoice=row["invoice_payment"],
    )


class Documents:
    """Reads of invoices and lines, batch by batch. Each raises ConnectorError, and ValueError or KeyError on what is
    malformed.
    """

    def __init__(self, client: TrytonClient) -> None:
        self._client = client

    async def lines(self, *domain: object) -> list[MoveLine]:
        """Lines on receivable accounts."""
        wanted = [("account.type.receivable", "=", True), *domain]
        return [move_line(row) for row in await self._client.rows("account.move.line", wanted, LINE_FIELDS)]

    async def invoices(self, ids: Iterable[int]) -> dict[int, Invoice]:
        """Posted invoices of customers, credit notes included, by id; others are left out."""
        wanted = sorted(set(ids))
        found: dict[int, Invoice] = {}
        for start in range(0, len(wanted), BATCH):
            found |= await self._batch(wanted[start : start + BATCH])
        return found

    async def _batch(self, ids: Sequence[int]) -> dict[int, Invoice]:
        domain = [("id", "in", ids), ("type", "=", "out"), ("state", "in", POSTED_STATES), ("number", "!=", None)]
        rows = await self._client.rows("account.invoice", domain, INVOICE_FIELDS)
        line_ids: set[int] = set()
        for row in rows:
            line_ids.update(row["lines_to_pay"], row["payment_lines"], row["reconciliation_lines"])
        lines = {line.id: line for line in await self.lines(("id", "in", sorted(line_ids)))} if line_ids else {}
        return {row["id"]: _invoice(row, lines) for row in rows}


def _invoice(row: Mapping[str, Any], lines: Mapping[int, MoveLine]) -> Invoice:
    currency = row["currency."]["code"]
    to_pay = tuple(lines[each] for each in row["lines_to_pay"] if each in lines)
    settled_in = {line.reconciliation for line in to_pay if line.reconciliation is not None}
    linked = [lines[each] for each in row["payment_lines"] if each in lines]
    # A linked line that was reconciled with something else does not pay this invoice: Tryton leaves it out, too.
    paying = {each.id: each for each in linked if each.reconciliation is None or each.reconciliation in settled_in}
    paying |= {each: lines[each] for each in row["reconciliation_lines"] if each in lines}
    return Invoice(
        id=row["id"],
        row=row,
        party=row["party"],
        account=row["account"],
        currency=currency,
        total=wire.amount(row["total_amount"], currency),
        to_pay=to_pay,
        paying=tuple(sorted((each for each in paying.values() if each.is_posted), key=lambda each: (each.on, each.id))),
    )
