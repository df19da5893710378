"""Races across processes: two APIs, two workers, one database; nobody pays more than is open, no hold is lost."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from launch.drill.crash import findings
from launch.drill.ground import Ground, free_block, start
from launch.drill.storm import restlessness
from store import witness
from tests.processes import races
from tests.processes.house import House

NARROW = 4
WIDE = (2, 16, 64)


@pytest_asyncio.fixture(scope="module")
async def ground(house: House) -> AsyncIterator[Ground]:
    """The house with an API and a worker more. No deadlock may happen in it meanwhile."""
    await house.parts.add_api(free_block(1))
    extra = house.start_worker()
    before = await house.look(witness.deadlocks)
    yield house
    assert await house.look(witness.deadlocks) == before
    house.workers.remove(extra)
    extra.kill()
    house.parts.remove_api()


async def test_fifty_payments_for_the_same_ten_invoices_take_what_is_open_and_no_more(ground: Ground) -> None:
    await races.many_payments_for_the_same_invoices(ground, 50, random.Random(1))


async def test_races_of_one_customer_with_himself_end_in_one_payment_each(ground: Ground) -> None:
    await races.one_form_sent_many_times(ground, NARROW)
    await races.many_tabs_for_one_invoice(ground, NARROW)
    await races.everybody_tells_at_once(ground, NARROW)
    await races.paying_while_the_erp_is_read(ground, NARROW)
    await races.default_and_delete_at_once(ground, NARROW)


@pytest.mark.long
async def test_wide_races_with_four_workers_of_which_one_comes_and_goes() -> None:
    """A Duly of its own, so that every invariant of its books can be asked at the end."""
    folder = Path(tempfile.mkdtemp(prefix="duly-races-"))
    ground = await start(folder, apis=2)
    try:
        for _ in range(2):
            ground.parts.start_worker()
        async with restlessness(ground, random.Random(9), is_on=True):
            for width in WIDE:
                await races.one_form_sent_many_times(ground, width)
                await races.many_tabs_for_one_invoice(ground, width)
                await races.everybody_tells_at_once(ground, width)
                await races.paying_while_the_erp_is_read(ground, min(width, 16))
                await races.default_and_delete_at_once(ground, width)
            for seed in range(3):
                await races.many_payments_for_the_same_invoices(ground, 50, random.Random(seed))
        assert await ground.look(witness.deadlocks) == 0
        assert [each for each in await findings(ground) if not each.holds] == []
    finally:
        await ground.aclose()
        shutil.rmtree(folder, ignore_errors=True)
