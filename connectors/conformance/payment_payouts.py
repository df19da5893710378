"""The payment suite's part on payouts: they sum up, each part of ours is there once, and they are told in order."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connectors.conformance.payment_declared import Trait, needs
from connectors.conformance.payment_harness import Enters, PaymentSuite, PayoutHarness, fresh_ref, now
from connectors.errors import Unavailable
from connectors.payments.payouts import ListsPayouts, PayoutItem, PayoutPage, PayoutPart, PayoutState
from connectors.payments.ports import Capability


@needs(ListsPayouts, Capability.REFUND, Trait.CLOCK)
class PayoutConformance(PaymentSuite):
    """What was paid out, and out of what."""

    async def test_a_payout_is_the_sum_of_its_parts_and_has_each_of_ours_once(self, harness: PayoutHarness) -> None:
        provider, since = harness.provider, now() - timedelta(minutes=1)
        assert isinstance(provider, ListsPayouts)
        before = await provider.payouts_after(None, since=since)
        taken, given = fresh_ref("pay"), fresh_ref("rfd")
        charge = await self.outcome(harness, await self.charge(harness, await self.saved(harness, Enters.GOOD), taken))
        refund = await self.refund(harness, charge, given, 345)
        await harness.pay_out()
        page = await provider.payouts_after(before.cursor, since=since)
        assert page.payouts, "what was taken is paid out"
        parts: list[PayoutItem] = []
        for payout in page.payouts:
            items = await provider.payout_items(payout.provider_id)
            assert payout.is_itemised
            assert sum(each.net.minor for each in items) == payout.amount.minor
            assert {each.net.currency for each in items} == {payout.amount.currency}
            parts += items
        assert all(each.net == each.gross - each.fee for each in parts)
        for kind, ids, minor in (
            (PayoutPart.CHARGE, {taken, charge.provider_id}, charge.amount.minor),
            (PayoutPart.REFUND, {given, refund.provider_id}, -345),
        ):
            ours = [each for each in parts if each.kind is kind and ids & {each.our_ref, each.source_id}]
            assert [(each.taken or each.gross).minor for each in ours] == [minor]

    async def test_payouts_are_told_in_order_once_and_as_they_stand(self, harness: PayoutHarness) -> None:
        provider, since = harness.provider, now() - timedelta(minutes=1)
        assert isinstance(provider, ListsPayouts)
        saved = await self.saved(harness, Enters.GOOD)
        before = await provider.payouts_after(None, since=since)
        told: list[PayoutPage] = []
        for _ in range(2):
            await self.outcome(harness, await self.charge(harness, saved, fresh_ref("pay")))
            await harness.pay_out()
            page = await provider.payouts_after(told[-1].cursor if told else before.cursor, since=since)
            told.append(page)
        first, second = ([each.provider_id for each in page.payouts] for page in told)
        assert first
        assert second
        assert not set(first) & set(second)
        again = await provider.payouts_after(before.cursor, since=since)
        assert [each.provider_id for each in again.payouts][: len(first)] == first
        assert (await provider.payouts_after(again.cursor, since=since)).payouts == ()
        shown = await provider.find_payout(first[0])
        assert shown is not None
        assert shown.state is PayoutState.PAID
        assert await provider.find_payout("never_was_here") is None
        assert isinstance(harness.unreachable, ListsPayouts)
        with pytest.raises(Unavailable):
            await harness.unreachable.payouts_after(None, since=since)
        with pytest.raises(Unavailable):
            await harness.unreachable.payout_items(first[0])
