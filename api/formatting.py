"""How amounts, dates and moments are written for a person: the customer's locale, time zone and no ambiguity."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time
from babel.numbers import format_currency, get_currency_symbol

from domain.money import Money, exponent

_NO_BREAK: Final = "\u00a0"


@lru_cache(maxsize=512)
def zone(name: str) -> ZoneInfo:
    """The time zone of that name, UTC for one that does not exist: a wrong name in an ERP stops no page."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


@lru_cache(maxsize=512)
def _locale(country: str | None) -> Locale:
    """English as it is written in that country; dates of en_GB where English is not at home."""
    if country is not None and country.upper() in {"US", "CA", "AU", "NZ", "IE", "ZA", "IN", "SG", "PH"}:
        try:
            return Locale.parse(f"en_{country.upper()}")
        except (UnknownLocaleError, ValueError):
            return Locale.parse("en_GB")
    return Locale.parse("en_GB")


_SAMPLE_MINOR: Final = 123_456_789


class _MoneyForm(NamedTuple):
    """What stands around the digits of an amount, which are grouped by thousands with commas and have a point."""

    before: str
    after: str
    before_negative: str
    after_negative: str


@lru_cache(maxsize=512)
def _money_form(locale: Locale, currency: str) -> _MoneyForm | None:
    """How babel writes amounts of a currency; None where it groups or marks them in another way than we can repeat."""
    parts: list[str] = []
    for minor in (_SAMPLE_MINOR, -_SAMPLE_MINOR):
        amount = Money.of(minor, currency)
        before, digits, after = format_currency(amount.as_decimal(), currency, locale=locale).partition(_grouped(amount))
        if not digits:
            return None
        parts += [before, after]
    return _MoneyForm(*parts)


def _grouped(amount: Money) -> str:
    """The digits without a sign: '1,234,567.89'."""
    whole, point, fraction = amount.plain().removeprefix("-").partition(".")
    return f"{int(whole):,}{point}{fraction}"


@lru_cache(maxsize=8192)
def _written_date(locale: Locale, on: date, pattern: str) -> str:
    """Pages say the same few dates again and again."""
    return format_date(on, format=pattern, locale=locale)


@lru_cache(maxsize=64)
def _day_there(now: datetime, time_zone: ZoneInfo) -> date:
    """Asked for each cell of a list."""
    return now.astimezone(time_zone).date()


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Writes for one reader. Moments are given in UTC and shown in `time_zone`."""

    locale: Locale
    time_zone: ZoneInfo
    now: datetime

    @property
    def tag(self) -> str:
        """The locale as HTML and `Intl` name it: 'en-GB'."""
        return str(self.locale).replace("_", "-")

    @property
    def today(self) -> date:
        """Today where the reader is."""
        return _day_there(self.now, self.time_zone)

    def money(self, minor: int, currency: str) -> str:
        """'£5,010.50', '-€3.00', 'JP¥1,250': always with its currency. As babel writes it, without its costs."""
        amount = Money.of(minor, currency)
        form = _money_form(self.locale, currency)
        if form is None:
            return format_currency(amount.as_decimal(), currency, locale=self.locale)
        if minor < 0:
            return f"{form.before_negative}{_grouped(amount)}{form.after_negative}"
        return f"{form.before}{_grouped(amount)}{form.after}"

    def symbol(self, currency: str) -> str:
        """The currency's sign, as `money` writes it."""
        return get_currency_symbol(currency, locale=self.locale)

    def plain(self, minor: int, currency: str) -> str:
        """The amount as it is typed into a field: '1250.00'."""
        return Money.of(minor, currency).plain()

    def day(self, on: date) -> str:
        """'12 Sep', with its year where that is not the current one: '12 Sep 2024'."""
        pattern = "MMMd" if on.year == self.today.year else "yMMMd"
        return self._skeleton(on, pattern)

    def long_day(self, on: date) -> str:
        """'12 September 2026'."""
        return format_date(on, format="long", locale=self.locale).replace(" ", _NO_BREAK)

    def clock(self, at: datetime) -> str:
        """'14:02' (or '2:02 PM') where the reader is."""
        return format_time(at.astimezone(UTC), format="short", tzinfo=self.time_zone, locale=self.locale)

    def moment(self, at: datetime) -> str:
        """'14:02' today, 'Thu 14:02' within six days, '12 Sep, 14:02' otherwise."""
        local = at.astimezone(self.time_zone)
        apart = abs((self.today - local.date()).days)
        if apart == 0:
            return self.clock(at)
        if apart < 7:
            return f"{self._skeleton(local.date(), 'E')} {self.clock(at)}"
        return f"{self.day(local.date())}, {self.clock(at)}"

    def weekday(self, on: date) -> str:
        """'Tue 24 Nov'."""
        return f"{self._skeleton(on, 'E')} {self.day(on)}"

    def _skeleton(self, on: date, skeleton: str) -> str:
        pattern = {"MMMd": "d MMM", "yMMMd": "d MMM y", "E": "EEE"}[skeleton]
        if self.locale.territory in {"US", "CA", "PH"}:
            pattern = {"MMMd": "MMM d", "yMMMd": "MMM d, y", "E": "EEE"}[skeleton]
        return _written_date(self.locale, on, pattern)


def writer_for(*, country: str | None, time_zone: str, now: datetime) -> Writer:
    """The writer for somebody in that country and time zone."""
    return Writer(locale=_locale(country), time_zone=zone(time_zone), now=now)


def places(currency: str) -> int:
    """Decimal places of a currency, for the page's live totals."""
    return exponent(currency)
