"""Exporting a comparison: files from which somebody else recomputes it, with the journal's seals.

`payments.csv` is what Duly holds, `charges.csv` what the providers show now, `documents.csv` what the ERPs showed when they
were last read, `payouts.csv` and `payout_items.csv` what the providers paid out, `differences.csv` what is open between
them; `journal.csv` and `seals.csv` are the books and their seals.
Amounts are minor units. docs/how-to/recompute.py reads them, and shares no code with Duly.
"""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from activities.asking import Asking
from activities.providers import Providers
from activities.several import of_each
from connectors.errors import ConnectorError
from connectors.payments.ports import PaymentProvider
from domain import sealing
from store import exports, seals
from store.database import Database
from store.exports import ExportedPayment

Row = Sequence[object]

HEADINGS: Final[Mapping[str, Sequence[str]]] = {
    "payments.csv": (
        "payment", "reference", "customer", "state", "amount", "currency", "captured", "returned", "posting", "erp",
    ),
    "charges.csv": ("payment", "charge", "status", "amount", "currency", "provider"),
    "documents.csv": ("reference", "document", "stands", "amount", "currency", "erp"),
    "payouts.csv": ("payout", "state", "amount", "currency", "itemised", "deposit", "provider", "erp"),
    "payout_items.csv": ("payout", "item", "kind", "gross", "fee", "net", "currency", "payment", "refund", "provider"),
    "differences.csv": ("kind", "item", "amount", "currency", "opened_at"),
    "journal.csv": (
        "seq", "entry", "process", "kind", "currency", "booked_at", "position", "account", "holder", "invoice", "amount",
    ),
    "seals.csv": ("number", "first_seq", "last_seq", "entries", "tree", "previous", "seal", "sealed_at"),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """How many rows each file has, and which providers could not be asked."""

    rows: Mapping[str, int]
    problems: tuple[str, ...]


async def export(
    database: Database, providers: Mapping[str, PaymentProvider], folder: Path, *, tell: Callable[[str], None]
) -> Exported:
    """Write every file; one that is there is replaced once the new one is whole. `tell` hears which."""
    counts: dict[str, int] = {}
    problems: list[str] = []
    charges = _charges(database, providers, problems)
    for name, rows in (
        ("payments.csv", _payments(database)),
        ("charges.csv", charges),
        ("documents.csv", _pages(database, exports.documents)),
        ("payouts.csv", _pages(database, exports.payouts)),
        ("payout_items.csv", _pages(database, exports.payout_items)),
        ("differences.csv", _pages(database, exports.differences)),
        ("journal.csv", _journal(database)),
        ("seals.csv", _seals(database)),
    ):
        tell(name)
        counts[name] = await _write(folder / name, HEADINGS[name], rows)
    return Exported(rows=counts, problems=tuple(dict.fromkeys(problems)))


async def _write(path: Path, heading: Sequence[str], rows: AsyncIterator[Row]) -> int:
    count = 0
    unfinished = path.with_suffix(".part")
    with unfinished.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(heading)
        async for row in rows:
            writer.writerow([_text(each) for each in row])
            count += 1
    unfinished.replace(path)
    return count


def _text(value: object) -> object:
    if isinstance(value, datetime):
        return sealing.moment(value)
    return "" if value is None else value


async def _payments(database: Database) -> AsyncIterator[Row]:
    async for page in _payment_pages(database):
        for each in page:
            yield (
                each.id, f"{each.id}-captured", each.customer_id, each.state, each.amount, each.currency, each.captured,
                each.returned, each.posting, each.erp,
            )  # fmt: skip


async def _payment_pages(database: Database) -> AsyncIterator[Sequence[ExportedPayment]]:
    after = ""
    while True:
        async with database.begin("export.payments") as tx:
            page = await exports.payments(tx, after=after)
        if not page:
            return
        yield page
        after = page[-1].id


async def _charges(database: Database, providers: Mapping[str, PaymentProvider], problems: list[str]) -> AsyncIterator[Row]:
    asking = Asking(database, Providers(providers))
    unanswered: set[str] = set()
    found: dict[str, list[Row]] = {}

    async def ask(payment: ExportedPayment) -> None:
        if payment.provider in unanswered:
            return
        try:
            for each in await asking.every_charge_of(payment.provider, payment.id, payment.attempts):
                row = (payment.id, each.provider_id, each.status.value, each.amount.minor, each.amount.currency)
                found.setdefault(payment.id, []).append((*row, payment.provider))
        except ConnectorError as error:
            unanswered.add(payment.provider)
            problems.append(f"{payment.provider}: {error}")

    async for page in _payment_pages(database):
        found.clear()
        await of_each(page, ask)
        for payment in page:
            for row in found.get(payment.id, ()):
                yield row


async def _pages(database: Database, read: Callable[..., Any]) -> AsyncIterator[Row]:
    after: tuple[object, ...] | None = None
    while True:
        async with database.begin("export.page") as tx:
            page: Sequence[tuple[tuple[object, ...], Row]] = await read(tx, after=after)
        for _, row in page:
            yield row
        if not page:
            return
        after = page[-1][0]


async def _journal(database: Database) -> AsyncIterator[Row]:
    after = 0
    while True:
        async with database.begin("export.journal") as tx:
            page = await seals.entries(tx, after=after, until=2**62, limit=1000)
        if not page:
            return
        for each in page:
            head = (each.seq, each.id, each.process_id, each.kind, each.currency, each.booked_at)
            for position, line in enumerate(each.lines):
                yield (*head, position, line.account, line.holder, line.invoice_id, line.minor)
        after = page[-1].seq


async def _seals(database: Database) -> AsyncIterator[Row]:
    async with database.begin("export.seals") as tx:
        made: Iterable[seals.Seal] = reversed(await seals.every(tx))
    for each in made:
        yield (
            each.number, each.first_seq, each.last_seq, each.entries, each.tree, each.previous, each.seal, each.sealed_at,
        )  # fmt: skip
