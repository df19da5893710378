"""Taking a file of an accounting system into Duly's receivables: all of it in one transaction, or (asked for) what is good.

What is good is taken in by batches, each a transaction: whatever stops it loses the batch that it was at, and the file is
taken in again, which writes what is not there yet.

A file says what is paid, and not by whom. Payments made here are in the days' files that Duly writes out; which of those
the accounting system had booked when it exported, a person says (`booked_through`), and it is remembered. What is in
younger files is put on top of what the file says is paid: nobody is asked twice for what they paid.

What was read goes where a sync's rows go (`store/snapshots.py`), under a connection of its own, so that pages, links and
payments know no difference. A file tells everything each time: what it says again changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import Final

from connectors.files import Counted, DateOrder, Opened, Problem, Read, Skipped, open_export
from domain.money import Money
from domain.receivables import ErpInvoice, ErpSettlement, SettlementKind
from store import access_log, connections, cursors, imported, snapshots
from store.access_log import Act
from store.database import Database, Transaction

CONNECTION: Final = "csv"
ACTOR: Final = "duly import"
_BATCH: Final = 500
_PROBLEMS_MOST: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a person asked for. `dates`, `currency` and `encoding` are for files that do not say it themselves."""

    path: Path
    currency: str | None = None
    dates: DateOrder | None = None
    encoding: str | None = None
    partial: bool = False
    booked_through: date | None = None
    mode: str = "sandbox"


@dataclass(slots=True, kw_only=True)
class Result:
    """What became of a file. `problems` are the first thousand; `kept` is False where nothing of the file was taken in."""

    layout: str
    kind: str
    read: int = 0
    customers: int = 0
    changed: int = 0
    refused: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    kept: bool = False


class _NothingKept(Exception):
    """Rolls the transaction back."""


async def take_in(
    database: Database,
    wanted: Wanted,
    *,
    at: datetime,
    told: Callable[[int, int | None], None] = lambda _done, _of: None,
    refused: Callable[[Problem], None] = lambda _: None,
) -> Result:
    """Read a file and take it in; `told` hears rows done, of how many (None while they are counted), `refused` each problem.

    Raises FileRefused for a file of which nothing can be read, and OSError where it cannot be opened.
    """
    # Drawn before the file is read, as for any ERP: what is confirmed later than this cannot be in the file.
    async with database.begin("import.sequence") as tx:
        read_seq = await snapshots.next_seq(tx)
    opened = open_export(wanted.path, encoding=wanted.encoding)
    counted = opened.count(wanted.dates, told=lambda rows: told(rows, None))
    result = Result(layout=opened.columns.layout.name, kind=opened.columns.layout.kind)
    batches = _batches(opened, counted, wanted, result, told, refused)
    if wanted.partial:
        await _take_what_is_good(database, wanted, result, batches, read_seq=read_seq, at=at)
        result.kept = True
        return result
    try:
        async with database.begin("import.take") as tx:
            writing = await _begin(tx, wanted, result, read_seq=read_seq, at=at)
            for batch in batches:
                # After the first problem nothing of the file will be kept: the rest is read only for its own problems.
                if not result.refused:
                    await writing.take(tx, batch)
            if result.refused:
                raise _NothingKept
            await _end(tx, wanted, result, at=at)
    except _NothingKept:
        result.customers = result.changed = 0
    else:
        result.kept = True
    return result


async def _take_what_is_good(
    database: Database, wanted: Wanted, result: Result, batches: Iterator[list[Read]], *, read_seq: int, at: datetime
) -> None:
    async with database.begin("import.begin") as tx:
        writing = await _begin(tx, wanted, result, read_seq=read_seq, at=at)
    for batch in batches:
        async with database.begin("import.batch") as tx:
            await writing.take(tx, batch)
    async with database.begin("import.end") as tx:
        await _end(tx, wanted, result, at=at)


async def _begin(tx: Transaction, wanted: Wanted, result: Result, *, read_seq: int, at: datetime) -> _Writing:
    await connections.announce(
        tx, connection_id=CONNECTION, role="erp", connector=CONNECTION, mode=wanted.mode, offers={}, at=at
    )
    booked = await _booked_through(tx, wanted, at=at)
    return _Writing(result=result, read_seq=read_seq, booked=booked, at=at)


