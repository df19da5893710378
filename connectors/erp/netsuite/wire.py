"""NetSuite's JSON, amounts and times. Raises KeyError, TypeError, ValueError on what is malformed.

SuiteQL answers text for everything; a record answers numbers. A time is one of the account's own zone, without saying so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any, Final
from zoneinfo import ZoneInfo

from domain.money import Money, exponent

Wire = dict[str, Any]
MOMENT: Final = "YYYY-MM-DD HH24:MI:SS"
DAY: Final = "YYYY-MM-DD"


def loaded(text: str) -> Any:
    """An answer; numbers with decimals are kept as their digits."""
    return json.loads(text, parse_float=str)


def dumped(value: object) -> str:
    """A request; an amount is a number, exact."""
    match value:
        case Money():
            return value.plain()
        case Mapping():
            return f"{{{','.join(f'{json.dumps(name)}:{dumped(each)}' for name, each in value.items())}}}"
        case list() | tuple():
            return f"[{','.join(map(dumped, value))}]"
        case _:
            return json.dumps(value)


def amount(value: object, currency: str) -> Money:
    """An amount, exact; none is zero. Raises ValueError for more decimals than the currency has."""
    minor = Fraction(str(value or 0)) * 10 ** exponent(currency)
    if minor.denominator != 1:
        raise ValueError(f"an amount has more decimals than {currency}")
    return Money.of(minor.numerator, currency)


def local(at: datetime, zone: ZoneInfo) -> str:
    """A moment as text of the account's zone."""
    return at.astimezone(zone).replace(tzinfo=None).isoformat(sep=" ", timespec="seconds")


def utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")


def quoted(text: str) -> str:
    """A text in SuiteQL."""
    return "'" + text.replace("'", "''") + "'"
