"""The port of payouts: what a provider paid onto the bank account, and out of what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol, runtime_checkable

from domain.money import Money
from domain.payouts import PayoutPart, PayoutState

__all__ = ["ListsPayouts", "PayoutItem", "PayoutPage", "PayoutPart", "PayoutState", "ProviderPayout"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutItem:
    """One part of a payout, in the payout's currency: `net` is `gross` less `fee`.

    A fee is positive where it is taken; a part that is nothing but a fee has a negative `gross`. A refund, and what a bank
    took back, is negative. `source_id` is the provider's id of the charge or refund (whatever `find_…` is asked with),
    `our_ref` ours where the provider tells it. `taken` is the amount in the customer's currency where that is another one.
    """

    provider_id: str
    kind: PayoutPart
    gross: Money
    fee: Money
    net: Money
    source_id: str | None = None
    our_ref: str | None = None
    taken: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderPayout:
    """A payout as fetched. `amount` may be negative: the provider collects. `is_itemised` is False where the provider does
    not tell out of what it is, such as one that a person asked for. A state that is not known is PENDING.
    """

    provider_id: str
    amount: Money
    state: PayoutState
    made_at: datetime
    arrives_on: date | None = None
    is_itemised: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutPage:
    """Payouts in the order they were made, and the cursor after them. `has_more`: ask again from there."""

    payouts: Sequence[ProviderPayout]
    cursor: str | None
    has_more: bool = False


@runtime_checkable
class ListsPayouts(Protocol):
    """Tells what it paid out, and out of what."""

    @property
    def pays_out_within(self) -> timedelta:
        """How long after its success a payment is in a payout, weekends and holidays included."""
        ...

    async def payouts_after(self, cursor: str | None, *, since: datetime) -> PayoutPage:
        """Payouts after the one that `cursor` names; where it is None or forgotten, all made since that moment. Raises
        ConnectorError.
        """
        ...

    async def find_payout(self, provider_id: str) -> ProviderPayout | None:
        """A payout as it stands now; None when the provider knows none. Raises ConnectorError."""
        ...

    async def payout_items(self, provider_id: str) -> Sequence[PayoutItem]:
        """All of a payout's parts; empty where it is not itemised. Raises ConnectorError: half a list is no answer."""
        ...
