"""Lifecycles as tables, read in one glance. A move that is not in the table does not exist."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class PaymentState(StrEnum):
    """A payment: money asked for or moved."""

    CHARGING = "charging"
    AWAITING_CUSTOMER = "awaiting_customer"
    PROCESSING = "processing"
    UNKNOWN = "unknown"
    CAPTURED = "captured"
    SETTLED = "settled"
    REFUSED = "refused"
    DECLINED = "declined"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"
    RETURNED = "returned"
    DISPUTED = "disputed"


_P = PaymentState
PAYMENT_NEXT: Final[Mapping[PaymentState, frozenset[PaymentState]]] = {
    _P.CHARGING: frozenset(
        {_P.AWAITING_CUSTOMER, _P.PROCESSING, _P.UNKNOWN, _P.CAPTURED, _P.DECLINED, _P.FAILED, _P.CANCELED, _P.EXPIRED}
    ),
    _P.AWAITING_CUSTOMER: frozenset(
        {_P.PROCESSING, _P.UNKNOWN, _P.CAPTURED, _P.DECLINED, _P.FAILED, _P.CANCELED, _P.EXPIRED}
    ),
    _P.PROCESSING: frozenset({_P.UNKNOWN, _P.CAPTURED, _P.DECLINED, _P.FAILED, _P.CANCELED, _P.EXPIRED}),
    _P.UNKNOWN: frozenset(
        {_P.AWAITING_CUSTOMER, _P.PROCESSING, _P.CAPTURED, _P.DECLINED, _P.FAILED, _P.CANCELED, _P.EXPIRED}
    ),
    _P.CAPTURED: frozenset({_P.SETTLED, _P.RETURNED, _P.DISPUTED}),
    _P.SETTLED: frozenset({_P.RETURNED, _P.DISPUTED}),
    _P.REFUSED: frozenset(),
    # The four below are the end unless the provider proves that money moved after all.
    _P.DECLINED: frozenset({_P.CAPTURED}),
    _P.FAILED: frozenset({_P.CAPTURED}),
    _P.CANCELED: frozenset({_P.CAPTURED}),
    _P.EXPIRED: frozenset({_P.CAPTURED}),
    _P.RETURNED: frozenset(),
    _P.DISPUTED: frozenset({_P.RETURNED, _P.SETTLED}),
}

IN_FLIGHT: Final = frozenset({_P.CHARGING, _P.AWAITING_CUSTOMER, _P.PROCESSING, _P.UNKNOWN})
"""A payment's workflow is open and its holds stand."""
WITHOUT_MONEY: Final = frozenset({_P.DECLINED, _P.FAILED, _P.CANCELED, _P.EXPIRED})
"""Ended, and nothing was taken."""


class SetupState(StrEnum):
    """A payment method's set-up."""

    STARTED = "started"
    REDIRECTED = "redirected"
    VERIFYING = "verifying"
    COMPLETED = "completed"
    REFUSED = "refused"
    CANCELED = "canceled"
    EXPIRED = "expired"
    FAILED = "failed"


_S = SetupState
SETUP_NEXT: Final[Mapping[SetupState, frozenset[SetupState]]] = {
    _S.STARTED: frozenset({_S.REDIRECTED, _S.VERIFYING, _S.COMPLETED, _S.CANCELED, _S.EXPIRED, _S.FAILED}),
    _S.REDIRECTED: frozenset({_S.VERIFYING, _S.COMPLETED, _S.CANCELED, _S.EXPIRED, _S.FAILED}),
    _S.VERIFYING: frozenset({_S.COMPLETED, _S.CANCELED, _S.EXPIRED, _S.FAILED}),
    _S.COMPLETED: frozenset(),
    _S.REFUSED: frozenset(),
    # A method that the provider shows as saved after all is one that the customer has.
    _S.CANCELED: frozenset({_S.COMPLETED}),
    _S.EXPIRED: frozenset({_S.COMPLETED}),
    _S.FAILED: frozenset({_S.COMPLETED}),
}
SETUP_IN_FLIGHT: Final = frozenset({_S.STARTED, _S.REDIRECTED, _S.VERIFYING})


class ApplyState(StrEnum):
    """A request to apply a credit to invoices."""

    OPENING = "opening"
    REFUSED = "refused"  # by a rule, before anybody was asked
    SUBMITTED = "submitted"
    ASKED = "asked"  # staff asked the customer something
    SECOND = "second"  # approved by one person, a second one is needed
    POSTING = "posting"
    POSTING_FAILED = "posting_failed"  # the ERP said no: with staff again
    APPLIED = "applied"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    UNDOING = "undoing"
    UNDONE = "undone"


