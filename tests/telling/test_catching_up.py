"""What webhooks did not bring is asked for: each provider that lists its events, from where the last look ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from temporalio.exceptions import ApplicationError

from activities.catching_up import FIRST_LOOK
from connectors.conformance.payment_harness import Enters
from store import cursors
from tests import machine
from tests.connectors.gocardless.harness import GoCardlessHarness
from tests.connectors.stripe.harness import StripeHarness
from tests.store.money import PROVIDER
from tests.telling.conftest import TimedSandbox
from tests.telling.ground import FarSide, Ground, ground_of, read

DAY = timedelta(days=1)


@pytest_asyncio.fixture
async def ground(database: machine.Database, stripe: StripeHarness) -> AsyncIterator[Ground]:
    async with ground_of(database, stripe) as made:
        yield made


async def cursor(ground: Ground) -> Any:
    return await ground.books.one("SELECT cursor, read_at FROM connection_cursors WHERE connection_id = :id", id=PROVIDER)


async def nothing_is_delivered(database: machine.Database, far: FarSide, *, events: int) -> None:
    async with ground_of(database, far) as ground:
        saved = await ground.saved(Enters.RETURNING_DEBIT)
        await ground.catch_up()
        paid = await ground.paid(saved)
        await far.advance(12 * DAY)
        found = await ground.catch_up()
        assert (found.listed, found.fresh, found.has_more) == (events, events, False)
        assert (await ground.end(paid))["payment"] == ("returned", 10_000, 10_000)
        rows = await ground.books.rows("SELECT DISTINCT state FROM inbox WHERE subject = 'charge'")
        assert {row.state for row in rows} <= {"handled", "stale"}
        again = await ground.catch_up()
        assert (again.listed, again.fresh) == (0, 0)


async def test_what_no_webhook_brought_is_found_at_the_sandbox(database: machine.Database, sandbox: TimedSandbox) -> None:
    await nothing_is_delivered(database, sandbox, events=4)


async def test_what_no_webhook_brought_is_found_at_stripe(database: machine.Database, stripe: StripeHarness) -> None:
    await nothing_is_delivered(database, stripe, events=3)


async def test_what_no_webhook_brought_is_found_at_gocardless(
    database: machine.Database, gocardless: GoCardlessHarness
) -> None:
    await nothing_is_delivered(database, gocardless, events=5)


async def test_what_a_webhook_brought_is_a_repeat_and_starts_nothing(ground: Ground, stripe: StripeHarness) -> None:
    saved = await ground.saved(Enters.GOOD)
    await ground.catch_up()
    first, second = await ground.paid(saved), await ground.paid(saved)
    brought = read(stripe, await stripe.deliveries(first.our_ref, at_least=1))
    await ground.receive(*brought)
    found = await ground.catch_up()
    assert (found.listed, found.fresh) == (2, 1)
    rows = await ground.books.rows("SELECT our_ref, deliveries FROM inbox WHERE subject = 'charge'")
    assert {row.our_ref: row.deliveries for row in rows} == {first.our_ref: 2, second.our_ref: 1}


async def test_a_look_goes_on_where_the_last_one_ended(ground: Ground, stripe: StripeHarness) -> None:
    saved = await ground.saved(Enters.GOOD)
    await ground.catch_up()
    first = await cursor(ground)
    for _ in range(3):
        await ground.paid(saved)
    found = await ground.catch_up()
    assert (found.listed, found.fresh) == (3, 3)
    newest = await cursor(ground)
    assert newest.cursor != first.cursor
    assert newest.read_at > first.read_at
    assert (await ground.catch_up()).listed == 0
    assert (await cursor(ground)).cursor == newest.cursor


async def test_two_looks_at_once_store_each_event_once(ground: Ground) -> None:
    saved = await ground.saved(Enters.GOOD)
    paid = [await ground.paid(saved) for _ in range(2)]
    found = await asyncio.gather(*(ground.catch_up() for _ in range(3)))
    rows = await ground.books.rows("SELECT dedupe_key FROM inbox")
    assert len(rows) == len({row.dedupe_key for row in rows}) == sum(each.fresh for each in found)
    assert [await ground.state(each.payment_id) for each in paid] == ["captured", "captured"]


async def test_a_provider_that_is_away_leaves_the_place_where_it_was(ground: Ground, stripe: StripeHarness) -> None:
    saved = await ground.saved(Enters.GOOD)
    await ground.catch_up()
    before = await cursor(ground)
    await ground.paid(saved)
    away = Ground(ground.books, stripe, stripe.unreachable)
    with pytest.raises(ApplicationError) as failed:
        await away.catch_up()
    assert (failed.value.type, failed.value.non_retryable) == ("Unavailable", False)
    assert await cursor(ground) == before
    assert (await ground.catch_up()).fresh == 1


async def test_a_place_that_the_provider_has_forgotten_is_looked_for_by_time(ground: Ground, stripe: StripeHarness) -> None:
    saved = await ground.saved(Enters.GOOD)
    await ground.catch_up()
    await ground.books.rows("UPDATE connection_cursors SET cursor = 'evt_that_is_gone' RETURNING cursor")
    await ground.paid(saved)
    found = await ground.catch_up()
    assert found.fresh == 1
    assert found.listed > 1, "a day before the last look is read again, and is a repeat"
    assert (await cursor(ground)).cursor != "evt_that_is_gone"
    assert (await ground.catch_up()).listed == 0


async def test_the_first_look_goes_back_as_far_as_providers_try_to_deliver(ground: Ground, stripe: StripeHarness) -> None:
    saved = await ground.saved(Enters.GOOD)
    await ground.paid(saved)
    await stripe.advance(FIRST_LOOK + DAY)
    await ground.paid(saved)
    assert (await ground.catch_up()).listed == 1


async def test_a_look_that_was_slow_does_not_take_back_where_a_later_one_ended(ground: Ground) -> None:
    at = ground.far.now()
    for place, read_at in (("second", at), ("first", at - timedelta(seconds=1))):
        async with ground.books.store.begin("test") as tx:
            await cursors.keep(tx, PROVIDER, place, read_at=read_at)
    assert (await cursor(ground)).cursor == "second"
