"""Amounts at GoCardless's edge: it counts a few currencies, each in hundredths as ISO 4217 does. Nothing is rounded."""

from __future__ import annotations

from typing import Final

from connectors.errors import OutcomeUnknown, Rejected
from domain.money import Money, MoneyError

SERVED: Final = frozenset({"AUD", "CAD", "DKK", "EUR", "GBP", "NZD", "SEK", "USD"})


def to_gocardless(amount: Money) -> int:
    """The amount in their units. Raises Rejected for a currency that they do not move; nothing was sent then."""
    if str(amount.currency) not in SERVED:
        raise Rejected("currency_not_served", f"GoCardless does not move {amount.currency}.")
    return amount.minor


def from_gocardless(units: object, currency: object) -> Money:
    """An amount as they tell it. Raises OutcomeUnknown for one that is none: nothing may be booked on a guess."""
    if type(units) is not int or units < 0 or currency not in SERVED:
        raise OutcomeUnknown("GoCardless's answer has an amount that is none.")
    try:
        return Money.of(units, str(currency))
    except MoneyError as unreadable:
        raise OutcomeUnknown("GoCardless's answer has an amount that is none.") from unreadable
