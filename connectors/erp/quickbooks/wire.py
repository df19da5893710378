"""QuickBooks's JSON, its amounts and its times. Raises KeyError, TypeError, ValueError on what is malformed.

An amount is a JSON number there. It is kept as the text that was sent until its currency is known, and written as it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from fractions import Fraction
from math import floor
from typing import Any

from domain.money import Money, exponent

Wire = dict[str, Any]


class Number(str):
    """A number as its digits; it is written without quotation marks."""

    __slots__ = ()


def loaded(text: str) -> Any:
    """An answer; numbers with decimals are kept as their digits."""
    return json.loads(text, parse_float=Number)


def dumped(value: object) -> str:
    """A request as QuickBooks reads it; an amount is a number, exact."""
    match value:
        case Number():
            return str(value)
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


def price(value: object, currency: str) -> Money:
    """A unit price to the nearest minor unit: QuickBooks keeps more decimals of it than money has."""
    scaled = Fraction(str(value or 0)) * 10 ** exponent(currency)
    return Money.of(floor(scaled + Fraction(1, 2)), currency)


def moment(text: str) -> datetime:
    """A time of QuickBooks's, which says its offset; as UTC. Raises ValueError for one without."""
    told = datetime.fromisoformat(text)
    if told.tzinfo is None:
        raise ValueError("a time without its offset")
    return told.astimezone(UTC)


def told(at: datetime) -> str:
    """A time as QuickBooks takes it, with its offset."""
    return at.astimezone(UTC).isoformat(timespec="seconds")
