"""An ERP is read by streams, each with a cursor, a failure and a next try of its own; a kill costs at most one batch."""

from __future__ import annotations

import asyncio
import signal
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import syncing
from activities.syncing import Syncing
from store import snapshots, streams
from tests.launch.town import Town
from tests.simulators.running import start_demo_erp
from tests.store.money import ERP

STREAMS = ["credits", "customers", "invoices", "payments", "quotes", "recurring"]


async def states(town: Town) -> dict[str, tuple[str | None, bool]]:
    """By stream: what it failed of, and whether it was ever read to its end."""
    rows = await town.books.rows("SELECT * FROM sync_cursors ORDER BY entity")
    return {row.entity: (row.last_error, row.loaded_at is not None) for row in rows}


def enter(town: Town, *, customers: int, invoices: int) -> None:
    """That many of each, and a quote, a template and a payment by hand, at the ERP."""
    names = [f"cust-{number}" for number in range(customers)]
    town.erp.answer(
        "POST",
        "/bulk",
        json={
            "customers": [{"id": each, "number": each, "name": each, "currency": "USD"} for each in names],
            "invoices": [
                {
                    "id": f"i-{number}", "number": f"I-{number}", "customer_id": names[number % customers],
                    "currency": "USD", "total": 1_000 + number, "issued_on": "2026-09-01", "due_on": "2026-10-01",
                }
                for number in range(invoices)
            ],
            "documents": [
                {"kind": "Payment", "customer_id": names[0], "currency": "USD", "amount": 500, "on": "2026-09-15"}
            ],
            "quotes": [
                {"number": "Q-1", "customer_id": names[0], "currency": "USD", "total": 900, "issued_on": "2026-09-01"}
            ],
            "templates": [
                {"title": "Support", "customer_id": names[0], "currency": "USD", "amount": 900, "frequency": "monthly"}
            ],
        },
    )  # fmt: skip


async def test_each_stream_is_read_to_its_end_with_a_cursor_of_its_own(town: Town) -> None:
    enter(town, customers=2, invoices=3)
    await town.sync()
    assert await states(town) == dict.fromkeys(STREAMS, (None, True))
    assert await town.books.count("erp_payments", "author = 'A person' AND unapplied = 500") == 1
    assert await town.books.count("erp_quotes", "number = 'Q-1' AND status = 'open'") == 1
    assert await town.books.count("erp_recurring", "frequency = 'monthly' AND active") == 1
    row = await town.books.one("SELECT * FROM sync_cursors WHERE entity = 'invoices'")
    assert (row.rows_read, row.expected) == (3, 3)
    async with town.books.store.begin("test") as tx:
        assert 0 < row.ok_seq < await snapshots.next_seq(tx), "drawn before the page was asked for"


async def test_a_stream_that_fails_keeps_no_other_from_being_read(town: Town) -> None:
    enter(town, customers=1, invoices=1)
    town.erp.knobs(broken=["/quotes"])
    with pytest.raises(ApplicationError, match="answered a read with 500"):
        await town.sync()
    found = await states(town)
    assert found.pop("quotes") == ("The demo ERP answered a read with 500 and nothing readable.", False)
    assert found == {each: (None, True) for each in STREAMS if each != "quotes"}
    assert await town.books.count("erp_quotes") == 0

    # It is tried again at once, then less and less often, and not at all meanwhile.
    for _ in range(2):
        with pytest.raises(ApplicationError):
            await town.sync()
    await town.sync()
    waiting = await town.books.one("SELECT * FROM sync_cursors WHERE entity = 'quotes'")
    assert (waiting.failures, waiting.next_try_at - waiting.failed_at) == (3, timedelta(seconds=15))
    town.erp.knobs(reset=True)
    town.books.at += timedelta(seconds=15)
    await town.sync()
    assert (await states(town))["quotes"] == (None, True)
    assert await town.books.count("erp_quotes") == 1


async def test_an_erp_that_is_down_is_asked_once_and_pinged_once(town: Town) -> None:
    enter(town, customers=1, invoices=1)
    town.erp.knobs(down=True)
    town.erp.answer("DELETE", "/test/requests")
    with pytest.raises(ApplicationError, match="says that it is down"):
        await town.sync()
    assert town.erp.answer("GET", "/test/requests") == {"GET /customers": 1, "GET /ping": 1}
    town.erp.knobs(reset=True)
    await town.sync()
    assert await states(town) == dict.fromkeys(STREAMS, (None, True))


