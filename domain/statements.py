"""Statements of account: what was open and what happened, as of any moment.

Two sources tell it. What Duly booked has the moment of its booking and never changes. What the ERP wrote has the day that
the ERP gives it: an invoice or a credit counts from its date, what settled it from the date of that. So a statement that is
made again is the one of that day, unless the ERP has dated something back (docs/decisions/0023).

All amounts are minor units. `owed` is what invoices come to, `unapplied` what lies on none; a parent of a multi-site invoice
is never among the invoices, its sites are.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from enum import StrEnum
from typing import Final, Literal, NamedTuple

from domain.ids import is_id, shown_number
from domain.invoices import days_late

StatementKind = Literal["open", "transactions"]
KINDS: Final[tuple[StatementKind, ...]] = ("open", "transactions")
AGES: Final = (0, 30, 60, 90)
"""Where an age ends, in days past due: not due, 1 to 30, 31 to 60, 61 to 90, older."""


class Act(StrEnum):
    """What a line of a statement is about."""

    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"
    PREPAYMENT = "prepayment"
    OVERPAYMENT = "overpayment"
    PAYMENT_ELSEWHERE = "payment"  # that a person entered in the ERP
    SETTLED = "settled"  # by something in the ERP of which no more is known
    WRITTEN_OFF = "write_off"
    CLOSED = "closed"
    USED = "used"  # of a credit: applied or paid out in the ERP
    CAPTURED = "captured"
    RETURNED = "returned"
    REFUNDED = "refunded"
    REFUND_CAME_BACK = "refund_came_back"
    APPLIED = "applied"
    UNAPPLIED = "unapplied"
    CHANGED = "changed_in_erp"  # a person changed in the ERP what Duly had written there
    BEYOND = "beyond"  # more was paid than is owed: the rest is no debt of the business's invoices


class AsOf(NamedTuple):
    """A moment, the customer's day of it, and whether it is the present: then what is dated ahead counts too, as it does on
    every other page.
    """

    at: datetime
    day: date
    is_now: bool


class Settled(NamedTuple):
    """What the ERP shows on a document: `other` is the number of the document at the other end, '' where it says none."""

    act: Act
    other: str
    minor: int
    on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementInvoice:
    """An invoice that may be seen; `settled` leaves out what `Booked` tells. From `ended_on` on it is no longer owed."""

    id: str
    number: str
    site: str | None
    currency: str
    issued_on: date
    due_on: date
    total: int
    settled: Sequence[Settled] = ()
    ended: Act | None = None
    ended_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementCredit:
    """A credit of the ERP's; `settled` is where it went."""

    id: str
    number: str
    act: Act
    currency: str
    issued_on: date
    total: int
    settled: Sequence[Settled] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Booked:
    """An entry of Duly's journal: what it changed of each invoice, and of what lies on none, by whose it is: a payment's id
    or a credit's.
    """

    id: str
    act: Act
    process_id: str
    currency: str
    at: datetime
    owed: Sequence[tuple[str, int]]
    unapplied: Sequence[tuple[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that statements of a customer are made of."""

    invoices: Sequence[StatementInvoice]
    credits: Sequence[StatementCredit]
    booked: Sequence[Booked]


class Line(NamedTuple):
    """A line of the list of transactions. `about` are the numbers of what else it concerns; `balance` and `left` are what is
    owed and what is unapplied after it.
    """

    on: date
    act: Act
    document: str
    about: tuple[str, ...]
    owed: int
    unapplied: int
    balance: int
    left: int


class OpenItem(NamedTuple):
    """An invoice with something open; `days_late` is None until past due, 0 on the day itself."""

    id: str
    number: str
    site: str | None
    issued_on: date
    due_on: date
    days_late: int | None
    total: int
    open: int


class OpenCredit(NamedTuple):
    """What is unapplied of a credit or a payment."""

    act: Act
    document: str
    on: date
    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A statement in one currency. An open-item one has no `lines`, a list of transactions neither `items` nor `credits`.

    `ages` adds up what is open by days past due: not due, 1 to 30, 31 to 60, 61 to 90, older.
    """

    currency: str
    owed: int
    unapplied: int
    overdue: int = 0
    items: Sequence[OpenItem] = ()
    credits: Sequence[OpenCredit] = ()
    ages: tuple[int, int, int, int, int] = (0, 0, 0, 0, 0)
    opening_owed: int = 0
    opening_unapplied: int = 0
    lines: Sequence[Line] = ()

    @property
    def net(self) -> int:
        """What is owed when everything unapplied is used; negative where the customer is in credit."""
        return self.owed - self.unapplied


class _Move(NamedTuple):
    """One thing that happened; sorted by what is first of it."""

    on: date
    rank: int
    at: datetime
    document: str
    key: str
    currency: str
    act: Act
    about: tuple[str, ...]
    owed: Sequence[tuple[str, int]]
    unapplied: Sequence[tuple[str, int]]
    ends: bool = False


def open_items(facts: Facts, as_of: AsOf, *, zone: tzinfo) -> Sequence[Section]:
    """What is open, by currency in the order of the alphabet, the longest due first."""
    books = _walked(facts, as_of, zone)
    invoices: dict[str, list[OpenItem]] = defaultdict(list)
    for each in facts.invoices:
        if minor := books.owed_of.get(each.id, 0):
            invoices[each.currency].append(_item(each, minor, as_of.day))
    left: dict[str, list[OpenCredit]] = defaultdict(list)
    for key, minor in books.unapplied_of.items():
        if minor:
            act, document, on, currency = books.sources[key]
            left[currency].append(OpenCredit(act, document, on, minor))
    found = []
    for currency in sorted({*invoices, *left}):
        items = sorted(invoices[currency], key=lambda item: (item.due_on, item.issued_on, item.number, item.id))
        found.append(
            Section(
                currency=currency,
                items=items,
                credits=sorted(left[currency], key=lambda each: (each.on, each.document)),
                owed=sum(item.open for item in items),
                unapplied=sum(each.left for each in left[currency]),
                overdue=sum(item.open for item in items if item.due_on < as_of.day),
                ages=_ages(items),
            )
        )
    return found


def transactions(facts: Facts, from_on: date, as_of: AsOf, *, zone: tzinfo) -> Sequence[Section]:
    """What happened from the beginning of a day on, by currency in the order of the alphabet."""
    books = _walked(facts, as_of, zone)
    found = []
    for currency in sorted(books.lines):
        lines = books.lines[currency]
        first = next((index for index, line in enumerate(lines) if line.on >= from_on), len(lines))
        opening = lines[first - 1] if first else None
        closing = lines[-1]
        found.append(
            Section(
                currency=currency,
                opening_owed=opening.balance if opening else 0,
                opening_unapplied=opening.left if opening else 0,
                lines=lines[first:],
                owed=closing.balance,
                unapplied=closing.left,
            )
        )
    return found


class _Books:
    """What is owed of each invoice and left of each credit while one walks through what happened."""

    def __init__(self, invoices: Iterable[StatementInvoice]) -> None:
        self.numbers = {each.id: each.number for each in invoices}
        self.owed_of: dict[str, int] = {}
        self.unapplied_of: dict[str, int] = {}
        self.sources: dict[str, tuple[Act, str, date, str]] = {}
        self.lines: dict[str, list[Line]] = defaultdict(list)
        self._bare: dict[str, int] = {}  # as the figures have it, below zero where more was paid than is owed
        self._ended: set[str] = set()

    def take(self, move: _Move) -> None:
        """Add what happened, and beside it what follows: nothing is owed below zero, or after the end."""
        follows: list[tuple[Act, str, int]] = []
        for invoice_id, minor in move.owed:
            if move.ends:
                self._ended.add(invoice_id)
            bare = self._bare[invoice_id] = self._bare.get(invoice_id, 0) + minor
            counted = self.owed_of.get(invoice_id, 0) + minor
            owed = self.owed_of[invoice_id] = 0 if invoice_id in self._ended else max(bare, 0)
            if owed != counted:
                follows.append((move.act if move.ends else Act.BEYOND, invoice_id, owed - counted))
        for key, minor in move.unapplied:
            self.sources.setdefault(key, (move.act, move.document, move.on, move.currency))
            self.unapplied_of[key] = self.unapplied_of.get(key, 0) + minor
        if not move.ends:
            owed, left = sum(minor for _, minor in move.owed), sum(minor for _, minor in move.unapplied)
            self._write(move, move.act, move.document, move.about, owed, left)
        for act, invoice_id, minor in follows:
            self._write(move, act, self.numbers[invoice_id], (), minor, 0)

    def _write(self, move: _Move, act: Act, document: str, about: tuple[str, ...], owed: int, unapplied: int) -> None:
        lines = self.lines[move.currency]
        balance, left = (lines[-1].balance, lines[-1].left) if lines else (0, 0)
        lines.append(Line(move.on, act, document, about, owed, unapplied, balance + owed, left + unapplied))


def _walked(facts: Facts, as_of: AsOf, zone: tzinfo) -> _Books:
    books = _Books(facts.invoices)
    for move in sorted(_moves(facts, as_of, zone), key=lambda move: move[:5]):
        books.take(move)
    return books


def _moves(facts: Facts, as_of: AsOf, zone: tzinfo) -> Iterable[_Move]:
    """Documents before what settles them, both before what Duly booked on that day, its entries by their moments."""
    numbers = {each.id: each.number for each in facts.invoices}
    of_credits = {each.id: each.number for each in facts.credits}
    went = _uses(facts.credits)
    for invoice in facts.invoices:
        if _counts(invoice.issued_on, as_of):
            yield _of_invoice(invoice, Act.INVOICE, invoice.issued_on, rank=0, owed=invoice.total)
            yield from _settlements(invoice, went, as_of)
            if invoice.ended is not None and invoice.ended_on is not None and _counts(invoice.ended_on, as_of):
                yield _of_invoice(invoice, invoice.ended, invoice.ended_on, rank=4, owed=0, ends=True)
    for credit in facts.credits:
        if _counts(credit.issued_on, as_of):
            yield _of_credit(credit, credit.act, credit.issued_on, (), credit.total, rank=1)
    # What no invoice that may be seen shows as well.
    for left in went.values():
        for credit, use in left:
            if _counts(credit.issued_on, as_of) and _counts(use.on, as_of):
                yield _of_credit(credit, use.act, use.on, (use.other,) if use.other else (), -use.minor, rank=2)
    for entry in facts.booked:
        if entry.at <= as_of.at:
            yield _of_duly(entry, numbers, of_credits, zone)


_Key = tuple[str, date, str, str, int]
_Uses = dict[_Key, list[tuple[StatementCredit, Settled]]]


def _uses(documents: Iterable[StatementCredit]) -> _Uses:
    """What became of credits, by what the invoice at the other end shows of it."""
    found: _Uses = defaultdict(list)
    for credit in documents:
        for use in credit.settled:
            found[(credit.currency, use.on, credit.number, use.other, use.minor)].append((credit, use))
    return found


def _settlements(invoice: StatementInvoice, went: _Uses, as_of: AsOf) -> Iterable[_Move]:
    """What settled an invoice in the ERP; where the credit shows the same, it is one line for both ends."""
    for each in invoice.settled:
        both = went.get((invoice.currency, each.on, each.other, invoice.number, each.minor))
        if not _counts(each.on, as_of):
            continue
        if both:
            credit, _ = both.pop()
            move = _of_credit(credit, Act.APPLIED, each.on, (invoice.number,), -each.minor, rank=2)
            yield move._replace(owed=((invoice.id, -each.minor),))
        else:
            yield _Move(
                on=each.on,
                rank=4 if each.act is Act.CHANGED else 2,
                at=_NO_MOMENT,
                document=each.other,
                key=invoice.id,
                currency=invoice.currency,
                act=each.act,
                about=(invoice.number,),
                owed=((invoice.id, -each.minor),),
                unapplied=(),
            )


_NO_MOMENT: Final = datetime.min.replace(tzinfo=UTC)


def _of_invoice(invoice: StatementInvoice, act: Act, on: date, *, rank: int, owed: int, ends: bool = False) -> _Move:
    return _Move(
        on=on,
        rank=rank,
        at=_NO_MOMENT,
        document=invoice.number,
        key=invoice.id,
        currency=invoice.currency,
        act=act,
        about=(invoice.site,) if invoice.site else (),
        owed=((invoice.id, owed),),
        unapplied=(),
        ends=ends,
    )


def _of_credit(credit: StatementCredit, act: Act, on: date, about: tuple[str, ...], minor: int, *, rank: int) -> _Move:
    return _Move(
        on=on,
        rank=rank,
        at=_NO_MOMENT,
        document=credit.number,
        key=credit.id,
        currency=credit.currency,
        act=act,
        about=about,
        owed=(),
        unapplied=((credit.id, minor),),
    )


def _of_duly(entry: Booked, numbers: Mapping[str, str], credit_numbers: Mapping[str, str], zone: tzinfo) -> _Move:
    credited = next((credit_numbers[key] for key, _ in entry.unapplied if key in credit_numbers), "")
    is_payment = is_id(entry.process_id, "pay")
    return _Move(
        on=entry.at.astimezone(zone).date(),
        rank=3,
        at=entry.at,
        document=shown_number(entry.process_id) if is_payment else credited,
        key=entry.id,
        currency=entry.currency,
        act=entry.act,
        about=tuple(sorted({numbers[each] for each, _ in entry.owed})),
        owed=entry.owed,
        unapplied=entry.unapplied,
    )


def _counts(on: date, as_of: AsOf) -> bool:
    return as_of.is_now or on <= as_of.day


def _item(invoice: StatementInvoice, minor: int, day: date) -> OpenItem:
    return OpenItem(
        id=invoice.id,
        number=invoice.number,
        site=invoice.site,
        issued_on=invoice.issued_on,
        due_on=invoice.due_on,
        days_late=days_late(due_on=invoice.due_on, today=day, paid_on=None),
        total=invoice.total,
        open=minor,
    )


def _ages(items: Iterable[OpenItem]) -> tuple[int, int, int, int, int]:
    ages = [0, 0, 0, 0, 0]
    for item in items:
        ages[bisect_left(AGES, item.days_late or 0)] += item.open
    return (ages[0], ages[1], ages[2], ages[3], ages[4])
