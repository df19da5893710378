"""What a person can decide about a document that is not in the ERP yet: of one that it refused, and of one that waits."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Resolution(StrEnum):
    """`NOW` what waits for a time, which decides nothing. Of what was refused: `AGAIN` as it was; `TODAY` dated on the
    day of the decision, for a period that is closed; `ON_ACCOUNT` without its invoices, for one that was paid, voided or
    changed there; `IGNORE` never, for what somebody enters by hand.
    """

    NOW = "now"
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
"""What the timeline tells of each decision. `NOW` decides nothing."""
ACTS: Final[Mapping[Resolution, str]] = {Resolution.NOW: "posting_tried_now", **EVENTS}
"""What the access log tells of each."""
NEEDS_A_REASON: Final = frozenset({Resolution.ON_ACCOUNT, Resolution.IGNORE})
