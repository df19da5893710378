"""Lifecycles: every state is classified, and what is not in the table does not exist."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from itertools import product

import pytest

from domain.lifecycles import (
    APPLY_NEXT,
    IN_FLIGHT,
    PAYMENT_NEXT,
    POSTING_NEXT,
    REFUND_NEXT,
    REFUND_NOT_SENT,
    REFUND_OPEN,
    SETUP_IN_FLIGHT,
    SETUP_NEXT,
    WITHOUT_MONEY,
    ApplyState,
    PaymentState,
    PostingState,
    RefundState,
    SetupState,
    payment_sources,
    refund_sources,
    setup_sources,
)

P, S, Q, R, A = PaymentState, SetupState, PostingState, RefundState, ApplyState

# Written out a second time, as a reader of the design would: a change of a table has to be meant.
PAYMENT_MOVES = {
    P.CHARGING: "awaiting_customer processing unknown captured declined failed canceled expired",
    P.AWAITING_CUSTOMER: "processing unknown captured declined failed canceled expired",
    P.PROCESSING: "unknown captured declined failed canceled expired",
    P.UNKNOWN: "awaiting_customer processing captured declined failed canceled expired",
    P.CAPTURED: "settled returned disputed",
    P.SETTLED: "returned disputed",
    P.REFUSED: "",
    P.DECLINED: "captured",
    P.FAILED: "captured",
    P.CANCELED: "captured",
    P.EXPIRED: "captured",
    P.RETURNED: "",
    P.DISPUTED: "returned settled",
}
SETUP_MOVES = {
    S.STARTED: "redirected verifying completed canceled expired failed",
    S.REDIRECTED: "verifying completed canceled expired failed",
    S.VERIFYING: "completed canceled expired failed",
    S.COMPLETED: "",
    S.REFUSED: "",
    S.CANCELED: "completed",
    S.EXPIRED: "completed",
    S.FAILED: "completed",
}
POSTING_MOVES = {
    Q.QUEUED: "sent",
    Q.SENT: "queued unknown confirmed refused canceled",
    Q.UNKNOWN: "queued confirmed",
    Q.CONFIRMED: "",
    Q.REFUSED: "queued",
    Q.CANCELED: "",
}
APPLY_MOVES = {
    A.OPENING: "refused submitted",
    A.REFUSED: "",
    A.SUBMITTED: "asked second posting rejected withdrawn expired",
    A.ASKED: "submitted second posting rejected withdrawn expired",
    A.SECOND: "posting rejected withdrawn expired",
    A.POSTING: "applied posting_failed",
    A.POSTING_FAILED: "asked second posting rejected withdrawn expired",
    A.APPLIED: "undoing",
    A.REJECTED: "",
    A.WITHDRAWN: "",
    A.EXPIRED: "",
    A.UNDOING: "undone applied",
    A.UNDONE: "",
}
REFUND_MOVES = {
    R.REQUESTED: "sent rejected",
    R.AWAITING_SECOND: "requested rejected",
    R.SENT: "processing unknown refunded failed",
    R.PROCESSING: "refunded failed",
    R.UNKNOWN: "sent processing refunded failed",
    R.REFUNDED: "failed",
    R.FAILED: "",
    R.REFUSED: "",
    R.REJECTED: "",
}

TABLES: list[tuple[Mapping[StrEnum, frozenset[StrEnum]], Mapping[StrEnum, str], type[StrEnum]]] = [
    (PAYMENT_NEXT, PAYMENT_MOVES, P),  # type: ignore[list-item]
    (SETUP_NEXT, SETUP_MOVES, S),  # type: ignore[list-item]
    (POSTING_NEXT, POSTING_MOVES, Q),  # type: ignore[list-item]
    (REFUND_NEXT, REFUND_MOVES, R),  # type: ignore[list-item]
    (APPLY_NEXT, APPLY_MOVES, A),  # type: ignore[list-item]
]
NAMES = ["payment", "set-up", "posting", "refund", "apply request"]


@pytest.mark.parametrize(
    ("table", "moves", "states"), TABLES, ids=["payment", "set-up", "posting", "refund", "apply request"]
)
def test_exactly_the_written_moves_exist_and_all_others_do_not(
    table: Mapping[StrEnum, frozenset[StrEnum]], moves: Mapping[StrEnum, str], states: type[StrEnum]
) -> None:
    assert set(table) == set(moves) == set(states)
    for source, target in product(states, states):
        assert (target in table[source]) == (target.value in moves[source].split()), f"{source} to {target}"


@pytest.mark.parametrize("table", [table for table, _, _ in TABLES], ids=NAMES)
def test_no_state_moves_to_itself(table: Mapping[StrEnum, frozenset[StrEnum]]) -> None:
    assert not [state for state, targets in table.items() if state in targets]


def test_sources_are_the_table_read_backwards() -> None:
    for source, target in product(P, P):
        assert (source in payment_sources(target)) == (target in PAYMENT_NEXT[source])
    for start, end in product(S, S):
        assert (start in setup_sources(end)) == (end in SETUP_NEXT[start])


def test_every_payment_state_is_in_flight_or_without_money_or_has_moved_money_or_was_refused() -> None:
    moved = {P.CAPTURED, P.SETTLED, P.RETURNED, P.DISPUTED}
    classes = [set(IN_FLIGHT), set(WITHOUT_MONEY), moved, {P.REFUSED}]
    assert sorted(state for each in classes for state in each) == sorted(P)


def test_what_has_ended_is_never_in_flight_again() -> None:
    for state in set(P) - IN_FLIGHT:
        assert not PAYMENT_NEXT[state] & IN_FLIGHT
    for ended in set(S) - SETUP_IN_FLIGHT:
        assert not SETUP_NEXT[ended] & SETUP_IN_FLIGHT


def test_money_that_the_provider_proves_is_never_turned_away() -> None:
    assert payment_sources(P.CAPTURED) == IN_FLIGHT | WITHOUT_MONEY
    assert setup_sources(S.COMPLETED) == SETUP_IN_FLIGHT | {S.CANCELED, S.EXPIRED, S.FAILED}


def test_captured_money_leaves_only_by_a_return_or_a_dispute() -> None:
    reached = {P.CAPTURED}
    while more := {target for state in reached for target in PAYMENT_NEXT[state]} - reached:
        reached |= more
    assert reached == {P.CAPTURED, P.SETTLED, P.RETURNED, P.DISPUTED}


def test_whatever_is_in_flight_can_end() -> None:
    for state in IN_FLIGHT:
        assert WITHOUT_MONEY | {P.CAPTURED} <= PAYMENT_NEXT[state]
    for setup in SETUP_IN_FLIGHT:
        assert {S.COMPLETED, S.FAILED} <= SETUP_NEXT[setup]


def test_an_unknown_posting_is_never_refused_or_sent_without_a_look() -> None:
    assert not POSTING_NEXT[Q.UNKNOWN] & {Q.SENT, Q.REFUSED}


def test_a_refund_is_open_or_over_and_what_was_sent_is_never_rejected() -> None:
    over = {R.REFUNDED, R.FAILED, R.REFUSED, R.REJECTED}
    assert REFUND_OPEN | over == set(R)
    assert not REFUND_OPEN & over
    assert refund_sources(R.REJECTED) == REFUND_NOT_SENT
    assert not refund_sources(R.REFUNDED) & REFUND_NOT_SENT
