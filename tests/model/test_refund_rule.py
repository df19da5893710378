"""Refunds under every order of events: the rule keeps its promises, and each broken relative is caught by its story."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.model.refunds_walk import RefundRules, RefundWorld

Script = list[tuple[str, ...]]
SOUND = RefundRules()
GONE: Script = [("request", "most"), ("send", "rfd_1"), ("provider pays", "rfd_1"), ("fetch", "rfd_1")]

STORIES: dict[str, tuple[RefundRules, Script, str]] = {
    "invoices reopen when a refund is asked for": (
        RefundRules(reopens="at request"),
        [("request", "most")],
        "shown open although no money left",
    ),
    "only what succeeded counts against what was captured": (
        RefundRules(capacity="only succeeded"),
        [
            *(("request", "all"), ("request", "all"), ("send", "rfd_1"), ("send", "rfd_2")),
            *(("provider pays", "rfd_1"), ("provider pays", "rfd_2")),
        ],
        "more goes back than was captured",
    ),
    # Neither generation nor long walks met this one in the spike (240 of 120): so it is written down.
    "silence is taken for failure": (
        RefundRules(silence_is_failure=True),
        [
            *(("request", "all"), ("send, answer lost", "rfd_1"), ("give up", "rfd_1")),
            *(("request", "all"), ("send", "rfd_2"), ("provider pays", "rfd_2"), ("provider pays", "rfd_1")),
        ],
        "more goes back than was captured",
    ),
    "a new key after silence": (
        RefundRules(new_key_after_silence=True),
        [("request", "most"), ("send, answer lost", "rfd_1"), ("send again", "rfd_1")],
        "two provider refunds",
    ),
    "everything is restored after a late failure": (
        RefundRules(comes_back="in full"),
        [*GONE, ("second payer pays",), ("provider fails", "rfd_1"), ("fetch", "rfd_1")],
        "the invoice is paid twice",
    ),
    "money is moved as if no refund were under way": (
        RefundRules(moves_see_refunds=False),
        [("request", "most"), ("send", "rfd_1"), ("un-apply",), ("provider pays", "rfd_1"), ("fetch", "rfd_1")],
        "a refund finds no money",
    ),
    "events are believed": (
        RefundRules(believes="events"),
        [
            *(("request", "most"), ("send", "rfd_1"), ("provider pays", "rfd_1"), ("provider fails", "rfd_1")),
            *(("event", "rfd_1", "1"), ("event", "rfd_1", "0")),
        ],
        "booked as refunded, and it failed",
    ),
    "a return takes back what was refunded too": (
        RefundRules(returns="in full"),
        [*GONE, ("bank takes back",)],
        "refunded money is booked back twice",
    ),
}


class RefundMachine(RuleBasedStateMachine):
    """Hypothesis plays staff, provider, a second payer and the bank."""

    def __init__(self) -> None:
        super().__init__()
        self.world = RefundWorld(SOUND)

    @rule(kind=st.integers(0, 999), pick=st.integers(0, 63))
    def something_happens(self, kind: int, pick: int) -> None:
        possible = list(self.world.possible().items())
        if not possible:
            return
        name, choices = possible[kind % len(possible)]
        self.world.perform(name, *choices[pick % len(choices)])

    @invariant()
    def every_promise_is_kept(self) -> None:
        assert self.world.broken() is None


def test_the_rule_keeps_every_promise_about_refunds_whatever_hypothesis_thinks_of() -> None:
    run_state_machine_as_test(
        RefundMachine,
        settings=settings(max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)),
    )


def first_broken(rules: RefundRules, *, walks: int, steps: int) -> str | None:
    """The first broken promise that seeded random walks meet, or None."""
    for seed in range(walks):
        random, world = Random(seed), RefundWorld(rules)
        for number in range(steps):
            possible = list(world.possible().items())
            if not possible:
                break
            kind, choices = random.choice(possible)
            world.perform(kind, *random.choice(choices))
            if (promise := world.broken()) is not None:
                return f"walk {seed}, step {number}, {kind}: {promise}"
    return None


def test_the_rule_keeps_every_promise_about_refunds_on_two_thousand_random_walks() -> None:
    assert first_broken(SOUND, walks=2_000, steps=40) is None


def told(rules: RefundRules, script: Script) -> list[str | None]:
    """The promise broken after each step of a story."""
    world, promises = RefundWorld(rules), []
    for kind, *arguments in script:
        if tuple(arguments) not in world.choices(kind):
            break  # this rule does not let the story go on
        world.perform(kind, *arguments)
        promises.append(world.broken())
    return promises


@pytest.mark.parametrize("story", STORIES)
def test_a_broken_rule_about_refunds_is_caught_at_the_end_of_its_story(story: str) -> None:
    rules, script, promise = STORIES[story]
    *before, last = told(rules, script)
    assert len(before) + 1 == len(script)
    assert before == [None] * len(before)
    assert str(last).startswith(promise)


@pytest.mark.parametrize("story", STORIES)
def test_the_rule_keeps_every_promise_about_refunds_in_every_story(story: str) -> None:
    promises = told(SOUND, STORIES[story][1])
    assert promises == [None] * len(promises)


@pytest.mark.parametrize("story", STORIES)
def test_the_random_walks_meet_what_each_broken_rule_about_refunds_breaks(story: str) -> None:
    assert first_broken(STORIES[story][0], walks=3_000, steps=40) is not None
