"""Every case, small: its variants do the same job, and its goals speak of variants that it has."""

import pytest

from bench import goals
from bench.case import Case
from bench.cases import all_cases

QUICKLY: frozenset[str] = frozenset({"P5"})
"""What is also played in `make test`: seconds, and no server but PostgreSQL."""


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case.id, marks=() if case.id in QUICKLY else pytest.mark.long) for case in all_cases()]
)
async def test_every_variant_of_a_case_does_the_same_job(case: Case) -> None:
    of_this_case = [goal for goal in goals.read() if goal.case == case.id]
    async with case.prepared(True) as prepared:
        goals.require_known(of_this_case, [variant.name for variant in prepared.variants])
        await prepared.same()
