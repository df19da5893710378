"""The payment suite's part on charging a saved method: once, whatever happens to the answer."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from connectors.conformance.payment_declared import Trait, kind_of, needs
from connectors.conformance.payment_harness import (
    AMOUNTS,
    DAYS_OF_A_DEBIT,
    Enters,
    Fault,
    Operation,
    PaymentSuite,
    ProviderHarness,
    fresh_ref,
)
from connectors.errors import KeyConflict, Misconfigured, OutcomeUnknown, Rejected, Throttled, Unavailable
from connectors.payments.ports import Capability, ChargeStatus, CountsCharges
from domain.money import Money


@needs(Capability.CHARGE_SAVED)
class ChargeConformance(PaymentSuite):
    """Charges of saved methods."""

    @pytest.mark.parametrize("amount", AMOUNTS, ids=lambda amount: amount.currency)
    async def test_a_charge_is_captured_for_the_amount_asked(self, harness: ProviderHarness, amount: Money) -> None:
        """At once, or after the days that its kind takes: a bank debit is accepted first."""
        kind = kind_of(harness, str(amount.currency), Capability.CHARGE_SAVED)
        saved, our_ref = await self.saved(harness, Enters.GOOD, str(amount.currency)), fresh_ref("pay")
        charge = await self.charge(harness, saved, our_ref, amount)
        at_first = ChargeStatus.PROCESSING if kind.takes_days else ChargeStatus.CAPTURED
        assert (charge.status, charge.amount, charge.our_ref) == (at_first, amount, our_ref)
        assert await self.charge_now(harness, our_ref) == charge
        assert await harness.provider.find_charge(our_ref, provider_id=charge.provider_id) == charge
        assert await harness.moving(our_ref) == 1
        captured = await self.outcome(harness, charge)
        assert (captured.status, captured.amount) == (ChargeStatus.CAPTURED, amount)
        assert captured.provider_id == charge.provider_id
        assert await harness.moving(our_ref) == 1

    @needs(Trait.SMALLEST_AMOUNTS)
    async def test_one_minor_unit_is_charged_as_one(self, harness: ProviderHarness) -> None:
        saved, our_ref = await self.saved(harness, Enters.GOOD), fresh_ref("pay")
        charge = await self.charge(harness, saved, our_ref, Money.of(1, saved.currency))
        captured = await self.outcome(harness, charge)
        assert (captured.status, captured.amount) == (ChargeStatus.CAPTURED, Money.of(1, saved.currency))

    @needs(Trait.MASKED_CHARGES)
    async def test_a_charge_tells_what_paid(self, harness: ProviderHarness) -> None:
        saved, our_ref = await self.saved(harness, Enters.GOOD), fresh_ref("pay")
        charge = await self.charge(harness, saved, our_ref)
        assert charge.masked is not None
        assert charge.masked.last4 == saved.method.last4

    @needs(Trait.LATER_DECLINES)
    async def test_a_decline_is_an_answer_with_its_reason(self, harness: ProviderHarness) -> None:
        saved, our_ref = await self.saved(harness, Enters.DECLINED_LATER), fresh_ref("pay")
        charge = await self.charge(harness, saved, our_ref)
        again = await self.charge(harness, saved, our_ref)
        declined = await self.outcome(harness, charge)
        assert declined.status is ChargeStatus.DECLINED
        assert declined.failure_code == harness.looks.declined_as
        assert again == charge
        assert (await self.charge_now(harness, our_ref)).status is ChargeStatus.DECLINED
        assert await harness.moving(our_ref) == 0

    async def test_the_same_key_charges_once_and_answers_the_same(self, harness: ProviderHarness) -> None:
        saved, our_ref = await self.saved(harness, Enters.GOOD), fresh_ref("pay")
        first = await self.charge(harness, saved, our_ref)
        again = await self.charge(harness, saved, our_ref)
        assert first == again
        assert await harness.moving(our_ref) == 1

    async def test_the_same_key_ten_times_at_once_charges_once(self, harness: ProviderHarness) -> None:
        saved, our_ref = await self.saved(harness, Enters.GOOD), fresh_ref("pay")
        results = await asyncio.gather(*(self.charge(harness, saved, our_ref) for _ in range(10)), return_exceptions=True)
        assert all(not isinstance(result, BaseException) or isinstance(result, Throttled) for result in results)
        assert await harness.moving(our_ref) == 1

    async def test_the_same_key_for_another_amount_is_a_conflict_to_be_asked_about(self, harness: ProviderHarness) -> None:
        saved, our_ref = await self.saved(harness, Enters.GOOD), fresh_ref("pay")
        await self.charge(harness, saved, our_ref)
        with pytest.raises(KeyConflict):
            await self.charge(harness, saved, our_ref, Money.of(1, saved.currency))
        assert await harness.moving(our_ref) == 1

    @needs(Trait.FAULTS)
    @pytest.mark.parametrize("fault", [Fault.ANSWER_LOST, Fault.NO_ANSWER, Fault.BROKEN_AFTER, Fault.UNREADABLE])
    async def test_an_answer_that_was_not_read_is_unknown_and_then_found(
        self, harness: ProviderHarness, fault: Fault
    ) -> None:
        saved, our_ref = await self.saved(harness, Enters.GOOD), fresh_ref("pay")
        await harness.break_next(Operation.CHARGE, fault)
        with pytest.raises(OutcomeUnknown):
            await self.charge(harness, saved, our_ref)
        found = await self.charge_now(harness, our_ref)
        assert (await self.outcome(harness, found)).status is ChargeStatus.CAPTURED
        assert await harness.moving(our_ref) == 1

    @needs(Trait.FAULTS, Trait.REPEATED_ERRORS)
    async def test_a_replayed_server_error_stays_unknown_and_charges_nothing_more(self, harness: ProviderHarness) -> None:
        saved, our_ref = await self.saved(harness, Enters.GOOD), fresh_ref("pay")
        await harness.break_next(Operation.CHARGE, Fault.BROKEN_AFTER)
        for _ in range(2):
            with pytest.raises(OutcomeUnknown):
                await self.charge(harness, saved, our_ref)
        assert await harness.moving(our_ref) == 1

    @needs(Trait.FAULTS)
    async def test_the_same_key_after_a_lost_answer_gives_the_first_charge(self, harness: ProviderHarness) -> None:
        saved, our_ref = await self.saved(harness, Enters.GOOD), fresh_ref("pay")
        await harness.break_next(Operation.CHARGE, Fault.ANSWER_LOST)
        with pytest.raises(OutcomeUnknown):
            await self.charge(harness, saved, our_ref)
        first = await self.charge(harness, saved, our_ref)
        assert (await self.outcome(harness, first)).status is ChargeStatus.CAPTURED
        assert await harness.moving(our_ref) == 1

    @needs(Trait.FAULTS)
    async def test_a_request_that_was_lost_is_unknown_and_then_not_found(self, harness: ProviderHarness) -> None:
        saved, our_ref = await self.saved(harness, Enters.GOOD), fresh_ref("pay")
        await harness.break_next(Operation.CHARGE, Fault.REQUEST_LOST)
        with pytest.raises(OutcomeUnknown):
            await self.charge(harness, saved, our_ref)
        assert await harness.provider.find_charge(our_ref) is None
        assert await harness.moving(our_ref) == 0
        assert harness.provider.search_lag_seconds >= 0

    async def test_a_charge_nobody_made_is_none(self, harness: ProviderHarness) -> None:
        assert await harness.provider.find_charge(fresh_ref("pay")) is None
        assert await harness.provider.find_charge(fresh_ref("pay"), provider_id="../charges?x") is None

    @needs(CountsCharges, Trait.LATER_DECLINES)
    async def test_one_who_counts_shows_every_charge_of_a_reference(self, harness: ProviderHarness) -> None:
        """The declined one and the second one too: 'once' is counted here, so nothing may be left out."""
        assert isinstance(harness.provider, CountsCharges)
        saved, our_ref = await self.saved(harness, Enters.GOOD), fresh_ref("pay")
        broke, other_ref = await self.saved(harness, Enters.DECLINED_LATER), fresh_ref("pay")
        assert list(await harness.provider.charges_of(our_ref)) == []
        first = await self.charge(harness, saved, our_ref)
        assert list(await harness.provider.charges_of(our_ref)) == [first]
        second = await harness.provider.charge(self.charge_order(saved, our_ref), key=f"another key for {our_ref}")
        found = await harness.provider.charges_of(our_ref)
        assert {each.provider_id for each in found} == {first.provider_id, second.provider_id}
        declined = await self.outcome(harness, await self.charge(harness, broke, other_ref))
        assert list(await harness.provider.charges_of(other_ref)) == [declined]

    @needs(Trait.FAULTS)
    async def test_a_status_nobody_has_heard_of_is_pending(self, harness: ProviderHarness) -> None:
        saved, our_ref = await self.saved(harness, Enters.GOOD), fresh_ref("pay")
        await harness.break_next(Operation.CHARGE, Fault.UNKNOWN_STATUS)
        assert (await self.charge(harness, saved, our_ref)).status is ChargeStatus.PENDING
        await harness.break_next(Operation.FIND_CHARGE, Fault.UNKNOWN_STATUS)
        assert (await self.charge_now(harness, our_ref)).status is ChargeStatus.PENDING

    @needs(Trait.FAULTS)
    @pytest.mark.parametrize("fault", [Fault.ANSWER_LOST, Fault.UNREADABLE, Fault.BROKEN_AFTER])
    async def test_a_search_that_was_not_answered_is_never_none(self, harness: ProviderHarness, fault: Fault) -> None:
        saved, our_ref = await self.saved(harness, Enters.GOOD), fresh_ref("pay")
        await self.charge(harness, saved, our_ref)
        await harness.break_next(Operation.FIND_CHARGE, fault)
        with pytest.raises(Unavailable):
            await harness.provider.find_charge(our_ref)

    @needs(Trait.FAULTS)
    async def test_each_refusal_says_what_the_caller_may_do(self, harness: ProviderHarness) -> None:
        saved, our_ref = await self.saved(harness, Enters.GOOD), fresh_ref("pay")
        await harness.break_next(Operation.CHARGE, Fault.THROTTLED)
        with pytest.raises(Throttled) as throttled:
            await self.charge(harness, saved, our_ref)
        await harness.break_next(Operation.CHARGE, Fault.UNDER_WAY)
        with pytest.raises(Throttled) as under_way:
            await self.charge(harness, saved, our_ref)
        await harness.break_next(Operation.CHARGE, Fault.KEY_REFUSED)
        with pytest.raises(Misconfigured):
            await self.charge(harness, saved, our_ref)
        with pytest.raises(Unavailable):
            await harness.unreachable.charge(self.charge_order(saved, our_ref), key=f"charge:{our_ref}")
        assert throttled.value.retry_after_seconds >= 1
        assert under_way.value.retry_after_seconds == 1
        assert await harness.moving(our_ref) == 0
        at_last = await self.charge(harness, saved, our_ref)
        assert (await self.outcome(harness, at_last)).status is ChargeStatus.CAPTURED

    async def test_a_detached_method_and_a_stranger_s_method_are_rejected(self, harness: ProviderHarness) -> None:
        saved, other = await self.saved(harness, Enters.GOOD), await self.saved(harness, Enters.GOOD)
        our_ref = fresh_ref("pay")
        with pytest.raises(Rejected):
            await self.charge(harness, replace(saved, method=other.method), our_ref)
        await harness.provider.detach_method(saved.method.token, key=f"detach:{our_ref}")
        with pytest.raises(Rejected):
            await self.charge(harness, saved, our_ref)
        assert await harness.moving(our_ref) == 0

    @needs(Trait.BANK_QUESTIONS, Trait.CUSTOMER)
    @pytest.mark.parametrize("approve", [True, False], ids=["approved", "refused"])
    async def test_a_bank_that_asks_is_asked_through_the_customer(self, harness: ProviderHarness, approve: bool) -> None:
        saved, our_ref = await self.saved(harness, Enters.BANK_ASKS), fresh_ref("pay")
        charge = await self.charge(harness, saved, our_ref)
        assert charge.status is ChargeStatus.NEEDS_CUSTOMER
        assert charge.action_url is not None
        assert charge.action_expires_at is not None
        assert await harness.moving(our_ref) == 0
        await harness.answer_bank(charge.action_url, approve=approve)
        after = await self.charge_now(harness, our_ref)
        assert after.status is (ChargeStatus.CAPTURED if approve else ChargeStatus.DECLINED)
        assert after.provider_id == charge.provider_id
        assert after.action_url is None
        assert await harness.moving(our_ref) == int(approve)

    @needs(Trait.BANK_QUESTIONS, Trait.CUSTOMER)
    async def test_a_charge_that_waits_for_the_customer_can_be_canceled(self, harness: ProviderHarness) -> None:
        saved, our_ref = await self.saved(harness, Enters.BANK_ASKS), fresh_ref("pay")
        waits = await self.charge(harness, saved, our_ref)
        canceled = await harness.provider.cancel_charge(waits.provider_id, key=f"cancel:{our_ref}")
        assert canceled.status is ChargeStatus.CANCELED
        assert await harness.moving(our_ref) == 0

    async def test_a_captured_charge_cannot_be_canceled(self, harness: ProviderHarness) -> None:
        saved, our_ref = await self.saved(harness, Enters.GOOD), fresh_ref("pay")
        captured = await self.outcome(harness, await self.charge(harness, saved, our_ref))
        after = await harness.provider.cancel_charge(captured.provider_id, key=f"cancel:{our_ref}")
        assert after.status is ChargeStatus.CAPTURED
        assert await harness.moving(our_ref) == 1

    @needs(Capability.SETTLES_LATER, Capability.CAN_RETURN, Trait.CUSTOMER, Trait.CLOCK)
    @pytest.mark.parametrize(
        ("what", "story"),
        [
            (Enters.GOOD_DEBIT, [ChargeStatus.CAPTURED, ChargeStatus.SETTLED]),
            (Enters.FAILING_DEBIT, [ChargeStatus.DECLINED]),
            (Enters.RETURNING_DEBIT, [ChargeStatus.CAPTURED, ChargeStatus.SETTLED, ChargeStatus.RETURNED]),
        ],
        ids=lambda part: part.value if isinstance(part, Enters) else "",
    )
    async def test_a_debit_takes_days(self, harness: ProviderHarness, what: Enters, story: list[ChargeStatus]) -> None:
        saved, our_ref = await self.saved(harness, what), fresh_ref("pay")
        charge = await self.charge(harness, saved, our_ref, Money.of(12_345, harness.debit_currency))
        seen = [charge.status]
        for _ in range(DAYS_OF_A_DEBIT):
            await harness.advance(timedelta(days=1))
            latest = await self.charge_now(harness, our_ref)
            if latest.status is not seen[-1]:
                seen.append(latest.status)
            if latest.status is story[-1]:
                break
        assert seen == [ChargeStatus.PROCESSING, *story]
        assert charge.expected_on is not None
        last = await self.charge_now(harness, our_ref)
        assert (last.return_code is not None) is (story[-1] is ChargeStatus.RETURNED)
        assert (last.failure_code is not None) is (story[-1] is ChargeStatus.DECLINED)

    def test_capabilities_claim_no_more_than_a_kind_can_do(self, harness: ProviderHarness) -> None:
        provider, later = harness.provider, Capability.SETTLES_LATER | Capability.CAN_RETURN
        for currency, kind in harness.kinds.items():
            assert Capability.CHARGE_SAVED in provider.capabilities(kind, currency)
        for currency, kind in (*harness.kinds.items(), (harness.debit_currency, harness.debit_kind)):
            found = provider.capabilities(kind, currency)
            assert found & later == (later if kind.takes_days and found else Capability.NONE)
            assert provider.capabilities(kind, "XXX") is Capability.NONE
        for currency in {"EUR", "GBP", "JPY", "USD"} - {harness.debit_currency}:
            assert provider.capabilities(harness.debit_kind, currency) is Capability.NONE
