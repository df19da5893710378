"""Xero's JSON: amounts as the digits that were sent, days and moments as '/Date(1541176290160+0000)/'.

Raises ValueError on what is malformed. An amount never passes through a binary number: it stays text until its currency is
known, and becomes minor units here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any, Final

from domain.money import Money, exponent

Wire = dict[str, Any]
_MOMENT: Final = re.compile(r"/Date\((-?\d+)(?:[+-]\d{4})?\)/")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def dumped(body: object) -> str:
    """A request as Xero reads it; Money becomes a number with its own decimals."""
    match body:
        case Money():
            return body.plain()
        case date():
            return json.dumps(body.isoformat())
        case Mapping():
            return "{" + ", ".join(f"{json.dumps(name)}: {dumped(each)}" for name, each in body.items()) + "}"
        case str():
            return json.dumps(body)
        case Sequence():
            return "[" + ", ".join(dumped(each) for each in body) + "]"
        case _:
            return json.dumps(body)


def loaded(text: str) -> Any:
    """An answer; numbers with decimals stay as their digits."""
    return json.loads(text, parse_float=str)


def amount(told: str | int | None, currency: str) -> Money:
    """An amount of Xero's, exact; nothing is zero. Raises ValueError for more decimals than the currency has."""
    minor = Fraction(told or 0) * 10 ** exponent(currency)
    if minor.denominator != 1:
        raise ValueError(f"an amount has more decimals than {currency}")
    return Money.of(minor.numerator, currency)


def moment(told: str) -> datetime:
    """A moment (UTC): milliseconds since 1970; the offset that follows says only how Xero would print it."""
    found = _MOMENT.fullmatch(told)
    if found is None:
        raise ValueError(f"{told!r} is no moment of Xero's")
    return _EPOCH + timedelta(milliseconds=int(found[1]))


def day(told: str) -> date:
    """A day: Xero tells it as its first moment in UTC."""
    return moment(told).date()
