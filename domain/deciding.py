"""Who may decide what, and by when: two people above a limit, and the working days after which somebody is reminded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from domain.business import WEEKDAYS, BusinessSettings
from domain.money import Money
from domain.payments import shown
from domain.refusals import Refusal

TELL_STAFF_AFTER: Final = (timedelta(minutes=30), timedelta(days=1))
"""How long an outcome may be unknown before staff are told, and told again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decider:
    """Who decides: a member of staff or an API key, and whether with the approver's role (or above)."""

    id: str
    is_approver: bool


def needs_second(amount: Money, limits: Mapping[str, int]) -> bool:
    """Whether two people are needed: the limit itself needs one; a currency without a limit needs one."""
    limit = limits.get(amount.currency)
    return limit is not None and amount.minor > limit


def refuse_decider(amount: Money, limits: Mapping[str, int], decider: Decider, *, first_by: str | None) -> Refusal | None:
    """The second person is another one, with the approver's role. None when this one may approve.

    What one person has approved needs a second one from then on, even if the limit was raised or lifted meanwhile.
    """
    if first_by is None:
        return None
    limit = limits.get(amount.currency)
    facts: dict[str, str | int] = {"limit": shown(amount.minor if limit is None else limit, amount.currency)}
    if decider.id == first_by:
        return Refusal(rule="second_person_needed", facts=facts)
    if not decider.is_approver:
        return Refusal(rule="approver_needed", facts=facts)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """When staff are reminded, when approvers are told, and when it expires (UTC)."""

    remind_at: datetime
    escalate_at: datetime
    expires_at: datetime


def deadlines(opened_at: datetime, settings: BusinessSettings) -> Deadlines:
    """By the business's own week, holidays and time zone; expiry counts every day."""
    return Deadlines(
        remind_at=after_working_days(opened_at, settings.reminder_working_days, settings),
        escalate_at=after_working_days(opened_at, settings.escalation_working_days, settings),
        expires_at=_at_local(
            opened_at, opened_at.astimezone(_zone(settings)).date(), settings.request_expiry_days, settings
        ),
    )


def after_working_days(start: datetime, days: int, settings: BusinessSettings) -> datetime:
    """The same time of day, so many working days later. What begins on a day off begins on the next working day."""
    day = start.astimezone(_zone(settings)).date()
    while not _is_worked(day, settings):
        day += timedelta(days=1)
    left = days
    while left > 0:
        day += timedelta(days=1)
        if _is_worked(day, settings):
            left -= 1
    return _at_local(start, day, 0, settings)


def _is_worked(day: date, settings: BusinessSettings) -> bool:
    return WEEKDAYS[day.weekday()] in settings.working_week and day.isoformat() not in settings.holidays


def _at_local(start: datetime, day: date, later: int, settings: BusinessSettings) -> datetime:
    """A wall-clock time stays what it is across a change of the clocks."""
    zone = _zone(settings)
    time = start.astimezone(zone).time()
    return datetime.combine(day + timedelta(days=later), time, tzinfo=zone).astimezone(ZoneInfo("UTC"))


def _zone(settings: BusinessSettings) -> ZoneInfo:
    return ZoneInfo(settings.time_zone)
