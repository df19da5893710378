"""Odoo's JSON: amounts as numbers, nothing as `false`, links as [id, name], times in UTC to the second. Raises ValueError on
what is malformed.

An amount is kept as the text that Odoo sent until its currency is known; only here does it become minor units.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fractions import Fraction
from math import floor
from typing import Any, Final

from domain.money import Money, exponent

Wire = dict[str, Any]

# Of the private use area: no text of ours has it, and JSON writes it as it is.
_FENCE: Final = "\ue000"
_NUMBER: Final = re.compile(f'"{_FENCE}(-?[0-9.]+){_FENCE}"')
_MOMENT: Final = "%Y-%m-%d %H:%M:%S"
# Odoo computes with binary fractions: 0.30000000000000004 is thirty cents, 0.305 is no amount.
_NOISE: Final = Fraction(1, 1000)


@dataclass(frozen=True, slots=True)
class Number:
    """A number to be sent with all its decimals, as text."""

    text: str


def dumped(body: Mapping[str, object]) -> str:
    """A request as Odoo reads it."""
    text = json.dumps(body, default=_written, ensure_ascii=False)
    return _NUMBER.sub(r"\1", text)


def loaded(text: str) -> Any:
    """An answer of Odoo's: numbers with decimals stay text."""
    return json.loads(text, parse_float=str)


def number(money: Money) -> Number:
    """An amount as Odoo takes it, exact."""
    return Number(money.plain())


def amount(told: object, currency: str) -> Money:
    """An amount of Odoo's; none is zero. Raises ValueError where it is no whole number of minor units."""
    if told is None or told is False:
        return Money.zero(currency)
    minor = Fraction(str(told)) * 10 ** exponent(currency)
    whole = nearest(minor)
    if abs(minor - whole) > _NOISE:
        raise ValueError(f"an amount has more decimals than {currency}")
    return Money.of(whole, currency)


def converted(money: Money, rate: Fraction, currency: str) -> Money:
    """The same amount in another currency, to the nearest minor unit; `rate` is units of it for one of the amount's."""
    scaled = money.minor * rate * Fraction(10 ** exponent(currency), 10 ** exponent(money.currency))
    return Money.of(nearest(scaled), currency)


def nearest(value: Fraction) -> int:
    """The nearest whole number, halves away from zero."""
    return floor(value + Fraction(1, 2)) if value >= 0 else -floor(-value + Fraction(1, 2))


def linked(told: object) -> int | None:
    """The id that a link names; None where there is none."""
    return int(told[0]) if isinstance(told, list) and told else None


def named(told: object) -> str | None:
    """What a link is called, which for a currency is its ISO code."""
    return str(told[1]) if isinstance(told, list) and len(told) > 1 else None


def text(told: object) -> str | None:
    """A text; None where there is none."""
    return told if isinstance(told, str) and told else None


def day(told: object) -> date:
    """A day. Raises ValueError."""
    return date.fromisoformat(str(told))


def some_day(told: object) -> date | None:
    """A day; None where there is none."""
    return day(told) if told else None


def moment(at: datetime) -> str:
    """A moment as Odoo compares it: UTC, whole seconds, rounded down."""
    return at.astimezone(UTC).strftime(_MOMENT)


def _written(value: object) -> str:
    if isinstance(value, Number):
        return f"{_FENCE}{value.text}{_FENCE}"
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is not sent to Odoo")
