"""The balance rule under every order of events, and the broken readings of it, each caught.

After every step our money counts exactly once on each invoice that no person's edit of our documents touched; after a
quiet night every invoice is what the ERP says.
"""

from __future__ import annotations

from random import Random
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.model.balance_rules import (
    AlwaysNetLessSeen,
    BracketRule,
    BracketThatAcceptsOverlaps,
    BracketThatTrustsTheEndOfItsRead,
    FlipWhatIsConfirmed,
    FlipWhenReferenceIsSeen,
    FlipWhenSeenCoversTheAmount,
    SequenceRule,
    SequenceRuleWithoutGuard,
    StampedWhenWritten,
)
from tests.model.erp_walk import AT_THE_ERP, INVOICES, SINGLE, StoreEvent, World, kind_at, random_step

SOUND = [SequenceRule, SequenceRuleWithoutGuard, BracketRule]
QUICK = settings(
    max_examples=1_000,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)
picks, positions = st.integers(0, 63), st.integers(0, 999)


def miscounted(world: World, store: SequenceRule) -> dict[str, tuple[int, int]]:
    """(what the store says, what it should say) of each invoice that is wrong now."""
    said = store.balances()
    return {
        each: (said[each][0], store.counted_once(each))
        for each in INVOICES
        if each not in world.edited and said[each][0] != store.counted_once(each)
    }


def off_after_a_night(world: World, store: SequenceRule) -> dict[str, tuple[int, int]]:
    """(what the store says, what the ERP says) of each invoice where they differ after a quiet night."""
    for event in world.quiet_night():
        store.apply(event)
    return {
        each: (said[0], world.true_open(each)) for each, said in store.balances().items() if said[0] != world.true_open(each)
    }


class BalanceMachine(RuleBasedStateMachine):
    """Hypothesis plays the world; one store listens."""

    rule_under_test: ClassVar[type[SequenceRule]] = SequenceRule

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.store = self.rule_under_test()

    def tell(self, events: list[StoreEvent]) -> None:
        for event in events:
            self.store.apply(event)

    @rule(position=positions, pick=picks)
    def one_step(self, position: int, pick: int) -> None:
        self.tell(self.world.perform_one_of(kind_at(self.world, SINGLE, position / 1000), pick))

    @rule(steps=st.lists(st.tuples(positions, picks), min_size=1, max_size=5))
    def several_steps_at_the_erp(self, steps: list[tuple[int, int]]) -> None:
        for position, pick in steps:
            self.tell(self.world.perform_one_of(kind_at(self.world, AT_THE_ERP, position / 1000), pick))

    @rule()
    def a_pull_served_at_once(self) -> None:
        self.tell(self.world.pull_at_once())

    @rule()
    def a_quiet_night(self) -> None:
        assert not off_after_a_night(self.world, self.store)

    @invariant()
    def our_money_counts_exactly_once(self) -> None:
        assert not miscounted(self.world, self.store)


@pytest.mark.parametrize("sound", SOUND, ids=lambda each: each.__name__)
def test_a_sound_rule_holds_whatever_order_hypothesis_thinks_of(sound: type[SequenceRule]) -> None:
    machine = type(f"{sound.__name__}Machine", (BalanceMachine,), {"rule_under_test": sound})
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)),
    )


def found_wrong(rule_under_test: type[SequenceRule], *, walks: int, steps: int) -> str | None:
    """The first miscount that seeded random walks meet, in words; None where they meet none."""
    for seed in range(walks):
        random, world, store = Random(seed), World(), rule_under_test()
        for number in range(steps):
            for event in random_step(world, random):
                store.apply(event)
            if wrong := miscounted(world, store):
                return f"walk {seed}, step {number}: {wrong}"
        if wrong := off_after_a_night(world, store):
            return f"walk {seed}, after the night: {wrong}"
    return None


@pytest.mark.parametrize("sound", SOUND, ids=lambda each: each.__name__)
def test_a_sound_rule_holds_on_four_hundred_random_walks(sound: type[SequenceRule]) -> None:
    assert found_wrong(sound, walks=400, steps=60) is None


# ---------------------------------------------------------------- negative controls

Script = list[tuple[str, ...]]

# Each is the shortest story known that a broken rule gets wrong. What the store says, then what is so.
CAPTURE: Script = [("open", "pay_1", "one"), ("capture", "pay_1")]
FIRST, SECOND = "pst_1_pay_1", "pst_2_pay_1"
POSTED: Script = [*CAPTURE, ("send", FIRST), ("land", FIRST), ("confirm", FIRST)]

