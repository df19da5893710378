"""The payment suite's part on giving money back: once, never above what was captured, whatever happens to the answer."""

from __future__ import annotations

import asyncio

import pytest

from connectors.conformance.payment_declared import Trait, needs
from connectors.conformance.payment_harness import (
    Enters,
    Fault,
    Operation,
    PaymentSuite,
    RefundHarness,
    RefundPath,
    fresh_ref,
    now,
)
from connectors.errors import KeyConflict, Misconfigured, OutcomeUnknown, Rejected, Throttled, Unavailable
from connectors.payments.ports import (
    Capability,
    ChargeStatus,
    EventSubject,
    ProviderCharge,
    RefundOrder,
    Refunds,
    RefundStatus,
)


@needs(Refunds, Capability.REFUND)
class RefundConformance(PaymentSuite):
    """Refunds of captured charges."""

    async def captured(self, harness: RefundHarness) -> ProviderCharge:
        """A charge of 123.45 that was captured."""
        charge = await self.charge(harness, await self.saved(harness, Enters.GOOD), fresh_ref("pay"))
        captured = await self.outcome(harness, charge)
        assert captured.status is ChargeStatus.CAPTURED
        return captured

    async def refund_now(self, harness: RefundHarness, our_ref: str) -> RefundStatus:
        """The status of a refund that must exist, as fetched."""
        found = await harness.provider.find_refund(our_ref, heard=await self.heard(harness, our_ref))
        assert found is not None
        assert found.our_ref == our_ref
        return found.status

    def test_the_capability_is_claimed(self, harness: RefundHarness) -> None:
        assert all(Capability.REFUND in harness.provider.capabilities(kind, each) for each, kind in harness.kinds.items())

    async def test_a_refund_gives_back_what_was_asked(self, harness: RefundHarness) -> None:
        charge, our_ref = await self.captured(harness), fresh_ref("rfd")
        refund = await self.refund(harness, charge, our_ref, 345)
        assert (refund.status, refund.amount.minor, refund.our_ref) == (RefundStatus.SUCCEEDED, 345, our_ref)
        assert refund.charge_id == charge.provider_id
        assert await harness.provider.find_refund(our_ref) == refund
        assert await harness.provider.find_refund(our_ref, provider_id=refund.provider_id) == refund
        assert list(await harness.provider.refunds_of(our_ref)) == [refund]
        assert await harness.given_back(our_ref) == 345

    async def test_several_refunds_never_give_back_more_than_was_captured(self, harness: RefundHarness) -> None:
        charge = await self.captured(harness)
        first, second, third, last = (fresh_ref("rfd") for _ in range(4))
        await self.refund(harness, charge, first, 345)
        await self.refund(harness, charge, second, 12_000 - 1)
        with pytest.raises(Rejected):
            await self.refund(harness, charge, third, 2)
        assert await harness.given_back(third) == 0
        await self.refund(harness, charge, last, 1)
        assert sum([await harness.given_back(each) for each in (first, second, last)]) == charge.amount.minor

    @needs(Trait.RACES)
    async def test_ten_refunds_at_once_never_give_back_more_than_was_captured(self, harness: RefundHarness) -> None:
        charge, references = await self.captured(harness), [fresh_ref("rfd") for _ in range(10)]
        sixty_percent = charge.amount.minor * 6 // 10
        tried = [self.refund(harness, charge, each, sixty_percent) for each in references]
        results = await asyncio.gather(*tried, return_exceptions=True)
        assert sum(isinstance(result, Rejected) for result in results) == 9
        assert sum([await harness.given_back(each) for each in references]) == sixty_percent

    async def test_the_same_key_refunds_once_and_answers_the_same(self, harness: RefundHarness) -> None:
        charge, our_ref = await self.captured(harness), fresh_ref("rfd")
        first, again = [await self.refund(harness, charge, our_ref, 345) for _ in range(2)]
        assert first == again
        assert await harness.given_back(our_ref) == 345
        with pytest.raises(KeyConflict):
            await self.refund(harness, charge, our_ref, 346)

    @needs(Trait.LATER_DECLINES)
    async def test_what_was_not_captured_cannot_be_given_back(self, harness: RefundHarness) -> None:
        saved = await self.saved(harness, Enters.DECLINED_LATER)
        declined = await self.outcome(harness, await self.charge(harness, saved, fresh_ref("pay")))
        our_ref = fresh_ref("rfd")
        with pytest.raises(Rejected):
            await self.refund(harness, declined, our_ref)
        assert await harness.given_back(our_ref) == 0

    @needs(Trait.FAULTS)
    @pytest.mark.parametrize("fault", [Fault.ANSWER_LOST, Fault.NO_ANSWER, Fault.BROKEN_AFTER, Fault.UNREADABLE])
    async def test_a_refund_whose_answer_was_not_read_is_unknown_and_then_found(
        self, harness: RefundHarness, fault: Fault
    ) -> None:
        charge, our_ref = await self.captured(harness), fresh_ref("rfd")
        await harness.break_next(Operation.REFUND, fault)
        with pytest.raises(OutcomeUnknown):
            await self.refund(harness, charge, our_ref, 345)
        assert await self.refund_now(harness, our_ref) is RefundStatus.SUCCEEDED
        assert await harness.given_back(our_ref) == 345

    @needs(Trait.FAULTS)
    async def test_a_refund_that_never_arrived_is_unknown_and_then_not_found(self, harness: RefundHarness) -> None:
        charge, our_ref = await self.captured(harness), fresh_ref("rfd")
        await harness.break_next(Operation.REFUND, Fault.REQUEST_LOST)
        with pytest.raises(OutcomeUnknown):
            await self.refund(harness, charge, our_ref, 345)
        assert await harness.provider.find_refund(our_ref) is None
        assert list(await harness.provider.refunds_of(our_ref)) == []
        assert (await self.refund(harness, charge, our_ref, 345)).status is RefundStatus.SUCCEEDED
        assert await harness.given_back(our_ref) == 345

    @needs(Trait.FAULTS)
    async def test_a_refund_whose_status_nobody_has_heard_of_is_pending(self, harness: RefundHarness) -> None:
        charge, our_ref = await self.captured(harness), fresh_ref("rfd")
        await harness.break_next(Operation.REFUND, Fault.UNKNOWN_STATUS)
        assert (await self.refund(harness, charge, our_ref, 345)).status is RefundStatus.PENDING

    @needs(Trait.FAULTS)
    async def test_a_search_for_a_refund_that_was_not_answered_is_never_none(self, harness: RefundHarness) -> None:
        charge, our_ref = await self.captured(harness), fresh_ref("rfd")
        await self.refund(harness, charge, our_ref, 345)
        await harness.break_next(Operation.FIND_REFUND, Fault.ANSWER_LOST)
        with pytest.raises(Unavailable):
            await harness.provider.find_refund(our_ref)

    @needs(Trait.FAULTS)
    async def test_a_refund_that_was_refused_says_what_the_caller_may_do(self, harness: RefundHarness) -> None:
        charge, our_ref = await self.captured(harness), fresh_ref("rfd")
        for fault, error in ((Fault.THROTTLED, Throttled), (Fault.KEY_REFUSED, Misconfigured), (Fault.REFUSED, Rejected)):
            await harness.break_next(Operation.REFUND, fault)
            with pytest.raises(error):
                await self.refund(harness, charge, our_ref, 345)
        order = RefundOrder(our_ref=our_ref, charge_id=charge.provider_id, amount=charge.amount)
        with pytest.raises(Unavailable):
            await harness.unreachable.refund(order, key=f"refund:{our_ref}")
        assert await harness.given_back(our_ref) == 0

    @needs(Trait.REFUND_PATHS)
    async def test_a_refund_may_take_days_fail_and_fail_after_it_succeeded(self, harness: RefundHarness) -> None:
        charge = await self.captured(harness)
        slow, failing = fresh_ref("rfd"), fresh_ref("rfd")
        await harness.refund_path(RefundPath.STAYS_PENDING)
        assert (await self.refund(harness, charge, slow)).status is RefundStatus.PROCESSING
        await harness.bank_says(slow, succeeded=True)
        assert await self.refund_now(harness, slow) is RefundStatus.SUCCEEDED
        await harness.bank_says(slow, succeeded=False)
        assert await self.refund_now(harness, slow) is RefundStatus.FAILED
        assert await harness.given_back(slow) == 0
        await harness.refund_path(RefundPath.FAILS)
        failed = await self.refund(harness, charge, failing)
        assert (failed.status, failed.failure_code is not None) == (RefundStatus.FAILED, True)
        assert await harness.given_back(failing) == 0
        await harness.refund_path(RefundPath.SUCCEEDS)

    @needs(Trait.DELIVERIES)
    async def test_a_refund_s_delivery_carries_our_reference(self, harness: RefundHarness) -> None:
        charge, our_ref = await self.captured(harness), fresh_ref("rfd")
        refund = await self.refund(harness, charge, our_ref, 345)
        delivery = (await harness.deliveries(our_ref, at_least=1))[0]
        events = harness.provider.read_webhook(delivery.raw, delivery.headers, now=now())
        assert [(event.subject, event.our_ref, event.provider_id) for event in events] == [
            (EventSubject.REFUND, our_ref, refund.provider_id)
        ]
