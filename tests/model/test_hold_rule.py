"""Holds, late success, attempts and what late money wanted: the rule under every order of events, and its broken
relatives, each caught by the story that the rule exists for.
"""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.model.hold_stories import LATE, SOUND, STORIES, Script
from tests.model.holds_walk import HoldRules, HoldWorld


class HoldMachine(RuleBasedStateMachine):
    """Hypothesis plays payers, provider, clock and staff."""

    def __init__(self) -> None:
        super().__init__()
        self.world = HoldWorld(SOUND)

    @rule(kind=st.integers(0, 999), pick=st.integers(0, 63))
    def something_happens(self, kind: int, pick: int) -> None:
        possible = list(self.world.possible().items())
        name, choices = possible[kind % len(possible)]
        self.world.perform(name, *choices[pick % len(choices)])

    @invariant()
    def every_promise_is_kept(self) -> None:
        assert self.world.broken() is None


def test_the_rule_keeps_every_promise_whatever_order_hypothesis_thinks_of() -> None:
    run_state_machine_as_test(
        HoldMachine,
        settings=settings(max_examples=50, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)),
    )


def first_broken(rules: HoldRules, *, walks: int, steps: int) -> str | None:
    """The first broken promise that seeded random walks meet, or None."""
    for seed in range(walks):
        random, world = Random(seed), HoldWorld(rules)
        for number in range(steps):
            kind, choices = random.choice(list(world.possible().items()))
            world.perform(kind, *random.choice(choices))
            if (promise := world.broken()) is not None:
                return f"walk {seed}, step {number}, {kind}: {promise}"
    return None


def test_the_rule_keeps_every_promise_on_a_thousand_random_walks() -> None:
    assert first_broken(SOUND, walks=1_000, steps=30) is None


# ---------------------------------------------------------------- negative controls


def told(rules: HoldRules, script: Script) -> list[str | None]:
    """The promise broken after each step of a story."""
    world, promises = HoldWorld(rules), []
    for kind, *arguments in script:
        if tuple(arguments) not in world.choices(kind):
            break  # this rule does not let the story go on
        world.perform(kind, *arguments)
        promises.append(world.broken())
    return promises


@pytest.mark.parametrize("story", STORIES)
def test_a_broken_rule_is_caught_at_the_end_of_its_story(story: str) -> None:
    rules, script, promise = STORIES[story]
    *before, last = told(rules, script)
    assert len(before) + 1 == len(script)
    assert before == [None] * len(before)
    assert str(last).startswith(promise)


@pytest.mark.parametrize("story", STORIES)
def test_the_rule_keeps_every_promise_in_every_story(story: str) -> None:
    promises = told(SOUND, STORIES[story][1])
    assert promises == [None] * len(promises)


@pytest.mark.parametrize("story", STORIES)
def test_the_random_walks_meet_what_each_broken_rule_breaks(story: str) -> None:
    assert first_broken(STORIES[story][0], walks=2_000, steps=30) is not None


# ---------------------------------------------------------------- what the rule does


def world_after(script: Script) -> HoldWorld:
    world = HoldWorld(SOUND)
    for kind, *arguments in script:
        world.perform(kind, *arguments)
    return world


def test_late_money_takes_what_fits_and_the_rest_follows_when_room_appears() -> None:
    assert world_after(LATE).allocations == {("pay_1", "inv_1"): 60}
    after = world_after([*LATE, ("page dies", "pay_3"), ("fetch", "pay_3")])
    assert after.allocations == {("pay_1", "inv_1"): 100}
    assert after.unapplied("pay_1") == 0


def test_a_hold_outlives_its_deadline_a_decline_and_an_unanswered_cancel() -> None:
    waits: Script = [("deadline", "pay_1"), ("card declined", "pay_1"), ("hear decline", "pay_1"), ("cancel lost", "pay_1")]
    after = world_after([("open", "pay_1"), *waits])
    assert after.holds == {("pay_1", "inv_1"): 100}
    assert ("pay_3",) not in after.choices("open")
    assert ("pay_1",) not in after.choices("next attempt")


def test_a_hold_ends_when_the_provider_object_is_fetched_as_dead() -> None:
    after = world_after([("open", "pay_1"), ("page dies", "pay_1")])
    assert after.holds
    after.perform("fetch", "pay_1")
    assert not after.holds
    assert ("pay_3",) in after.choices("open")
