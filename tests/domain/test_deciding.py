"""Working days are the business's own, a wall clock stays what it is, and two people are two people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from domain.business import BusinessSettings
from domain.deciding import Decider, after_working_days, deadlines, needs_second, refuse_decider
from domain.money import Money

FRIDAY = datetime(2026, 11, 20, 16, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "days", "settings", "due"),
    [
        (FRIDAY, 1, {}, datetime(2026, 11, 23, 16, 30, tzinfo=UTC)),
        (FRIDAY, 2, {}, datetime(2026, 11, 24, 16, 30, tzinfo=UTC)),
        (FRIDAY, 5, {}, datetime(2026, 11, 27, 16, 30, tzinfo=UTC)),
        (FRIDAY, 2, {"holidays": ["2026-11-23"]}, datetime(2026, 11, 25, 16, 30, tzinfo=UTC)),
        (FRIDAY + timedelta(days=1), 1, {}, datetime(2026, 11, 24, 16, 30, tzinfo=UTC)),
        (FRIDAY, 1, {"working_week": ["sat", "sun"]}, datetime(2026, 11, 22, 16, 30, tzinfo=UTC)),
        # In Auckland it is Saturday already: the first working day is Monday, two more are Wednesday.
        (FRIDAY, 2, {"time_zone": "Pacific/Auckland"}, datetime(2026, 11, 24, 16, 30, tzinfo=UTC)),
    ],
)
def test_working_days_follow_the_week_the_holidays_and_the_place(
    start: datetime, days: int, settings: dict[str, object], due: datetime
) -> None:
    assert after_working_days(start, days, BusinessSettings(**settings)) == due  # type: ignore[arg-type]


def test_a_deadline_keeps_its_time_of_day_across_a_change_of_the_clocks() -> None:
    start = datetime(2026, 10, 23, 8, 0, tzinfo=UTC)  # nine in London, the Friday before the clocks go back
    due = deadlines(start, BusinessSettings(time_zone="Europe/London"))
    assert due.remind_at == datetime(2026, 10, 27, 9, 0, tzinfo=UTC)
    assert due.escalate_at == datetime(2026, 10, 30, 9, 0, tzinfo=UTC)
    assert due.expires_at == datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("minor", "currency", "two"),
    [(500, "USD", False), (501, "USD", True), (10**9, "EUR", False)],
)
def test_two_people_are_needed_above_the_limit_of_the_currency(minor: int, currency: str, two: bool) -> None:
    assert needs_second(Money.of(minor, currency), {"USD": 500}) is two


@pytest.mark.parametrize(
    ("decider", "first_by", "rule"),
    [
        (Decider(id="ann", is_approver=False), None, None),
        (Decider(id="ann", is_approver=True), "ann", "second_person_needed"),
        (Decider(id="bob", is_approver=False), "ann", "approver_needed"),
        (Decider(id="bob", is_approver=True), "ann", None),
    ],
)
def test_the_second_person_is_another_one_with_the_role(decider: Decider, first_by: str | None, rule: str | None) -> None:
    refusal = refuse_decider(Money.of(501, "USD"), {"USD": 500}, decider, first_by=first_by)
    assert (refusal.rule if refusal is not None else None) == rule