STORIES: dict[str, tuple[type[SequenceRule], Script, int, int]] = {
    "counted twice: the page shows it while its answer is still on the way": (
        FlipWhatIsConfirmed,
        [
            ("pull",),
            *CAPTURE,
            ("send", FIRST),
            ("land", FIRST),
            ("read", "pull_1", "inv_1"),
            ("arrive", "pull_1", "inv_1"),
            ("apply", "pull_1", "inv_1"),
        ],
        80,
        90,
    ),
    "counted not at all: the page was read before it was posted": (
        FlipWhatIsConfirmed,
        [
            ("pull",),
            ("read", "pull_1", "inv_1"),
            ("arrive", "pull_1", "inv_1"),
            *POSTED,
            ("apply", "pull_1", "inv_1"),
        ],
        100,
        90,
    ),
    "the old reference flags the undo, which has not reached the ERP": (
        FlipWhenReferenceIsSeen,
        [
            *POSTED,
            ("undo", "pay_1"),
            ("pull",),
            ("read", "pull_3", "inv_1"),
            ("arrive", "pull_3", "inv_1"),
            ("apply", "pull_3", "inv_1"),
        ],
        90,
        100,
    ),
    "what is seen covers every negative amount": (
        FlipWhenSeenCoversTheAmount,
        [
            *POSTED,
            ("undo", "pay_1"),
            ("send", SECOND),
            ("pull",),
            ("read", "pull_4", "inv_1"),
            ("arrive", "pull_4", "inv_1"),
            ("apply", "pull_4", "inv_1"),
        ],
        90,
        100,
    ),
    "the row is stamped when it is written": (
        StampedWhenWritten,
        [
            ("pull",),
            ("read", "pull_1", "inv_1"),
            ("arrive", "pull_1", "inv_1"),
            *POSTED,
            ("apply", "pull_1", "inv_1"),
        ],
        100,
        90,
    ),
    "totals only, and a row is stored that overlaps an undo": (
        BracketThatAcceptsOverlaps,
        [
            *POSTED,
            ("undo", "pay_1"),
            ("send", SECOND),
            ("land", SECOND),
            ("pull",),
            ("read", "pull_4", "inv_1"),
            ("arrive", "pull_4", "inv_1"),
            ("apply", "pull_4", "inv_1"),
        ],
        110,
        100,
    ),
    "totals only, and what left during the read is taken for absent": (
        BracketThatTrustsTheEndOfItsRead,
        [
            *CAPTURE,
            ("pull",),
            ("send", FIRST),
            ("land", FIRST),
            ("read", "pull_1", "inv_1"),
            ("arrive", "pull_1", "inv_1"),
            ("apply", "pull_1", "inv_1"),
        ],
        80,
        90,
    ),
}


def told(rule_under_test: type[SequenceRule], script: Script) -> tuple[World, SequenceRule]:
    world, store = World(), rule_under_test()
    for kind, *arguments in script:
        assert tuple(arguments) in world.choices(kind), f"{kind} {arguments} cannot happen here"
        for event in world.perform(kind, *arguments):
            store.apply(event)
    return world, store


@pytest.mark.parametrize("story", STORIES)
def test_a_broken_rule_is_caught_by_its_story(story: str) -> None:
    broken, script, said, true = STORIES[story]
    assert miscounted(*told(broken, script)) == {"inv_1": (said, true)}


@pytest.mark.parametrize("sound", SOUND, ids=lambda each: each.__name__)
@pytest.mark.parametrize("story", STORIES)
def test_a_sound_rule_tells_every_story_right(story: str, sound: type[SequenceRule]) -> None:
    world, store = told(sound, STORIES[story][1])
    assert not miscounted(world, store)
    assert not off_after_a_night(world, store)


def test_without_memory_a_payment_that_a_person_deleted_stays_paid_for_ever() -> None:
    script: Script = [*POSTED, ("person deletes", f"{FIRST}/0")]
    assert off_after_a_night(*told(AlwaysNetLessSeen, script)) == {"inv_1": (90, 100)}
    for sound in SOUND:
        assert not off_after_a_night(*told(sound, script))


BROKEN = [
    AlwaysNetLessSeen,
    BracketThatAcceptsOverlaps,
    BracketThatTrustsTheEndOfItsRead,
    FlipWhatIsConfirmed,
    FlipWhenReferenceIsSeen,
    FlipWhenSeenCoversTheAmount,
    StampedWhenWritten,
]


@pytest.mark.parametrize("broken", BROKEN, ids=lambda each: each.__name__)
def test_the_random_walks_are_wild_enough_to_catch_a_broken_rule(broken: type[SequenceRule]) -> None:
    assert found_wrong(broken, walks=300, steps=60) is not None


def test_hypothesis_too_is_wild_enough_to_catch_a_broken_rule() -> None:
    machine = type("BrokenMachine", (BalanceMachine,), {"rule_under_test": FlipWhenSeenCoversTheAmount})
    with pytest.raises(AssertionError):
        run_state_machine_as_test(machine, settings=settings(QUICK, phases=[Phase.generate], derandomize=True))


def test_an_older_read_never_brings_back_what_a_newer_one_replaced() -> None:
    script: Script = [
        ("pull",),
        ("read", "pull_1", "inv_1"),
        ("arrive", "pull_1", "inv_1"),
        ("person pays", "inv_1"),
        ("pull",),
        ("read", "pull_3", "inv_1"),
        ("arrive", "pull_3", "inv_1"),
        ("apply", "pull_3", "inv_1"),
        ("apply", "pull_1", "inv_1"),
    ]
    assert told(SequenceRule, script)[1].balances()["inv_1"] == (70, 0)
    assert told(SequenceRuleWithoutGuard, script)[1].balances()["inv_1"] == (100, 0)
