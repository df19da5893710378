"""Plays cases: prove the same answers, warm up, then rounds in which every variant takes one turn."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Final

from bench import goals, noise
from bench.case import Case, Prepared, Role, Sample, Variant
from bench.goals import Goal, Judged
from bench.noise import Noise
from bench.pair import orders

ROUNDS: Final = 7
QUICK_ROUNDS: Final = 3
_PLAYED_AGAIN_MOST: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a run is played."""

    rounds: int
    quick: bool
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a case showed. `rounds` are variant → sample; `played_again` counts rounds that the machine's noise spoilt."""

    id: str
    title: str
    roles: Mapping[str, Role]
    rounds: Sequence[Mapping[str, Sample]]
    facts: Mapping[str, float]
    judged: Sequence[Judged]
    noise: tuple[Noise, Noise]
    played_again: int


async def play(case: Case, plan: Plan, wanted: Sequence[Goal], *, say: Callable[[str], None]) -> Result:
    """One case from its set-up to its verdicts. Raises Different when its variants do not do the same job."""
    before = await asyncio.to_thread(noise.look)
    of_this_case = [goal for goal in wanted if goal.case == case.id]
    async with case.prepared(plan.quick) as prepared:
        goals.require_known(of_this_case, [variant.name for variant in prepared.variants])
        await prepared.same()
        if prepared.variants:
            say(f"{case.id}: every variant gives the same answer")
        for variant in prepared.variants:
            await _turn(variant)  # the first turn pays for caches, plans and connections
        rounds, played_again = await _rounds(prepared, plan, say=lambda text: say(f"{case.id}: {text}"))
        facts = await prepared.facts()
    return Result(
        id=case.id,
        title=case.title,
        roles={variant.name: variant.role for variant in prepared.variants},
        rounds=rounds,
        facts=facts,
        judged=[goals.judge(goal, rounds, facts) for goal in of_this_case],
        noise=(before, await asyncio.to_thread(noise.look)),
        played_again=played_again,
    )


async def _rounds(prepared: Prepared, plan: Plan, *, say: Callable[[str], None]) -> tuple[list[dict[str, Sample]], int]:
    if not prepared.variants:
        return [], 0
    by_name = {variant.name: variant for variant in prepared.variants}
    rounds: list[dict[str, Sample]] = []
    played_again = 0
    turns = orders(list(by_name), Random(plan.seed))
    for turn in islice(turns, plan.rounds + _PLAYED_AGAIN_MOST):
        before = noise.loops_per_second()
        samples = {name: await _turn(by_name[name]) for name in turn}
        if noise.drifted(before, noise.loops_per_second()) and played_again < _PLAYED_AGAIN_MOST:
            played_again += 1
            say("the machine changed its speed meanwhile: this round is played again")
            continue
        rounds.append(samples)
        say(f"round {len(rounds)} of {plan.rounds}")
        if len(rounds) == plan.rounds:
            break
    return rounds, played_again


async def _turn(variant: Variant) -> Sample:
    if variant.before is not None:
        await variant.before()
    return await variant.once()