_A = ApplyState
APPLY_NEXT: Final[Mapping[ApplyState, frozenset[ApplyState]]] = {
    _A.OPENING: frozenset({_A.REFUSED, _A.SUBMITTED}),
    _A.REFUSED: frozenset(),
    _A.SUBMITTED: frozenset({_A.ASKED, _A.SECOND, _A.POSTING, _A.REJECTED, _A.WITHDRAWN, _A.EXPIRED}),
    _A.ASKED: frozenset({_A.SUBMITTED, _A.SECOND, _A.POSTING, _A.REJECTED, _A.WITHDRAWN, _A.EXPIRED}),
    _A.SECOND: frozenset({_A.POSTING, _A.REJECTED, _A.WITHDRAWN, _A.EXPIRED}),
    _A.POSTING: frozenset({_A.APPLIED, _A.POSTING_FAILED}),
    _A.POSTING_FAILED: frozenset({_A.ASKED, _A.SECOND, _A.POSTING, _A.REJECTED, _A.WITHDRAWN, _A.EXPIRED}),
    _A.APPLIED: frozenset({_A.UNDOING}),
    _A.REJECTED: frozenset(),
    _A.WITHDRAWN: frozenset(),
    _A.EXPIRED: frozenset(),
    _A.UNDOING: frozenset({_A.UNDONE, _A.APPLIED}),
    _A.UNDONE: frozenset(),
}
APPLY_OPEN: Final = frozenset({_A.SUBMITTED, _A.ASKED, _A.SECOND, _A.POSTING_FAILED})
"""It waits for a person, and what it asked for is held."""
APPLY_ENDED: Final = frozenset({_A.REFUSED, _A.APPLIED, _A.REJECTED, _A.WITHDRAWN, _A.EXPIRED, _A.UNDONE})
"""Nothing is held for it."""


class PostingState(StrEnum):
    """A posting: one write to the ERP."""

    QUEUED = "queued"
    SENT = "sent"
    UNKNOWN = "unknown"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    CANCELED = "canceled"  # refused, and what it allocated was taken back: its request decides what comes next


_Q = PostingState
POSTING_NEXT: Final[Mapping[PostingState, frozenset[PostingState]]] = {
    _Q.QUEUED: frozenset({_Q.SENT}),
    _Q.SENT: frozenset({_Q.QUEUED, _Q.UNKNOWN, _Q.CONFIRMED, _Q.REFUSED, _Q.CANCELED}),
    _Q.UNKNOWN: frozenset({_Q.QUEUED, _Q.CONFIRMED}),
    _Q.CONFIRMED: frozenset(),
    _Q.REFUSED: frozenset({_Q.QUEUED}),
    _Q.CANCELED: frozenset(),
}


class RefundState(StrEnum):
    """A refund: money of a payment that goes back."""

    REQUESTED = "requested"  # decided; it leaves as soon as somebody can send it
    AWAITING_SECOND = "awaiting_second"
    SENT = "sent"
    PROCESSING = "processing"
    UNKNOWN = "unknown"
    REFUNDED = "refunded"
    FAILED = "failed"
    REFUSED = "refused"
    REJECTED = "rejected"


_R = RefundState
REFUND_NEXT: Final[Mapping[RefundState, frozenset[RefundState]]] = {
    _R.REQUESTED: frozenset({_R.SENT, _R.REJECTED}),
    _R.AWAITING_SECOND: frozenset({_R.REQUESTED, _R.REJECTED}),
    _R.SENT: frozenset({_R.PROCESSING, _R.UNKNOWN, _R.REFUNDED, _R.FAILED}),
    _R.PROCESSING: frozenset({_R.REFUNDED, _R.FAILED}),
    _R.UNKNOWN: frozenset({_R.SENT, _R.PROCESSING, _R.REFUNDED, _R.FAILED}),
    _R.REFUNDED: frozenset({_R.FAILED}),  # the customer's bank did not take it after all: booked back
    _R.FAILED: frozenset(),  # another try is another refund
    _R.REFUSED: frozenset(),
    _R.REJECTED: frozenset(),
}
REFUND_OPEN: Final = frozenset({_R.REQUESTED, _R.AWAITING_SECOND, _R.SENT, _R.PROCESSING, _R.UNKNOWN})
"""Its amount and its lines are reserved: nobody else may give back or move what they speak of."""
REFUND_NOT_SENT: Final = frozenset({_R.REQUESTED, _R.AWAITING_SECOND})


def refund_sources(target: RefundState) -> frozenset[RefundState]:
    """The states from which a refund may move to `target`."""
    return frozenset(source for source, targets in REFUND_NEXT.items() if target in targets)


def payment_sources(target: PaymentState) -> frozenset[PaymentState]:
    """The states from which a payment may move to `target`: what a compare-and-set names."""
    return frozenset(source for source, targets in PAYMENT_NEXT.items() if target in targets)


def setup_sources(target: SetupState) -> frozenset[SetupState]:
    """The states from which a set-up may move to `target`."""
    return frozenset(source for source, targets in SETUP_NEXT.items() if target in targets)


def apply_sources(target: ApplyState) -> frozenset[ApplyState]:
    """The states from which a request may move to `target`."""
    return frozenset(source for source, targets in APPLY_NEXT.items() if target in targets)
