"""A document as rows of a day's file, and back. A row is one line of text: no cell holds a line break.

Each row says which of how many it is: a document of which a row is missing at the end of a file was never written.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from domain.money import Money, exponent

HEADINGS: Final = (
    *("reference", "row", "rows", "document", "on", "customer_number", "invoice_number", "amount", "currency"),
    *("payment_reference", "refund_reference", "document_amount", "method", "memo", "written_at"),
)
PREFIX: Final = "csv:"
_FORMULA: Final = ("=", "+", "-", "@")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One document. `lines` are (the invoice's id, amount): positive puts money on it; `rest` stays with the customer, or
    (negative) is used. `key` names whose money it moves: the payment's reference, or the credit's id. `of` is the refund
    that came back, of what is one. `amount` is never below zero.
    """

    reference: str
    kind: str
    on: date
    customer: str
    lines: tuple[tuple[str, Money], ...]
    rest: Money
    amount: Money
    key: str
    of: str
    method: str
    memo: str

    def says_the_same_as(self, other: Entry) -> bool:
        """Whether both move the same money; what is only told to people may differ."""
        mine = (self.kind, self.customer, sorted(self.lines, key=str), self.rest, self.amount, self.key)
        return mine == (other.kind, other.customer, sorted(other.lines, key=str), other.rest, other.amount, other.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A document with where it stands: the file's name, and its first line from 1."""

    entry: Entry
    file: str
    line: int


def headings() -> str:
    """The first line of a file."""
    return _text([HEADINGS])


def rows(entry: Entry, *, at: datetime) -> str:
    """The lines of a document, the last of which ends it."""
    amounts = [*entry.lines]
    if entry.rest.minor or not amounts:
        amounts.append(("", entry.rest))
    return _text(
        [
            (
                entry.reference,
                str(number),
                str(len(amounts)),
                entry.kind,
                entry.on.isoformat(),
                entry.customer.removeprefix(PREFIX),
                invoice.removeprefix(PREFIX),
                amount.plain(),
                amount.currency,
                entry.key,
                entry.of,
                entry.amount.plain(),
                _plain(entry.method),
                _plain(entry.memo),
                at.isoformat(timespec="seconds"),
            )
            for number, (invoice, amount) in enumerate(amounts, start=1)
        ]
    )


def whole(raw: bytes, *, file: str, line: int) -> tuple[list[Written], int]:
    """Every whole document of a piece of a file that begins at a line, and how many bytes they and the headings take. Raises
    ValueError for what is no such file.
    """
    found: list[Written] = []
    taken = used = 0
    waiting: list[list[str]] = []
    for text in raw.splitlines(keepends=True):
        if not text.endswith(b"\n"):
            break
        used += len(text)
        (cells,) = csv.reader([text.decode()])
        if tuple(cells) == HEADINGS:
            taken, line = used, line + 1
            continue
        if len(cells) != len(HEADINGS) or int(cells[1]) != len(waiting) + 1:
            raise ValueError(f"{file}: line {line + len(waiting)} is not one that Duly wrote")
        waiting.append(cells)
        if cells[1] == cells[2]:
            found.append(Written(entry=_entry(waiting), file=file, line=line))
            taken, line, waiting = used, line + len(waiting), []
    return found, taken


def _entry(cells: Sequence[Sequence[str]]) -> Entry:
    first = cells[0]
    currency = first[8]
    amounts = [(each[6], _exact(each[7], currency)) for each in cells]
    return Entry(
        reference=first[0],
        kind=first[3],
        on=date.fromisoformat(first[4]),
        customer=f"{PREFIX}{first[5]}",
        lines=tuple((f"{PREFIX}{invoice}", amount) for invoice, amount in amounts if invoice),
        rest=next((amount for invoice, amount in amounts if not invoice), Money.zero(currency)),
        amount=_exact(first[11], currency),
        key=first[9],
        of=first[10],
        method=first[12],
        memo=first[13],
    )


def _exact(text: str, currency: str) -> Money:
    """An amount as we write it, to the minor unit. Raises ValueError for any other."""
    amount = Money.of(int(text.replace(".", "", 1)), currency)
    if amount.plain() != text or (exponent(currency) > 0) != ("." in text):
        raise ValueError(f"{text!r} is no amount that Duly wrote")
    return amount


def _plain(text: str) -> str:
    """On one line, and no formula where a spreadsheet opens it."""
    flat = " ".join(text.split())
    return f"'{flat}" if flat.startswith(_FORMULA) else flat


def _text(lines: Sequence[Sequence[str]]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(lines)
    return written.getvalue()
