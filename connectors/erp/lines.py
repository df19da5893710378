"""Arithmetic of money on invoices: amounts by the ERP's own id of an invoice."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.errors import Rejected
from domain.money import Money, total

Lines = Mapping[str, Money]


def plus(lies: Lines, change: Lines) -> Lines:
    """What lies there after a change, whose amounts may be negative; an invoice with nothing is left out."""
    after = dict(lies)
    for each, amount in change.items():
        after[each] = after.get(each, Money.zero(amount.currency)) + amount
    return {each: amount for each, amount in after.items() if amount.minor}


def moved_of(change: Lines, currency: str) -> Money:
    """How much a change moves: what it puts somewhere or, where it only takes off, that."""
    on = total((each for each in change.values() if each.minor > 0), currency=currency)
    off = total((-each for each in change.values() if each.minor < 0), currency=currency)
    return max(on, off, key=lambda each: each.minor)


def require_lying(lies: Lines, taken: Lines, *, of: str) -> None:
    """Raises Rejected NOT_APPLIED where more is to be taken off an invoice than lies on it; `of` names the document."""
    for each, amount in taken.items():
        if amount > lies.get(each, Money.zero(amount.currency)):
            raise Rejected("NOT_APPLIED", f"{of} does not have that much on invoice {each}.")