async def _end(tx: Transaction, wanted: Wanted, result: Result, *, at: datetime) -> None:
    facts: dict[str, str | int] = {"file": wanted.path.name, "rows": result.read, "changed": result.changed}
    await access_log.note(tx, Act(actor=ACTOR, action="file_imported", facts=facts), at=at)


async def _booked_through(tx: Transaction, wanted: Wanted, *, at: datetime) -> str:
    """The last day of which the accounting system has our file, as ISO text; '' for none. It only goes on."""
    said = wanted.booked_through.isoformat() if wanted.booked_through is not None else ""
    kept = await cursors.load(tx, CONNECTION)
    known = kept.cursor or "" if kept is not None else ""
    if said > known:
        await cursors.keep(tx, CONNECTION, said, read_at=at)
    return max(said, known)


def _batches(
    opened: Opened,
    counted: Counted,
    wanted: Wanted,
    result: Result,
    told: Callable[[int, int | None], None],
    refused: Callable[[Problem], None],
) -> Iterator[list[Read]]:
    """What can be read, by batches; all else is counted and told."""
    done = 0
    items = opened.read(counted, currency=wanted.currency)
    while batch := list(islice(items, _BATCH)):
        for item in batch:
            _count(result, item)
            if isinstance(item, Problem):
                refused(item)
            done += item.rows if isinstance(item, Read | Skipped) else 1
        yield [item for item in batch if isinstance(item, Read)]
        told(min(done, counted.rows), counted.rows)
    told(counted.rows, counted.rows)


def _count(result: Result, item: Read | Skipped | Problem) -> None:
    match item:
        case Read():
            result.read += 1
        case Skipped(why=why):
            if why:
                result.skipped[why] = result.skipped.get(why, 0) + 1
        case Problem():
            result.refused += 1
            if len(result.problems) < _PROBLEMS_MOST:
                result.problems.append(item)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Writing:
    """Writes batches, and counts what changed."""

    result: Result
    read_seq: int
    booked: str
    at: datetime

    async def take(self, tx: Transaction, reads: list[Read]) -> None:
        invoices = [each.invoice for each in reads if each.invoice is not None]
        customers = {each.customer.erp_id: each.customer for each in reads}
        if self.result.kind == "invoices":
            # An invoice's row names its customer; only a file of customers may change one that is known.
            known = await snapshots.known_customers(tx, list(customers), connection_id=CONNECTION)
            customers = {erp_id: each for erp_id, each in customers.items() if erp_id not in known}
        written = await snapshots.take_customers(tx, list(customers.values()), connection_id=CONNECTION, at=self.at)
        self.result.customers += written
        if self.result.kind == "customers":
            self.result.changed += written
        if invoices:
            invoices = await self._with_ours(tx, invoices)
            differing = await snapshots.changed(tx, invoices, connection_id=CONNECTION)
            taken = await snapshots.take(tx, differing, self.read_seq, connection_id=CONNECTION, at=self.at)
            self.result.changed += len(taken)

    async def _with_ours(self, tx: Transaction, invoices: list[ErpInvoice]) -> list[ErpInvoice]:
        """Each with our own money as settlements, and what no file of theirs can have counted on top of what they say."""
        erp_ids = [each.erp_id for each in invoices]
        found: dict[str, list[imported.Ours]] = {}
        for each in await imported.ours_on(tx, erp_ids, connection_id=CONNECTION, before_seq=self.read_seq):
            found.setdefault(each.invoice_erp_id, []).append(each)
        return [_with_ours(each, found.get(each.erp_id, []), booked=self.booked) for each in invoices]


def _with_ours(invoice: ErpInvoice, ours: list[imported.Ours], *, booked: str) -> ErpInvoice:
    if not ours:
        return invoice
    # A document's id begins with its file's name: by it alone a day is told, whatever the clock said when it was confirmed.
    waiting = sum(each.minor for each in ours if not booked or each.document[: len(_day_file(booked))] > _day_file(booked))
    settled = min(invoice.settled.minor + waiting, invoice.total.minor)
    settlements = tuple(
        ErpSettlement(
            kind=SettlementKind.PAYMENT,
            document_number=each.document,
            amount=Money.of(each.minor, invoice.currency),
            on=each.on,
            reference=each.posting_id,
        )
        for each in ours
    )
    return replace(invoice, settled=Money.of(max(settled, 0), invoice.currency), settlements=settlements)


def _day_file(day: str) -> str:
    return f"payments-{day}"
