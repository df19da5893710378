"""Both sides of an application under every order of events: what is left of each counts our applications once, whatever the
ERP's rows have and have not counted yet; each broken relative of the rule is caught.
"""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.model.sides_walk import CREDIT, DOCUMENTS, SideRules, SidesWorld

Script = list[tuple[str, ...]]
SOUND = SideRules()


def read(document: str, seq: int) -> Script:
    """A read of one document with nothing in between; `seq` is what it draws."""
    name = f"pull_{seq}"
    return [("pull",), ("read", name, document), ("arrive", name, document), ("take", name, document)]


APPLIED: Script = [
    *(("ask", "one"), ("approve", "req_1"), ("send", "req_1-applied"), ("land", "req_1-applied")),
    ("confirm", "req_1-applied"),
]

STORIES: dict[str, tuple[SideRules, Script, str]] = {
    "what the pair shows is taken for ours": (
        SideRules(counts="net less the pair"),
        # A person put 10 on it before; ours are not there yet, and are taken for those.
        [("person applies", "inv_1"), *read("inv_1", 1), ("ask", "one"), ("approve", "req_1")],
        "the invoice is offered again",
    ),
    "one mark for both sides, from the invoice's read": (
        SideRules(counts="by the invoice's read"),
        [*APPLIED, *read("inv_1", 3)],
        "the credit is offered again",
    ),
    "held until it is confirmed, and then nothing": (
        SideRules(holds="until confirmed, then nothing"),
        APPLIED,
        "the credit is offered again",
    ),
    "the credit shows its snapshot less what is held": (
        SideRules(credit_shows="the snapshot less holds"),
        [("ask", "one"), ("approve", "req_1")],
        "the credit is offered again",
    ),
    "a read that a write may have crossed is taken": (
        SideRules(takes="every newer read"),
        [*(("ask", "one"), ("approve", "req_1"), ("send", "req_1-applied"), ("land", "req_1-applied")), *read(CREDIT, 2)],
        "the credit is short",
    ),
    "an undo frees both sides before the ERP has done it": (
        SideRules(undo_holds_again=False),
        [*APPLIED, ("undo", "req_1")],
        "the credit is offered again",
    ),
    "what the ERP refused stays applied": (
        SideRules(refusal_is_answered=False),
        [("ask", "one"), ("approve", "req_1"), ("send", "req_1-applied"), ("refuse", "req_1-applied")],
        "the credit is short",
    ),
}


class SidesMachine(RuleBasedStateMachine):
    """Hypothesis plays staff, the ERP, its people and the network."""

    def __init__(self) -> None:
        super().__init__()
        self.world = SidesWorld(SOUND)

    @rule(kind=st.integers(0, 999), pick=st.integers(0, 63))
    def something_happens(self, kind: int, pick: int) -> None:
        name, choices = list(self.world.possible().items())[kind % len(self.world.possible())]
        self.world.perform(name, *choices[pick % len(choices)])

    @invariant()
    def each_application_counts_once_on_either_side(self) -> None:
        assert self.world.broken() is None


def test_each_application_counts_once_on_either_side_whatever_hypothesis_thinks_of() -> None:
    run_state_machine_as_test(
        SidesMachine,
        settings=settings(max_examples=50, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)),
    )


def first_broken(rules: SideRules, *, walks: int, steps: int) -> str | None:
    """The first broken promise that seeded random walks meet, or None; each walk ends in a quiet night."""
    for seed in range(walks):
        random, world = Random(seed), SidesWorld(rules)
        for number in range(steps):
            kind = world.random_step(random)
            if (promise := world.broken()) is not None:
                return f"walk {seed}, step {number}, {kind}: {promise}"
        world.quiet_night()
        if (promise := world.broken() or world.unlike_the_erp()) is not None:
            return f"walk {seed}, after its night: {promise}"
    return None


def test_each_application_counts_once_on_either_side_on_five_hundred_random_walks() -> None:
    assert first_broken(SOUND, walks=500, steps=60) is None


def told(rules: SideRules, script: Script) -> list[str | None]:
    """The promise broken after each step of a story."""
    world, promises = SidesWorld(rules), []
    for kind, *arguments in script:
        assert tuple(arguments) in world.choices(kind)
        world.perform(kind, *arguments)
        promises.append(world.broken())
    return promises


@pytest.mark.parametrize("story", STORIES)
def test_a_broken_rule_about_either_side_is_caught_at_the_end_of_its_story(story: str) -> None:
    rules, script, promise = STORIES[story]
    *before, last = told(rules, script)
    assert before == [None] * len(before)
    assert str(last).startswith(promise)


@pytest.mark.parametrize("story", STORIES)
def test_the_rule_about_either_side_keeps_its_promise_in_every_story(story: str) -> None:
    promises = told(SOUND, STORIES[story][1])
    assert promises == [None] * len(promises)


@pytest.mark.parametrize("story", STORIES)
def test_the_random_walks_meet_what_each_broken_rule_about_either_side_breaks(story: str) -> None:
    assert first_broken(STORIES[story][0], walks=500, steps=60) is not None


def test_the_walks_meet_rows_that_have_counted_ours_and_rows_that_have_not() -> None:
    """A walk in which every row lags, or none does, would show nothing."""
    lags, counts = 0, 0
    for seed in range(100):
        random, world = Random(seed), SidesWorld(SOUND)
        for _ in range(60):
            world.random_step(random)
            for document in DOCUMENTS:
                plain = world.snapshots[document].total - world.snapshots[document].settled
                lags += world.left(document) != plain
                counts += world.left(document) == plain and world.snapshots[document].settled > world.others_read[document]
    assert lags > 1_000
    assert counts > 300
