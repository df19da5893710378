"""Amounts at Adyen's edge: converted exactly or refused, never rounded.

Duly's minor units are ISO 4217's. Adyen counts some currencies in other units.
"""

from __future__ import annotations

from typing import Final

from connectors.errors import OutcomeUnknown, Rejected
from domain.money import Money, MoneyError, exponent

_DECIMALS: Final = {"CLP": 2, "CVE": 0, "IDR": 0, "ISK": 2}
"""Where Adyen's number of decimals is not ISO's."""
_BLOCKED: Final = frozenset({"IQD", "MGA", "UYI"})
"""Nothing is sent in these before somebody saw their scale with real keys."""


def is_served(currency: str) -> bool:
    """Whether amounts of that currency can be told to Adyen."""
    try:
        exponent(currency)
    except MoneyError:
        return False
    return currency not in _BLOCKED


def to_adyen(amount: Money) -> int:
    """The amount in Adyen's units. Raises Rejected when it cannot be said exactly; nothing was sent then."""
    currency = str(amount.currency)
    if currency in _BLOCKED:
        raise Rejected("currency_not_served", f"Duly does not send {currency} to Adyen.")
    up, down = _scale(currency)
    units, left = divmod(amount.minor * up, down)
    if left:
        raise Rejected("amount_not_exact", f"Adyen counts {currency} without decimals: {amount.plain()} cannot be sent.")
    return units


def from_adyen(units: object, currency: object) -> Money:
    """An amount as Adyen tells it. Raises OutcomeUnknown for one that is none: nothing may be booked on a guess."""
    if type(units) is not int or not isinstance(currency, str):
        raise OutcomeUnknown("Adyen's answer has an amount that is none.")
    try:
        up, down = _scale(currency)
        minor, left = divmod(units * down, up)
        if left:
            raise OutcomeUnknown(f"Adyen's answer has an amount in {currency} that is none of its units.")
        return Money.of(minor, currency)
    except MoneyError as unreadable:
        raise OutcomeUnknown("Adyen's answer has an amount in a currency that Duly does not know.") from unreadable


def _scale(currency: str) -> tuple[int, int]:
    """Adyen's units are ISO's minor units times the first, divided by the second. Raises MoneyError."""
    places = exponent(currency)
    theirs = _DECIMALS.get(currency, places)
    return 10 ** max(0, theirs - places), 10 ** max(0, places - theirs)
