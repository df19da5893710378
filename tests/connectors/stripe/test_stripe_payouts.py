"""What Stripe's payouts consist of, in our words: a dispute on a page's payment, another currency, what has no parts."""

from datetime import timedelta

import pytest

from connectors.conformance.payment_harness import Enters, PaymentSuite, fresh_ref
from connectors.payments.payouts import PayoutPart
from connectors.payments.stripe.payouts import _item
from domain.money import Money
from tests.connectors.stripe.harness import StripeHarness


async def test_a_dispute_of_what_was_paid_on_a_page_bears_our_reference(stripe: StripeHarness) -> None:
    suite, our_ref, since = PaymentSuite(), fresh_ref("pay"), stripe.now() - timedelta(minutes=1)
    page = await suite.open_page(stripe, our_ref)
    await stripe.enter(page.action_url or "", Enters.GOOD)
    await stripe.dispute(our_ref, "needs_response")
    await stripe.pay_out()
    payout = (await stripe.provider.payouts_after(None, since=since)).payouts[-1]
    parts = [each for each in await stripe.provider.payout_items(payout.provider_id) if each.our_ref == our_ref]
    assert sorted((each.kind, each.gross.minor) for each in parts) == [
        (PayoutPart.CHARGE, 12_345),
        (PayoutPart.DISPUTE, -12_345),
    ]


async def test_a_payout_that_a_person_asked_for_is_not_itemised(stripe: StripeHarness) -> None:
    suite = PaymentSuite()
    await suite.charge(stripe, await suite.saved(stripe, Enters.GOOD), fresh_ref("pay"))
    [made] = (await stripe.desk.post("/_test/payouts", json={"by_hand": True})).json()["payouts"]
    found = await stripe.provider.find_payout(made)
    assert found is not None
    assert not found.is_itemised
    assert await stripe.provider.payout_items(made) == []


@pytest.mark.parametrize(
    ("kind", "category", "part"),
    [
        ("payment", "charge", PayoutPart.CHARGE),
        ("payment_refund", "refund", PayoutPart.REFUND),
        ("payment_failure_refund", "charge_failure", PayoutPart.DISPUTE),
        ("adjustment", "dispute_reversal", PayoutPart.DISPUTE),
        ("adjustment", "other_adjustment", PayoutPart.ADJUSTMENT),
        ("stripe_fee", "fee", PayoutPart.FEE),
        ("never_heard_of", "never_heard_of", PayoutPart.ADJUSTMENT),
    ],
)
def test_each_balance_transaction_is_a_part_of_a_kind(kind: str, category: str, part: PayoutPart) -> None:
    told = {"id": "txn_1", "amount": 900, "fee": 30, "net": 870, "currency": "eur", "type": kind}
    assert _item({**told, "reporting_category": category, "source": None}).kind is part


def test_what_was_charged_in_another_currency_is_told_in_that_one() -> None:
    source = {"id": "ch_1", "amount": 1_000, "currency": "usd", "metadata": {"our_ref": "pay_1-1"}, "payment_intent": "pi_1"}
    told = {"id": "txn_1", "amount": 900, "fee": 30, "net": 870, "currency": "eur", "type": "charge", "source": source}
    item = _item({**told, "reporting_category": "charge"})
    assert (item.gross, item.taken) == (Money.of(900, "EUR"), Money.of(1_000, "USD"))
    assert (item.our_ref, item.source_id) == ("pay_1-1", "pi_1")
