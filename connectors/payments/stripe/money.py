"""Amounts at Stripe's edge: converted exactly or refused, never rounded.

Duly's minor units are ISO 4217's. Stripe counts some currencies in other units.
"""

from __future__ import annotations

from typing import Final

from connectors.errors import OutcomeUnknown, Rejected
from domain.money import Money, MoneyError, exponent

_WHOLE: Final = frozenset("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split())  # noqa: SIM905
_WHOLE_TIMES_A_HUNDRED: Final = frozenset({"ISK"})
"""Krónur have no cents, and are counted there as if they had, always ending with 00."""
_THOUSANDTHS: Final = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
"""Counted in thousandths of which the last digit must be 0."""
_BLOCKED: Final = frozenset({"IQD", "LYD", "UGX", "UYI"})
"""UGX: documents disagree about its scale, so nothing is sent before somebody saw it with real keys. Others: it has not."""


def is_served(currency: str) -> bool:
    """Whether amounts of that currency can be told to Stripe."""
    try:
        exponent(currency)
    except MoneyError:
        return False
    return currency not in _BLOCKED


def to_stripe(amount: Money) -> int:
    """The amount in Stripe's units. Raises Rejected when it cannot be said exactly; nothing was sent then."""
    currency = str(amount.currency)
    if currency in _BLOCKED:
        raise Rejected("currency_not_served", f"Duly does not send {currency} to Stripe.")
    up, down = _scale(currency)
    units, left = divmod(amount.minor * up, down)
    if left:
        raise Rejected("amount_not_exact", f"Stripe counts {currency} without decimals: {amount.plain()} cannot be sent.")
    if currency in _THOUSANDTHS and units % 10:
        raise Rejected("amount_not_exact", f"Stripe takes {currency} in steps of 0.010: {amount.plain()} cannot be sent.")
    return units


def from_stripe(units: object, currency: object) -> Money:
    """An amount as Stripe tells it. Raises OutcomeUnknown for one that is none: nothing may be booked on a guess."""
    if type(units) is not int or not isinstance(currency, str):
        raise OutcomeUnknown("Stripe's answer has an amount that is none.")
    code = currency.upper()
    try:
        up, down = _scale(code)
        minor, left = divmod(units * down, up)
        if left:
            raise OutcomeUnknown(f"Stripe's answer has an amount in {code} that is none of its units.")
        return Money.of(minor, code)
    except MoneyError as unreadable:
        raise OutcomeUnknown("Stripe's answer has an amount in a currency that Duly does not know.") from unreadable


def _scale(currency: str) -> tuple[int, int]:
    """Stripe's units are ISO's minor units times the first, divided by the second. Raises MoneyError."""
    places = exponent(currency)
    theirs = 0 if currency in _WHOLE else 2 if currency in _WHOLE_TIMES_A_HUNDRED else places
    return 10 ** max(0, theirs - places), 10 ** max(0, places - theirs)
