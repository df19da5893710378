"""The books in figures: right, in one statement, and by an index however much was closed long ago."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest_asyncio
from sqlalchemy import event

from connectors.payments.ports import ChargeStatus
from connectors.telemetry.metrics import GAUGES
from store.views import operations
from tests import machine
from tests.store.money import Books, books_of


@pytest_asyncio.fixture
async def books(database: machine.Database) -> AsyncIterator[Books]:
    async with books_of(database) as opened:
        yield opened


async def figures(books: Books, *, later: timedelta = timedelta(0)) -> dict[tuple[str, str], int]:
    async with books.store.begin("test") as tx:
        return {(name, label): number for name, label, number in await operations.figures(tx, at=books.at + later)}


async def test_figures_say_what_waits_and_for_how_long(books: Books) -> None:
    customer_id, (first, second, third, fourth) = await books.customer(1_000, 1_000, 1_000, 1_000)
    paid = await books.opened(customer_id, (first, 1_000))
    await books.record(paid, ChargeStatus.CAPTURED)
    unknown = await books.opened(customer_id, (second, 1_000))
    await books.recording.record(unknown, "unknown", None, "no answer")
    flying = await books.opened(customer_id, (third, 1_000))
    await books.record(flying, ChargeStatus.PROCESSING)
    other = await books.opened(customer_id, (fourth, 1_000))
    await books.record(other, ChargeStatus.CAPTURED, minor=900)  # another amount: a difference, and unknown

    found = await figures(books, later=timedelta(seconds=90))

    assert found["duly_payments_in_flight", "unknown"] == 2
    assert found["duly_payments_in_flight", "processing"] == 1
    assert found["duly_payments_last_hour", "captured"] == 1
    assert found["duly_unknown_charge_oldest_seconds", ""] == 90
    assert found["duly_postings_waiting", "queued"] == 1
    assert found["duly_postings_oldest_seconds", ""] == 90
    assert found["duly_outbox_waiting", ""] > 0
    assert found["duly_outbox_oldest_seconds", ""] == 90
    assert found["duly_inbox_waiting", ""] == 0
    assert found["duly_differences_open", "another_amount"] == 1
    assert {name for name, _ in found} <= set(GAUGES)


async def test_what_is_older_than_an_hour_is_not_counted_for_ever(books: Books) -> None:
    customer_id, (first,) = await books.customer(1_000)
    await books.record(await books.opened(customer_id, (first, 1_000)), ChargeStatus.CAPTURED)
    assert ("duly_payments_last_hour", "captured") in await figures(books, later=timedelta(minutes=59))
    assert ("duly_payments_last_hour", "captured") not in await figures(books, later=timedelta(minutes=61))


async def test_an_event_that_woke_nobody_is_seen(books: Books) -> None:
    await books.damage(
        """INSERT INTO inbox (id, connection_id, dedupe_key, event_id, kind, subject, state, received_at)
           VALUES ('evt_1', 'sandbox', 'k', 'e', 'charge.captured', 'charge', 'received', :at)""",
        at=books.at,
    )
    found = await figures(books, later=timedelta(seconds=30))
    assert (found["duly_inbox_waiting", ""], found["duly_inbox_oldest_seconds", ""]) == (1, 30)


async def test_a_scrape_is_one_statement_and_reads_no_table_that_grows(books: Books) -> None:
    seen: list[str] = []
    engine = books.store.engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda _c, _k, statement, *_: seen.append(statement))
    await figures(books)
    assert len(seen) == 1
    async with books.store.begin("test") as tx:
        await tx.run("SET LOCAL enable_seqscan = off")
        values = {"at": books.at, "hour_ago": books.at - timedelta(hours=1)}
        plan = "\n".join(row[0] for row in await tx.rows(f"EXPLAIN {operations._FIGURES}", **values))
    # With sequential scans forbidden, one is left only where there is no index for the question.
    scanned = {line.split(" on ")[1].split()[0] for line in plan.splitlines() if "Seq Scan on" in line}
    assert scanned <= {"sync_cursors"}, plan  # a row for each kind of thing that an ERP is read for
