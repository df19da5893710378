"""Whatever was done at a far side behind Duly's back is told once and as what it is, and nothing else is told: by seeds.

One story deals out all that is known to go wrong, in `make test`; the others draw some of it.
"""

from __future__ import annotations

from random import Random

import pytest

from tests.launch.town import Town
from tests.reconciling.anomalies import PAID
from tests.reconciling.days import Days

IN_TIME = 1
SEEDS = 40
LEAST_DAYS = 2


@pytest.mark.parametrize(
    "seed", [pytest.param(each, marks=() if each < IN_TIME else pytest.mark.long) for each in range(SEEDS)]
)
async def test_each_anomaly_is_told_once_in_its_class_and_nothing_else_is(town: Town, seed: int) -> None:
    random = Random(seed)
    dealt = random.sample(sorted(PAID), len(PAID) if seed < IN_TIME else 7)
    days = Days(town, random, list(dealt))
    try:
        await days.begin()
        while days.deck or days.nights < LEAST_DAYS:
            await days.day()
        await days.put_right()
        await days.was_told_once()
    except AssertionError as broken:
        raise AssertionError(f"seed {seed}: {broken}\n" + "\n".join(days.steps)) from broken
    assert {each.name for each in days.injected} >= set(dealt)
    assert days.desk.deaths or seed >= IN_TIME, "nothing died"
