"""The stories that the hold rule exists for: a broken relative of the rule, what happens, and the promise it breaks."""

from __future__ import annotations

from tests.model.holds_walk import HoldRules

Script = list[tuple[str, ...]]
SOUND = HoldRules()

LATE: Script = [
    # A person freed pay_1's hold; pay_3 takes part of the room; then pay_1's card succeeds after all.
    ("open", "pay_1"),
    ("staff free", "pay_1"),
    ("open", "pay_3"),
    ("card succeeds", "pay_1"),
    ("fetch", "pay_1"),
]

STORIES: dict[str, tuple[HoldRules, Script, str]] = {
    "the clock frees a hold whose page is still payable": (
        HoldRules(expires_by_the_clock=True),
        [("open", "pay_1"), ("deadline", "pay_1"), ("open", "pay_3")],
        "chargeable",
    ),
    "a decline frees the hold, and the page lets the payer try another card": (
        HoldRules(ends_at_a_decline=True),
        [("open", "pay_1"), ("card declined", "pay_1"), ("hear decline", "pay_1"), ("open", "pay_3")],
        "chargeable",
    ),
    "a cancel without an answer frees the hold": (
        HoldRules(ends_at_an_unanswered_cancel=True),
        [("open", "pay_1"), ("deadline", "pay_1"), ("cancel lost", "pay_1"), ("open", "pay_3")],
        "chargeable",
    ),
    "a second attempt after a mere decline": (
        HoldRules(next_attempt_after_a_decline=True),
        [("open", "pay_1"), ("card declined", "pay_1"), ("next attempt", "pay_1")],
        "chargeable",
    ),
    "late money is adopted only where all of it fits": (HoldRules(adopts="all or nothing"), LATE, "payable again"),
    "late money forgets what it wanted": (
        HoldRules(remembers=False),
        [*LATE, ("page dies", "pay_3"), ("fetch", "pay_3")],
        "payable again",
    ),
    "late money is not served when a total is raised": (
        HoldRules(serves=frozenset({"freed", "returned"})),
        [*LATE, ("staff raise total", "inv_1")],
        "payable again",
    ),
    "late money is not served when other money is returned": (
        HoldRules(serves=frozenset({"freed", "raised"})),
        [*LATE, ("card succeeds", "pay_3"), ("fetch", "pay_3"), ("money returned", "pay_3")],
        "payable again",
    ),
    "late money is not served when a hold ends": (
        HoldRules(serves=frozenset({"raised", "returned"})),
        [*LATE, ("page dies", "pay_3"), ("fetch", "pay_3")],
        "payable again",
    ),
    "money that was refunded is allocated again": (
        HoldRules(bounded_by_unapplied=False),
        [*LATE, ("refund unapplied", "pay_1", "all"), ("page dies", "pay_3"), ("fetch", "pay_3")],
        "spent twice",
    ),
    "late money takes the room that others hold": (HoldRules(respects_other_holds=False), LATE, "chargeable"),
}
