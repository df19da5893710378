"""Amounts and dates are written exactly as babel writes them, only sooner."""

from datetime import UTC, date, datetime

import pytest
from babel.dates import format_date
from babel.numbers import format_currency
from hypothesis import given
from hypothesis import strategies as st

from api.formatting import Writer, writer_for
from domain.money import LARGEST_MINOR, Money

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
COUNTRIES = [None, "GB", "DE", "US", "CA", "AU", "NZ", "IE", "ZA", "IN", "SG", "PH"]
CURRENCIES = ["GBP", "USD", "EUR", "JPY", "KWD", "CHF", "INR", "ISK", "CLP", "HUF", "UYI", "XCD", "SLE", "VES"]
LARGEST = LARGEST_MINOR - 1


def reader(country: str | None) -> Writer:
    return writer_for(country=country, time_zone="UTC", now=NOON)


@given(
    minor=st.integers(-LARGEST, LARGEST) | st.sampled_from([0, 1, -1, 9, 10, 99, 100, 999, 100_000, LARGEST, -LARGEST]),
    currency=st.sampled_from(CURRENCIES),
    country=st.sampled_from(COUNTRIES),
)
def test_an_amount_is_written_as_babel_writes_it(minor: int, currency: str, country: str | None) -> None:
    write = reader(country)
    as_babel = format_currency(Money.of(minor, currency).as_decimal(), currency, locale=write.locale)
    assert write.money(minor, currency) == as_babel


@pytest.mark.parametrize(
    ("country", "minor", "currency", "written"),
    [
        ("GB", 501_050, "GBP", "£5,010.50"),
        ("GB", -300, "EUR", "-€3.00"),
        ("GB", 1250, "JPY", "JP¥1,250"),
        ("ZA", 123_456_789, "ZAR", "R1 234 567,89"),
        ("IN", 123_456_789, "INR", "₹12,34,567.89"),
        ("GB", 5, "GBP", "£0.05"),
    ],
)
def test_an_amount_is_written_as_people_there_write_it(country: str, minor: int, currency: str, written: str) -> None:
    assert reader(country).money(minor, currency).replace("\u00a0", " ") == written


@given(on=st.dates(date(2000, 1, 1), date(2040, 12, 31)), country=st.sampled_from(COUNTRIES))
def test_a_day_is_written_as_babel_writes_it(on: date, country: str | None) -> None:
    write = reader(country)
    year = "" if on.year == 2026 else " y"
    pattern = f"d MMM{year}" if write.locale.territory not in {"US", "CA", "PH"} else f"MMM d{',' if year else ''}{year}"
    assert write.day(on) == format_date(on, format=pattern, locale=write.locale)
