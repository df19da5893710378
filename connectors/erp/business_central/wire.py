"""Business Central's JSON: amounts are plain numbers with decimals, which become minor units only here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from fractions import Fraction
from math import floor
from typing import Any, Final

from domain.money import Money, exponent

Wire = dict[str, Any]
_NOISE: Final = Fraction(1, 20)  # of a minor unit


def dumped(values: Mapping[str, object]) -> str:
    """A body as the API reads it: Money becomes a number with its decimals, exact."""
    parts = []
    for name, value in values.items():
        text = value.plain() if isinstance(value, Money) else json.dumps(value)
        parts.append(f"{json.dumps(name)}:{text}")
    return "{" + ",".join(parts) + "}"


def loaded(text: str) -> Any:
    """An answer; a number with decimals stays text. Raises ValueError."""
    return json.loads(text, parse_float=str)


def amount(value: object, currency: str) -> Money:
    """An amount of theirs. Raises ValueError for more decimals than the currency has, TypeError for what is no number."""
    if not isinstance(value, int | str):
        raise TypeError("an amount is no number")
    minor = Fraction(value) * 10 ** exponent(currency)
    whole = floor(minor + Fraction(1, 2))
    if abs(minor - whole) > _NOISE:
        raise ValueError(f"an amount has more decimals than {currency}")
    return Money.of(whole, currency)


def price(value: object, currency: str) -> Money:
    """A price to the nearest minor unit: prices there have up to five decimals."""
    if not isinstance(value, int | str):
        raise TypeError("a price is no number")
    return Money.of(floor(Fraction(value) * 10 ** exponent(currency) + Fraction(1, 2)), currency)


def quoted(text: str) -> str:
    """A text inside a filter."""
    return "'" + text.replace("'", "''") + "'"
