"""A hundred seeds keep every promise (twenty in `make test`), the same seed is the same story, and planted faults are found.

`make soak` plays more of them. What is simulated and what is not is said in `stage.py` and `processes.py`.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import AsyncIterator
from random import Random

import pytest
import pytest_asyncio

from connectors.payments.ports import ChargeStatus
from domain.lifecycles import PaymentState
from tests import machine
from tests.simulation.acts import Acts
from tests.simulation.planted import PLANTED
from tests.simulation.processes import Habits
from tests.simulation.seeds import Ground, play
from tests.simulation.town import Rules, Town

SEEDS = 100
PARTS = 5
"""So many tests, so that several processes share them."""
IN_TIME = 1
"""So many of the parts `make test` has time for."""
LUCK = 0.25
FOUND_WITHIN = 40


@pytest_asyncio.fixture
async def ground(database: machine.Database) -> AsyncIterator[Ground]:
    opened = Ground(worker_url=database.worker_url, portal_url=database.portal_url, admin_url=database.admin_url)
    await opened.open()
    yield opened
    await opened.close()


@pytest.mark.parametrize(
    "part", [pytest.param(each, marks=() if each < IN_TIME else pytest.mark.long) for each in range(PARTS)]
)
async def test_every_promise_holds_in_every_story(ground: Ground, part: int) -> None:
    requests: Counter[str] = Counter()
    refunds: Counter[str] = Counter()
    for seed in range(part, SEEDS, PARTS):
        story = await play(ground, seed, operations=50)
        assert story.broken is None, story.told()
        assert len(story.steps) - 1 >= 50
        assert story.faults >= 5
        assert story.payments
        requests += story.requests
        refunds += story.refunds
    assert {"applied", "rejected", "undone"} <= set(requests), requests
    assert {"refunded", "failed", "refused"} <= set(refunds), refunds


async def test_the_same_seed_is_the_same_story(ground: Ground) -> None:
    first, again = await play(ground, 7), await play(ground, 7)
    assert dataclasses.replace(first, seconds=0) == dataclasses.replace(again, seconds=0)
    assert len(first.steps) > 50


IN_MAKE_TEST = "a key of each try"


@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=() if each == IN_MAKE_TEST else pytest.mark.long) for each in PLANTED]
)
async def test_a_planted_fault_is_found(ground: Ground, name: str) -> None:
    """Seeds begin where this one is soon found; should the acts be drawn otherwise one day, others find it."""
    planted = PLANTED[name]
    for seed in range(planted.first_seed, planted.first_seed + FOUND_WITHIN):
        story = await play(ground, seed, rules=planted.rules, luck=LUCK, operations=50)
        if story.broken is not None:
            assert planted.breaks in story.broken, story.told()
            assert f"--seed {seed}" in story.told()
            return
    pytest.fail(f"nothing broke in {FOUND_WITHIN} seeds")


@pytest.mark.parametrize("deaf", [False, True])
async def test_a_hint_that_reaches_a_repeated_run_is_looked_at(ground: Ground, deaf: bool) -> None:
    """A form is sent again just when the bank takes its money back: the event wakes the run that has nothing to do."""
    await ground.clear()
    town = Town(ground.worker, Random(1), Rules(habits=Habits(a_repeat_hears_nothing=deaf)))
    try:
        await town.settle_in()
        acts = Acts(town)
        charge = None
        while charge is None:
            await acts.kinds["pay"][1]()
            await town.go_on()
            for each in town.provider.charges.values():
                if each.status is ChargeStatus.NEEDS_CUSTOMER:
                    town.provider.accept(each)
            for told in list(town.provider.outgoing):
                town.receive(told)
            await town.go_on()
            charge = next((each for each in town.provider.charges.values() if each.status is ChargeStatus.CAPTURED), None)
        request = next(each for each in acts.requests if each.payment_id == charge.our_ref[:30])
        repeated = town.registry.pay(request)
        await town.stage.settle()
        town.provider.move(charge, ChargeStatus.RETURNED)
        repeated.hint()
        await town.go_on()
        rows = await town.rows("SELECT state FROM payments WHERE id = :id", id=request.payment_id)
    finally:
        await town.stage.close()
    assert rows[0].state == (PaymentState.CAPTURED if deaf else PaymentState.RETURNED)
