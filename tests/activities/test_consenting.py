"""Tokens of a consent: of many who renew at once one does, an answer is written before it is used, silence loses none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from activities.consenting import StoredTokens, packed
from connectors.declaring import TokenPair
from connectors.errors import ConsentGone, Misconfigured, OutcomeUnknown, Unavailable
from store import consents
from store.database import Database
from store.envelopes import Envelopes
from tests import machine

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
KEYS = Envelopes([("test", bytes(range(32)))])


def pair(number: int) -> TokenPair:
    return TokenPair(access=f"access-{number}", refresh=f"refresh-{number}", expires_at=NOW + timedelta(minutes=30))


@dataclass
class Vendor:
    """Gives the next pair for the newest refresh token; for any other it throws everybody out, as vendors do."""

    newest: int = 1
    renewals: int = 0
    is_open: bool = True
    is_silent: bool = False
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    answers: asyncio.Event = field(default_factory=asyncio.Event)

    async def renew(self, used: TokenPair) -> TokenPair:
        if self.is_silent:
            raise OutcomeUnknown("nothing came back")
        self.renewals += 1
        self.asked.set()
        if used.refresh != f"refresh-{self.newest}" or not self.is_open:
            self.is_open = False
            raise ConsentGone("invalid_grant")
        self.newest += 1
        answered = self.newest
        await self.answers.wait()
        return pair(answered)


@dataclass
class Processes:
    """A worker and the staff's door, each with connections to the database of its own."""

    worker: StoredTokens
    door: StoredTokens
    owner: Database


@pytest_asyncio.fixture
async def processes(database: machine.Database) -> AsyncIterator[Processes]:
    worker, staff, owner = (Database(url) for url in (database.worker_url, database.staff_url, database.admin_url))
    async with staff.begin("test") as tx:
        await tx.run(
            """INSERT INTO connections (id, role, connector, mode, is_managed, changed_at, offers)
               VALUES ('books', 'erp', 'any', 'sandbox', true, :at, '{}')""",
            at=NOW,
        )
        await consents.keep(tx, KEYS, "books", packed(pair(1)), choices={}, by="ann@duly.example", at=NOW)
    yield Processes(
        worker=StoredTokens(worker, KEYS, "books", lambda: NOW),
        door=StoredTokens(staff, KEYS, "books", lambda: NOW),
        owner=owner,
    )
    for each in (worker, staff, owner):
        await each.close()


async def somebody_waits_for_a_row(database: Database) -> None:
    async with asyncio.timeout(4):
        while True:
            async with database.begin("test") as tx:
                waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
                if await tx.rows(waits):
                    return
            await asyncio.sleep(0.02)


async def test_two_processes_that_renew_at_once_renew_once_and_both_go_on(processes: Processes) -> None:
    vendor = Vendor()
    first = asyncio.create_task(processes.worker.renewed(pair(1), vendor.renew))
    second = asyncio.create_task(processes.door.renewed(pair(1), vendor.renew))
    await somebody_waits_for_a_row(processes.owner)
    vendor.answers.set()
    assert list(await asyncio.gather(first, second)) == [pair(2), pair(2)]
    assert (vendor.renewals, vendor.is_open) == (1, True)
    assert await processes.door.current() == pair(2)


async def test_who_renews_with_what_each_remembers_is_thrown_out(processes: Processes) -> None:
    """The naive way: nobody asks the one place where the pair is."""
    vendor = Vendor()
    vendor.answers.set()
    remembered = await processes.worker.current()
    await vendor.renew(remembered)
    with pytest.raises(ConsentGone):
        await vendor.renew(remembered)
    assert not vendor.is_open


async def test_a_renewal_without_an_answer_leaves_the_pair_that_there_is(processes: Processes) -> None:
    vendor = Vendor(is_silent=True)
    with pytest.raises(Unavailable):
        await processes.worker.renewed(pair(1), vendor.renew)
    assert await processes.worker.current() == pair(1)
    vendor.is_silent = False
    vendor.answers.set()
    assert await processes.worker.renewed(pair(1), vendor.renew) == pair(2)


async def test_an_answer_is_kept_even_where_nobody_waits_for_it_any_more(processes: Processes) -> None:
    vendor = Vendor()
    waiting = asyncio.create_task(processes.worker.renewed(pair(1), vendor.renew))
    await vendor.asked.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    vendor.answers.set()
    assert await processes.door.renewed(pair(1), vendor.renew) == pair(2)
    assert vendor.renewals == 1


async def test_a_consent_that_ended_is_offered_to_nobody_until_it_is_given_again(processes: Processes) -> None:
    vendor = Vendor(is_open=False)
    with pytest.raises(ConsentGone):
        await processes.worker.renewed(pair(1), vendor.renew)
    for each in (processes.worker, processes.door):
        with pytest.raises(ConsentGone, match="has ended"):
            await each.current()
    async with processes.door.database.begin("test") as tx:
        await consents.keep(tx, KEYS, "books", packed(pair(7)), choices={}, by="ann@duly.example", at=NOW)
    assert await processes.worker.current() == pair(7)


async def test_a_key_of_ours_that_is_wrong_ends_no_consent(processes: Processes) -> None:
    async def refused(_: TokenPair) -> TokenPair:
        raise Misconfigured("invalid_client")

    with pytest.raises(Misconfigured):
        await processes.worker.renewed(pair(1), refused)
    assert await processes.worker.current() == pair(1)


async def test_a_pair_is_stored_sealed_moves_to_the_newest_master_key_and_opens_for_no_other_connection(
    processes: Processes,
) -> None:
    newer = Envelopes([("newer", bytes(32)), ("test", bytes(range(32)))])
    database = processes.door.database
    async with database.begin("test") as tx:
        held = await consents.read(tx, "books")
        assert held is not None
        assert "refresh" not in held.sealed
        assert await consents.wrap_anew(tx, newer) == 1
    moved = StoredTokens(database, newer, "books", lambda: NOW)
    assert await moved.current() == pair(1)
    with pytest.raises(Misconfigured, match="cannot be opened"):
        await processes.worker.current()


async def test_a_state_is_good_once_for_its_session_and_for_a_quarter_of_an_hour(processes: Processes) -> None:
    async with processes.door.database.begin("test") as tx:
        ours, late = [await consents.ask(tx, "books", session="s1", by="ann", at=NOW) for _ in range(2)]
        assert await consents.came_back(tx, ours, session="s2", at=NOW) is None
        assert await consents.came_back(tx, ours, session="s1", at=NOW) == "books"
        assert await consents.came_back(tx, ours, session="s1", at=NOW) is None
        over = NOW + consents.ASKED_LIVES
        assert await consents.came_back(tx, late, session="s1", at=over) is None
