"""The balance rule in single examples; `tests/model` walks it through every order of events."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.balances import (
    Allocation,
    Posting,
    Snapshot,
    bracket_may_accept,
    bracket_open_of,
    bracket_uncounted,
    may_accept,
    open_of,
    uncounted,
)

QUEUED = Posting()
SENT = Posting(sent_seq=4)
CONFIRMED = Posting(sent_seq=4, confirmed_seq=6)


def of_ours(*minors: int) -> list[Allocation]:
    """Allocations of one payment, each with a posting of its own: pst_0, pst_1, …"""
    return [Allocation(payment_id="pay_a", posting_id=f"pst_{n}", minor=minor) for n, minor in enumerate(minors)]


def read(read_seq: int, *, settled: int = 0, seen: int = 0) -> Snapshot:
    return Snapshot(total=100, settled=settled, read_seq=read_seq, seen={"pay_a": seen} if seen else {})


@pytest.mark.parametrize(
    ("posting", "snapshot", "opened"),
    [
        (QUEUED, read(9), 90),
        (SENT, read(9), 90),
        (SENT, read(9, settled=10, seen=10), 90),  # it landed, its answer is on the way
        (CONFIRMED, read(5), 90),  # the read began before we knew
        (CONFIRMED, read(5, settled=10, seen=10), 90),
        (CONFIRMED, read(6), 90),  # at the same tick: not known before the read
        (CONFIRMED, read(7, settled=10, seen=10), 90),
        (CONFIRMED, read(7, settled=13, seen=13), 87),  # a person edited it: the ERP wins
        (CONFIRMED, read(7), 100),  # a person deleted it: the ERP wins
        (CONFIRMED, read(7, settled=40, seen=10), 60),
    ],
)
def test_one_payment_of_ten_counts_once(posting: Posting, snapshot: Snapshot, opened: int) -> None:
    assert open_of(snapshot, of_ours(10), {"pst_0": posting}) == opened


def test_an_undo_that_the_erp_has_not_done_counts_against_what_it_shows() -> None:
    snapshot, postings = read(9, settled=10, seen=10), {"pst_0": CONFIRMED, "pst_1": QUEUED}
    assert uncounted("pay_a", snapshot, of_ours(10, -10), postings) == -10
    assert open_of(snapshot, of_ours(10, -10), postings) == 100


def test_what_was_paid_here_and_booked_by_a_person_too_is_open_below_zero() -> None:
    assert open_of(read(9, settled=100), of_ours(100), {"pst_0": QUEUED}) == -100


def test_only_a_read_that_began_later_replaces_what_is_stored() -> None:
    assert may_accept(None, read(1))
    assert may_accept(read(4), read(5))
    assert not may_accept(read(5), read(5))
    assert not may_accept(read(5), read(4))


@pytest.mark.parametrize(
    ("posting", "read_seq", "read_end_seq", "accepted"),
    [
        (QUEUED, 5, 7, True),
        (SENT, 5, 7, False),  # unknown: it may have landed before or during the read
        (SENT, 1, 3, True),  # it left when the answer was here
        (CONFIRMED, 5, 7, False),
        (CONFIRMED, 1, 5, False),
        (CONFIRMED, 1, 3, True),
        (CONFIRMED, 7, 8, True),
    ],
)
def test_totals_are_refused_when_a_posting_of_ours_may_have_landed_meanwhile(
    posting: Posting, read_seq: int, read_end_seq: int, accepted: bool
) -> None:
    fresh, postings = read(read_seq), {"pst_0": posting}
    assert bracket_may_accept(None, fresh, of_ours(10), postings, read_end_seq=read_end_seq) is accepted
    assert not bracket_may_accept(fresh, fresh, of_ours(10), postings, read_end_seq=read_end_seq)


def test_totals_lack_every_posting_that_was_not_confirmed_before_the_read() -> None:
    postings = {"pst_0": CONFIRMED, "pst_1": QUEUED}
    assert bracket_uncounted(read(9, settled=10), of_ours(10, 5), postings) == 5
    assert bracket_open_of(read(9, settled=10), of_ours(10, 5), postings) == 85


@given(minors=st.lists(st.integers(-50, 50).filter(bool), max_size=5), settled=st.integers(0, 100))
def test_both_kinds_of_erp_agree_while_nothing_has_left_and_once_all_is_known(minors: list[int], settled: int) -> None:
    ours = of_ours(*minors)
    for posting in (QUEUED, CONFIRMED):
        postings = {each.posting_id: posting for each in ours}
        snapshot = read(9, settled=settled)
        assert open_of(snapshot, ours, postings) == bracket_open_of(snapshot, ours, postings)
        lacking = sum(minors) if posting is QUEUED else 0
        assert open_of(snapshot, ours, postings) == 100 - settled - lacking
