"""Stripe's payouts in our words: a payout's parts are the balance transactions that it consists of.

A payout that a person asked for (`automatic` is false) consists of nothing that Stripe could name.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from connectors.errors import OutcomeUnknown, Unavailable
from connectors.payments.payouts import PayoutItem, PayoutPage, PayoutPart, PayoutState, ProviderPayout
from connectors.payments.stripe import translate
from connectors.payments.stripe.finding import Body, Finder, in_path
from connectors.payments.stripe.money import from_stripe
from connectors.payments.stripe.translate import OUR_REF

PAYS_OUT_WITHIN: Final = timedelta(days=14)
"""The longest that Stripe holds a new account's money. Paid out once a month, what is told too early ends by itself."""

_STATE: Final[Mapping[str, PayoutState]] = {
    "paid": PayoutState.PAID,
    "failed": PayoutState.FAILED,
    "canceled": PayoutState.FAILED,
}
_PART: Final[Mapping[str, PayoutPart]] = {
    "charge": PayoutPart.CHARGE,
    "payment": PayoutPart.CHARGE,
    "refund": PayoutPart.REFUND,
    "payment_refund": PayoutPart.REFUND,
    "payment_failure_refund": PayoutPart.DISPUTE,  # a debit that failed after it had succeeded
    "stripe_fee": PayoutPart.FEE,
    "stripe_fx_fee": PayoutPart.FEE,
    "tax_fee": PayoutPart.FEE,
}
_DISPUTES: Final = frozenset({"dispute", "dispute_reversal"})
_ITSELF: Final = frozenset({"payout"})


class Payouts:
    """Asks for payouts and their parts. Every method raises ConnectorError."""

    def __init__(self, finder: Finder, reference_of: Callable[[str], Awaitable[str | None]]) -> None:
        self._finder = finder
        self._reference_of = reference_of

    async def after(self, cursor: str | None, *, since: datetime) -> PayoutPage:
        """Payouts after the one named by `cursor`, or since a moment, oldest first."""
        newer = None if cursor is None else await self._finder.newer("/v1/payouts", {}, cursor)
        if newer is None:
            newer = await self._finder.oldest("/v1/payouts", {}, since)
        found, has_more = newer
        told: tuple[ProviderPayout, ...] = _read(lambda: tuple(_payout(each) for each in found))
        return PayoutPage(payouts=told, cursor=told[-1].provider_id if told else cursor, has_more=has_more)

    async def find(self, provider_id: str) -> ProviderPayout | None:
        """A payout as it stands now."""
        found = await self._finder.by_id(f"/v1/payouts/{in_path(provider_id)}")
        payout: ProviderPayout | None = None if found is None else _read(lambda: _payout(found))
        return payout

    async def items(self, provider_id: str) -> list[PayoutItem]:
        """All of its parts; none of one that is not itemised."""
        payout = await self.find(provider_id)
        if payout is None or not payout.is_itemised:
            return []
        query = {"payout": provider_id, "expand": ["data.source"]}
        told = [each async for each in self._finder.pages("/v1/balance_transactions", query)]
        items: list[PayoutItem] = _read(lambda: [_item(each) for each in told if each.get("type") not in _ITSELF])
        return [await self._named(each) for each in items]

    async def _named(self, item: PayoutItem) -> PayoutItem:
        """A dispute knows its payment by Stripe's id only, which a payment of a page is not known by."""
        if item.kind is not PayoutPart.DISPUTE or item.our_ref is not None or item.source_id is None:
            return item
        return replace(item, our_ref=await self._reference_of(item.source_id))


def _payout(body: Body) -> ProviderPayout:
    arrives = body.get("arrival_date")
    return ProviderPayout(
        provider_id=str(body["id"]),
        amount=from_stripe(body["amount"], body["currency"]),
        state=_STATE.get(str(body.get("status")), PayoutState.PENDING),
        made_at=datetime.fromtimestamp(body["created"], UTC),
        arrives_on=None if arrives is None else datetime.fromtimestamp(arrives, UTC).date(),
        is_itemised=body.get("automatic") is True,
    )


def _item(body: Body) -> PayoutItem:
    currency = body["currency"]
    gross, fee = from_stripe(body["amount"], currency), from_stripe(body["fee"], currency)
    is_dispute = body.get("reporting_category") in _DISPUTES
    kind = PayoutPart.DISPUTE if is_dispute else _PART.get(str(body.get("type")), PayoutPart.ADJUSTMENT)
    source = body.get("source")
    known: Mapping[str, Any] = source if isinstance(source, dict) else {}
    taken = None
    if kind in {PayoutPart.CHARGE, PayoutPart.REFUND} and known.get("currency") not in {None, currency}:
        amount = from_stripe(known["amount"], known["currency"])
        taken = amount if kind is PayoutPart.CHARGE else -amount
    named = known.get("id") if kind is PayoutPart.REFUND else translate.reference(known.get("payment_intent"))
    return PayoutItem(
        provider_id=str(body["id"]),
        kind=kind,
        gross=gross,
        fee=fee,
        net=from_stripe(body["net"], currency),
        source_id=named if isinstance(named, str) else None,
        our_ref=(known.get("metadata") or {}).get(OUR_REF),
        taken=taken,
    )


def _read(translated: Callable[[], Any]) -> Any:
    """A list that cannot be understood changed nothing over there: it may be read again."""
    try:
        return translate.readable(translated)
    except OutcomeUnknown as unreadable:
        raise Unavailable(str(unreadable)) from unreadable
