"""A request and everybody who decides about it at once: it ends once, as somebody saw it, of what is there; each broken
relative of the rule is caught.
"""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.model.requests_walk import RequestRules, RequestWorld

SOUND = RequestRules()
Script = list[tuple[str, ...]]

APPROVED: Script = [("look", "bob"), ("approve", "bob", "part")]
LANDED: Script = [*APPROVED, ("send",), ("land",)]
STORIES: dict[str, tuple[RequestRules, Script, str]] = {
    "decided by what the page showed": (
        RequestRules(compares="the page"),
        [("look", "ann"), ("withdraw",), ("reject", "ann")],
        "it ended twice",
    ),
    "the state is compared, and not the version": (
        RequestRules(compares="state"),
        [("look", "bob"), ("look", "ann"), ("ask", "ann"), ("answer",), ("approve", "bob", "part")],
        "bob has not read the answer",
    ),
    "holds are proof enough": (
        RequestRules(looks_again=False),
        [("edit", "credit"), ("look", "bob"), ("approve", "bob", "part")],
        "30 are applied where",
    ),
    "a person rejects while it is being posted": (
        RequestRules(ends_from="what is being posted too"),
        [*LANDED, ("look", "cat"), ("reject", "cat")],
        "it is rejected and stands in the ERP",
    ),
    "it expires while it is being posted": (
        RequestRules(ends_from="what is being posted too"),
        [*LANDED, ("expire",)],
        "it is expired and stands in the ERP",
    ),
    "a rejection puts back a copy": (
        RequestRules(puts_back="a copy"),
        [("edit", "invoice"), ("look", "ann"), ("reject", "ann")],
        "the rows say",
    ),
    "the second person needs the role only": (
        RequestRules(second_is="an approver"),
        [("look", "bob"), ("approve", "bob", "whole"), ("look", "bob"), ("approve", "bob", "whole")],
        "one person was both",
    ),
}


class RequestMachine(RuleBasedStateMachine):
    """Hypothesis plays everybody."""

    def __init__(self) -> None:
        super().__init__()
        self.world = RequestWorld(SOUND)

    @rule(kind=st.integers(0, 999), pick=st.integers(0, 63))
    def something_happens(self, kind: int, pick: int) -> None:
        name, choices = list(self.world.possible().items())[kind % len(self.world.possible())]
        self.world.perform(name, *choices[pick % len(choices)])

    @invariant()
    def every_promise_is_kept(self) -> None:
        assert self.world.broken() is None


def test_a_request_keeps_its_promises_whatever_hypothesis_thinks_of() -> None:
    run_state_machine_as_test(
        RequestMachine,
        settings=settings(max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)),
    )


def walked(rules: RequestRules, seed: int, *, steps: int = 40) -> RequestWorld:
    """A world after a seeded walk, which stops where a promise is broken."""
    random, world = Random(seed), RequestWorld(rules)
    for _ in range(steps):
        kind, choices = random.choice(list(world.possible().items()))
        if kind in {"reject", "withdraw", "expire"} and random.random() < 0.9:
            continue  # else most walks are over before anybody agrees
        world.perform(kind, *random.choice(list(choices)))
        if world.broken() is not None:
            break
    return world


def test_a_request_keeps_its_promises_on_two_thousand_random_walks_that_end_in_every_way() -> None:
    worlds = [walked(SOUND, seed) for seed in range(2_000)]
    assert [world.broken() for world in worlds if world.broken() is not None] == []
    ends = {str(world.ended[0]) for world in worlds if world.ended}
    assert ends == {"applied", "rejected", "withdrawn", "expired"}
    assert sum(world.row.second_by is not None for world in worlds) > 5, "walks in which nobody agrees prove nothing"


def told(rules: RequestRules, script: Script) -> list[str | None]:
    """The promise broken after each step of a story."""
    world, promises = RequestWorld(rules), []
    for kind, *arguments in script:
        assert tuple(arguments) in world.possible()[kind]
        world.perform(kind, *arguments)
        promises.append(world.broken())
    return promises


@pytest.mark.parametrize("story", STORIES)
def test_a_broken_rule_of_deciding_is_caught_at_the_end_of_its_story(story: str) -> None:
    rules, script, promise = STORIES[story]
    *before, last = told(rules, script)
    assert before == [None] * len(before)
    assert str(last).startswith(promise)


@pytest.mark.parametrize("story", STORIES)
def test_the_random_walks_meet_what_each_broken_rule_of_deciding_breaks(story: str) -> None:
    assert any(walked(STORIES[story][0], seed).broken() is not None for seed in range(2_000))
