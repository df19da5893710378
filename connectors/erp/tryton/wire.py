"""Tryton's JSON: amounts as text, days and times as objects of their own. Raises ValueError on what is malformed.

An amount is kept as the text that Tryton sent until its currency is known; only here does it become minor units.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from fractions import Fraction
from math import floor
from typing import Any, Final

from domain.money import Money, exponent

Wire = dict[str, Any]
_MOMENT: Final = ("year", "month", "day", "hour", "minute", "second", "microsecond")


def dumped(body: Mapping[str, object]) -> str:
    """A request as Tryton reads it."""
    return json.dumps(body, default=_written)


def loaded(text: str) -> Any:
    """An answer of Tryton's: a Decimal becomes text, days and times (UTC) become Python's."""
    return json.loads(text, object_hook=_read)


def decimal(money: Money) -> Wire:
    """An amount as Tryton takes it, exact."""
    return {"__class__": "Decimal", "decimal": money.plain()}


def amount(text: str | None, currency: str) -> Money:
    """An amount of Tryton's, exact; none is zero. Raises ValueError for more decimals than the currency has."""
    minor = Fraction(text or 0) * 10 ** exponent(currency)
    if minor.denominator != 1:
        raise ValueError(f"an amount has more decimals than {currency}")
    return Money.of(minor.numerator, currency)


def converted(money: Money, rate: Fraction, currency: str) -> Money:
    """The same amount in another currency, to the nearest minor unit; `rate` is units of it for one of the amount's."""
    scaled = money.minor * rate * Fraction(10 ** exponent(currency), 10 ** exponent(money.currency))
    return Money.of(nearest(scaled), currency)


def nearest(value: Fraction) -> int:
    """The nearest whole number, halves away from zero."""
    return floor(value + Fraction(1, 2)) if value >= 0 else -floor(-value + Fraction(1, 2))


def _written(value: object) -> Wire:
    if isinstance(value, datetime):
        moment = value.astimezone(UTC)
        return {"__class__": "datetime", **{name: getattr(moment, name) for name in _MOMENT}}
    if isinstance(value, date):
        return {"__class__": "date", "year": value.year, "month": value.month, "day": value.day}
    raise TypeError(f"{type(value).__name__} is not sent to Tryton")


def _read(given: Wire) -> Any:
    match given.get("__class__"):
        case "Decimal":
            return str(given["decimal"])
        case "date":
            return date(given["year"], given["month"], given["day"])
        case "datetime":
            return datetime(**{name: given[name] for name in _MOMENT}).replace(tzinfo=UTC)  # noqa: DTZ001 - it is UTC
        case _:
            return given
