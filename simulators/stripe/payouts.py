"""Payouts of this Stripe: what the balance holds goes to the bank when a test says so, and arrives a day later."""

from __future__ import annotations

from simulators.stripe.world import DAY, Object, World


def pay_out(world: World) -> list[str]:
    """One automatic payout for each currency of what is not paid out yet; their ids."""
    for refund in reversed(world.all("re")):
        if refund["status"] == "succeeded" and "balance_transaction" not in refund:
            refund["balance_transaction"] = _moved(world, refund, -refund["amount"], "refund")["id"]
    for dispute in reversed(world.all("dp")):
        if not dispute.get("balance_transactions"):
            dispute["balance_transactions"] = [_moved(world, dispute, -dispute["amount"], "adjustment", "dispute")]
    waiting: dict[str, list[Object]] = {}
    for intent in reversed(world.all("pi")):
        if intent["status"] == "succeeded":
            charge = world.objects[intent["latest_charge"]]
            taken = world.objects[charge["balance_transaction"]]
            if taken["id"] not in world.paid_in:
                fee = taken["amount"] * 29 // 1000
                taken.update(source=charge["id"], fee=fee, net=taken["amount"] - fee, reporting_category="charge")
                waiting.setdefault(taken["currency"], []).append(taken)
    for each in reversed(world.all("txn")):
        if each["id"] not in world.paid_in and each["type"] in {"refund", "adjustment"}:
            waiting.setdefault(each["currency"], []).append(each)
    return [_payout(world, currency, parts) for currency, parts in sorted(waiting.items())]


def _moved(world: World, source: Object, amount: int, kind: str, category: str | None = None) -> Object:
    return world.make(
        "txn",
        amount=amount,
        currency=source["currency"],
        fee=0,
        net=amount,
        status="available",
        type=kind,
        reporting_category=category or kind,
        source=source["id"],
    )


def _payout(world: World, currency: str, parts: list[Object]) -> str:
    fee = world.make(
        "txn",
        amount=-5,
        currency=currency,
        fee=0,
        net=-5,
        status="available",
        type="stripe_fee",
        reporting_category="fee",
        source=None,
    )
    amount = sum(each["net"] for each in [*parts, fee])
    payout = world.make(
        "po",
        amount=amount,
        currency=currency,
        arrival_date=world.now() + DAY,
        automatic=True,
        status="in_transit",
        type="bank_account",
        method="standard",
        metadata={},
    )
    itself = _moved(world, payout, -amount, "payout")
    payout["balance_transaction"] = itself["id"]
    world.paid_in |= {each["id"]: payout["id"] for each in [*parts, fee, itself]}
    return str(payout["id"])