async def test_what_was_read_of_a_first_load_before_it_failed_is_kept(town: Town) -> None:
    """The third page of a batch fails: two are stored, and the failure is told when it comes alone."""
    enter(town, customers=1, invoices=3 * syncing.PAGE)
    town.erp.knobs(broken=["/invoices"], broken_after=2)
    with pytest.raises(ApplicationError, match="answered a read with 500"):
        await town.sync()
    row = await town.books.one("SELECT * FROM sync_cursors WHERE entity = 'invoices'")
    assert (row.rows_read, row.loaded_at, row.failures) == (2 * syncing.PAGE, None, 1)
    assert await town.books.count("invoices") == 2 * syncing.PAGE
    town.erp.knobs(reset=True)
    await town.sync()
    assert await town.books.count("invoices") == 3 * syncing.PAGE


async def test_an_erp_that_answers_slowly_costs_no_batch_its_time(town: Town) -> None:
    """However slow it is, each call stores what it read and is asked again for the rest."""
    enter(town, customers=1, invoices=2 * syncing.PAGE + 1)
    slow = Syncing(town.books.store, {ERP: town.connector}, town.books.now, connection_id=ERP, read_for_seconds=0)
    read = [await ActivityEnvironment().run(slow.sync_pages, 10) for _ in range(3)]
    assert [(each.invoices, each.more) for each in read] == [(syncing.PAGE, True), (syncing.PAGE, True), (1, False)]


LOADER = """
import asyncio, sys
from datetime import UTC, datetime
from temporalio.testing import ActivityEnvironment
from activities.syncing import Syncing
from connectors.erp.demo import DemoErpConfig, build
from store import faults
from store.database import Database
url, erp_url, key, fault = sys.argv[1:]
faults.install(fault)
async def main():
    database = Database(url, pool_size=2)
    erp = build(DemoErpConfig(base_url=erp_url, api_key=key))
    work = Syncing(database, {"demo": erp}, lambda: datetime.now(UTC), connection_id="demo")
    while (await ActivityEnvironment().run(work.sync_pages, 10)).more:
        pass
asyncio.run(main())
"""


async def load(town: Town, fault: str = "") -> int:
    """A process of its own loads until it is done or killed; its status."""
    arguments = [town.database.worker_url, town.erp.url, town.erp.api_key, fault]
    running = await asyncio.create_subprocess_exec(sys.executable, "-c", LOADER, *arguments, cwd=Path.cwd())
    return await running.wait()


async def test_a_load_that_is_killed_goes_on_where_its_last_batch_ended(town: Town) -> None:
    """Killed before and after the commit of a batch of invoices: at most that batch is read again, and nothing is double."""
    batch = syncing.LOAD_PAGES * syncing.PAGE
    enter(town, customers=3, invoices=2 * batch + 7)
    # The first take is that of the customers.
    assert await load(town, "sync.page.take.before_commit:kill9:3") == -signal.SIGKILL
    assert await town.books.count("invoices") == batch, "the batch in hand is lost, and nothing else"
    async with town.books.store.begin("test") as tx:
        assert await streams.rows_read(tx, ERP) == batch + 3
    assert await load(town, "sync.page.take.after_commit:kill9:2") == -signal.SIGKILL
    assert await town.books.count("invoices") == 2 * batch, "a batch that was stored is not read again"
    assert await load(town) == 0
    assert await town.books.count("invoices") == 2 * batch + 7
    row = await town.books.one("SELECT * FROM sync_cursors WHERE entity = 'invoices'")
    assert row.rows_read == 2 * batch + 7, "no row was counted twice"
    assert await town.books.count("invoices", "total <> 1000 + cast(substr(erp_id, 3) AS int)") == 0


async def test_a_load_whose_erp_is_killed_goes_on_from_its_last_batch_when_it_is_back(town: Town) -> None:
    """Its books survive it, and ours say how far they were read: nothing is asked for from the beginning."""
    batch = syncing.LOAD_PAGES * syncing.PAGE
    enter(town, customers=1, invoices=2 * batch + 7)
    await ActivityEnvironment().run(town.syncing.sync_pages, syncing.LOAD_PAGES)
    town.erp.knobs(hang=True)
    reading = asyncio.create_task(ActivityEnvironment().run(town.syncing.sync_pages, syncing.LOAD_PAGES))
    town.erp.program.kill()
    with pytest.raises(ApplicationError):
        await reading
    assert await town.books.count("invoices") == batch
    port = int(town.erp.url.rpartition(":")[2])
    town.erp.program = start_demo_erp(town.erp.data, api_key=town.erp.api_key, port=port).program
    town.books.at += timedelta(minutes=1)
    await town.sync()
    asked = town.erp.answer("GET", "/test/requests")["GET /invoices"]
    assert asked == syncing.LOAD_PAGES + 1, "what was stored is not asked for again"
    assert await town.books.count("invoices") == 2 * batch + 7
    row = await town.books.one("SELECT * FROM sync_cursors WHERE entity = 'invoices'")
    assert row.rows_read == 2 * batch + 7, "no row was counted twice"
