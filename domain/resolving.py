"""What a person can decide about a payment that the ERP refused."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Resolution(StrEnum):
    """`AGAIN` as it was; `TODAY` dated on the day of the decision, for a period that is closed; `ON_ACCOUNT` without its
    invoices, for one that was paid, voided or changed there; `IGNORE` never, for what somebody enters by hand.
    """

    AGAIN = "again"
    TODAY = "today"
    ON_ACCOUNT = "on_account"
    IGNORE = "ignore"


EVENTS: Final[Mapping[Resolution, str]] = {
    Resolution.AGAIN: "posting_sent_again",
    Resolution.TODAY: "posting_sent_again",
    Resolution.ON_ACCOUNT: "posting_on_account",
    Resolution.IGNORE: "posting_ignored",
}
"""What the timeline tells of each."""
NEEDS_A_REASON: Final = frozenset({Resolution.ON_ACCOUNT, Resolution.IGNORE})
