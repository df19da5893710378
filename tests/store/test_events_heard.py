"""Events that an answer of the provider knew: done with, whether or not somebody was woken for them yet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest_asyncio

from store import inbox
from store.database import Database
from tests import machine

NOON = datetime(2026, 4, 2, 12, 0, tzinfo=UTC)
REFERENCE = "pay_x-1"


@pytest_asyncio.fixture
async def worker(database: machine.Database) -> AsyncIterator[Database]:
    opened = Database(database.worker_url, pool_size=1)
    yield opened
    await opened.close()


async def come(
    worker: Database, key: str, *, subject: str = "charge", provider_id: str | None = "ch_1", at: datetime
) -> str:
    async with worker.begin("test") as tx:
        inbox_id, is_new = await inbox.receive(
            tx,
            connection_id="sandbox",
            dedupe_key=key,
            event_id=key,
            kind=f"{subject}.updated",
            subject=subject,
            our_ref=REFERENCE,
            provider_id=provider_id,
            claims=None,
            occurred_at=at,
            facts={},
            at=at,
        )
    assert is_new
    return inbox_id


async def test_an_answer_is_the_end_of_what_came_before_it_but_for_another_charge(worker: Database) -> None:
    before, after = NOON - timedelta(seconds=1), NOON + timedelta(seconds=1)
    events = {
        "woken": await come(worker, "woken", provider_id="ch_2", at=before),
        "not woken yet": await come(worker, "not woken yet", at=before),
        "a set-up's": await come(worker, "a set-up's", subject="setup", provider_id="seti_9", at=before),
        "another charge's": await come(worker, "another charge's", provider_id="ch_2", at=before),
        "later": await come(worker, "later", at=after),
    }
    async with worker.begin("test") as tx:
        await inbox.close(tx, events["woken"], "delivered", at=before)
        await inbox.heard(
            tx, [REFERENCE], connection_id="sandbox", provider_id="ch_1", asked_at=NOON, is_news=True, at=after
        )
        # Whoever woke the process notes it only now.
        await inbox.close(tx, events["not woken yet"], "delivered", at=after, seen="received")
        rows = await tx.rows("SELECT id, state FROM inbox")
    states = {row.id: row.state for row in rows}
    assert {name: states[each] for name, each in events.items()} == {
        "woken": "handled",
        "not woken yet": "handled",
        "a set-up's": "handled",
        "another charge's": "received",
        "later": "received",
    }
