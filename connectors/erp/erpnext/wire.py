"""Frappe's JSON: amounts are plain numbers with decimals, which become minor units only here and are never a float.

What ERPNext computes it computes in floats, so an amount may arrive as 26.749950: it is read to the nearest minor unit, and
refused where it is further from one than that noise explains.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import floor
from typing import Any, Final

from domain.money import Money, exponent

Wire = dict[str, Any]
_NOISE: Final = Fraction(1, 20)  # of a minor unit
_PLAN: Final = "Duly's plan: "


def dumped(value: object) -> str:
    """A body as Frappe reads it. Money becomes a number with its decimals, exact. Raises TypeError for anything strange."""
    match value:
        case Money():
            return value.plain()
        case Mapping():
            return "{" + ",".join(f"{json.dumps(str(name))}:{dumped(each)}" for name, each in value.items()) + "}"
        case None | bool() | int() | str():
            return json.dumps(value)
        case Sequence():
            return "[" + ",".join(dumped(each) for each in value) + "]"
        case _:
            raise TypeError(f"{type(value).__name__} is not sent to ERPNext")


def loaded(text: str) -> Any:
    """An answer; a number with decimals stays text. Raises ValueError."""
    return json.loads(text, parse_float=str)


def amount(value: object, currency: str) -> Money:
    """An amount of ERPNext's; none is zero. Raises ValueError for one that no noise of floats explains, TypeError for
    what is no number."""
    if value is None or value == "":
        return Money.zero(currency)
    if not isinstance(value, int | str):
        raise TypeError("an amount is no number")
    minor = Fraction(value) * 10 ** exponent(currency)
    whole = nearest(minor)
    if abs(minor - whole) > _NOISE:
        raise ValueError(f"an amount has more decimals than {currency}")
    return Money.of(whole, currency)


def price(value: object, currency: str) -> Money:
    """A price to the nearest minor unit: ERPNext keeps prices with more decimals than money has."""
    if not isinstance(value, int | str) or value == "":
        return Money.zero(currency)
    return Money.of(nearest(Fraction(value) * 10 ** exponent(currency)), currency)


def nearest(value: Fraction) -> int:
    """The nearest whole number, halves away from zero."""
    return floor(value + Fraction(1, 2)) if value >= 0 else -floor(-value + Fraction(1, 2))


def plain(value: object) -> str:
    """A quantity without decimals that say nothing."""
    text = str(value if value is not None else 0)
    return text.rstrip("0").rstrip(".") if "." in text else text


def with_plan(sentence: str, plan: Mapping[str, object]) -> str:
    """A text for people that ends with what the connector has to know to go on; in letters that no HTML changes."""
    packed = base64.urlsafe_b64encode(json.dumps(plan, sort_keys=True, separators=(",", ":")).encode()).decode()
    return f"{sentence}\n{_PLAN}{packed}"


def plan_in(text: object) -> Mapping[str, Any] | None:
    """The plan in such a text; None where there is none, or a person changed it."""
    if not isinstance(text, str) or _PLAN not in text:
        return None
    packed = text.rpartition(_PLAN)[2].strip().partition("<")[0].split()
    try:
        read = json.loads(base64.urlsafe_b64decode(packed[0]))
    except (IndexError, binascii.Error, ValueError):
        return None
    return read if isinstance(read, dict) else None
