"""The payment suite's part on saving methods, listing and forgetting them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connectors.conformance.payment_declared import Trait, needs
from connectors.conformance.payment_harness import (
    Enters,
    Fault,
    Operation,
    PaymentSuite,
    ProviderHarness,
    first_kind,
    fresh_ref,
    origin_of,
)
from connectors.errors import OutcomeUnknown, Rejected, Unavailable
from connectors.payments.ports import Capability, SetupStatus


@needs(Capability.SET_UP)
class SetupConformance(PaymentSuite):
    """Set-ups and saved methods."""

    @needs(Trait.CUSTOMER)
    async def test_a_set_up_completes_with_a_masked_method(self, harness: ProviderHarness) -> None:
        our_ref = fresh_ref("set")
        page = await self.start_setup(harness, our_ref)
        assert origin_of(page.url) in harness.provider.page_origins
        before = await self.setup_now(harness, our_ref)
        await harness.enter(page.url, Enters.GOOD)
        after = await self.setup_now(harness, our_ref)
        assert before.status is SetupStatus.OPEN
        assert before.method is None
        assert after.status is SetupStatus.COMPLETED
        assert after.session_id == page.session_id
        assert after.method is not None
        seen, looks = after.method, harness.looks
        assert (seen.kind, seen.brand, seen.last4) == (first_kind(harness), looks.brand, looks.last4)
        assert (seen.exp_year is not None) is first_kind(harness).is_card
        assert await harness.kept_methods(our_ref) == 1

    @needs(Trait.CUSTOMER)
    async def test_a_set_up_that_the_customer_cancels_is_canceled(self, harness: ProviderHarness) -> None:
        our_ref = fresh_ref("set")
        page = await self.start_setup(harness, our_ref)
        await harness.leave(page.url)
        if not harness.leaving_closes:
            assert (await self.setup_now(harness, our_ref)).status is SetupStatus.OPEN
            await harness.provider.cancel_setup(page.session_id, key=f"cancel:{our_ref}")
        assert (await self.setup_now(harness, our_ref)).status is SetupStatus.CANCELED
        assert await harness.kept_methods(our_ref) == 0

    @needs(Trait.CUSTOMER)
    async def test_cancelling_a_set_up_closes_its_page(self, harness: ProviderHarness) -> None:
        our_ref = fresh_ref("set")
        page = await self.start_setup(harness, our_ref)
        canceled = await harness.provider.cancel_setup(page.session_id, key=f"cancel:{our_ref}")
        await harness.enter(page.url, Enters.GOOD)
        assert canceled.status is SetupStatus.CANCELED
        assert (await self.setup_now(harness, our_ref)).status is SetupStatus.CANCELED
        assert await harness.kept_methods(our_ref) == 0

    @needs(Trait.CUSTOMER)
    async def test_cancelling_a_completed_set_up_says_that_it_is_completed(self, harness: ProviderHarness) -> None:
        our_ref = fresh_ref("set")
        page = await self.start_setup(harness, our_ref)
        await harness.enter(page.url, Enters.GOOD)
        answered = await harness.provider.cancel_setup(page.session_id, key=f"cancel:{our_ref}")
        assert answered.status is SetupStatus.COMPLETED
        assert answered.method is not None

    @needs(Trait.ENDING_PAGES, Trait.CLOCK)
    async def test_a_set_up_nobody_acts_on_expires(self, harness: ProviderHarness) -> None:
        our_ref = fresh_ref("set")
        await self.start_setup(harness, our_ref)
        await harness.advance(timedelta(days=2))
        assert (await self.setup_now(harness, our_ref)).status is SetupStatus.EXPIRED

    @needs(Trait.VERIFICATION, Trait.CUSTOMER)
    async def test_a_bank_account_is_verifying_until_its_deposits_are_confirmed(self, harness: ProviderHarness) -> None:
        our_ref = fresh_ref("set")
        page = await self.start_setup(harness, our_ref, kind=harness.debit_kind)
        await harness.enter(page.url, Enters.DEBIT_TO_VERIFY)
        waiting = await self.setup_now(harness, our_ref)
        await harness.verify_account(page.url)
        verified = await self.setup_now(harness, our_ref)
        assert waiting.status is SetupStatus.VERIFYING
        assert waiting.method is not None
        assert verified.status is SetupStatus.COMPLETED
        assert verified.method == waiting.method

    @needs(Trait.CUSTOMER)
    async def test_a_declined_card_leaves_the_set_up_open_for_another(self, harness: ProviderHarness) -> None:
        our_ref = fresh_ref("set")
        page = await self.start_setup(harness, our_ref)
        await harness.enter(page.url, Enters.DECLINED)
        declined = await self.setup_now(harness, our_ref)
        await harness.enter(page.url, Enters.GOOD)
        assert declined.status is SetupStatus.OPEN
        assert (await self.setup_now(harness, our_ref)).status is SetupStatus.COMPLETED
        assert await harness.kept_methods(our_ref) == 1

    async def test_the_same_set_up_key_opens_one_page(self, harness: ProviderHarness) -> None:
        our_ref = fresh_ref("set")
        order = self.setup_order(harness, our_ref)
        first = await harness.provider.start_setup(order, key=our_ref)
        again = await harness.provider.start_setup(order, key=our_ref)
        assert first == again

    @needs(Trait.FAULTS)
    async def test_a_set_up_whose_answer_was_lost_is_unknown_and_then_found(self, harness: ProviderHarness) -> None:
        our_ref = fresh_ref("set")
        await harness.break_next(Operation.SETUP, Fault.ANSWER_LOST)
        with pytest.raises(OutcomeUnknown):
            await self.start_setup(harness, our_ref)
        assert (await self.setup_now(harness, our_ref)).status is SetupStatus.OPEN

    async def test_a_set_up_nobody_started_is_none(self, harness: ProviderHarness) -> None:
        assert await harness.provider.find_setup(fresh_ref("set")) is None
        assert await harness.provider.find_setup(fresh_ref("set"), session_id="no/such?session") is None

    async def test_listed_methods_are_masked(self, harness: ProviderHarness) -> None:
        saved = await self.saved(harness, Enters.GOOD)
        assert saved.payer.provider_ref is not None
        listed = await harness.provider.list_methods(saved.payer.provider_ref)
        assert list(listed) == [saved.method]
        assert len(saved.method.last4) == 4
        assert "42424242" not in repr(listed)

    @needs(Trait.CUSTOMER)
    async def test_a_second_set_up_of_a_known_payer_adds_to_the_same_list(self, harness: ProviderHarness) -> None:
        saved = await self.saved(harness, Enters.GOOD)
        page = await self.start_setup(harness, fresh_ref("set"), payer=saved.payer)
        await harness.enter(page.url, Enters.GOOD)
        assert page.payer_ref == saved.payer.provider_ref
        assert len(await harness.provider.list_methods(saved.payer.provider_ref or "")) == 2

    async def test_detaching_twice_is_detached(self, harness: ProviderHarness) -> None:
        saved = await self.saved(harness, Enters.GOOD)
        await harness.provider.detach_method(saved.method.token, key=f"detach:{saved.method.token}:1")
        await harness.provider.detach_method(saved.method.token, key=f"detach:{saved.method.token}:2")
        await harness.provider.detach_method("never_was_here", key=f"detach:{saved.method.token}:3")
        assert list(await harness.provider.list_methods(saved.payer.provider_ref or "")) == []

    @needs(Trait.FAULTS)
    async def test_a_refused_detach_says_so_and_the_method_stays(self, harness: ProviderHarness) -> None:
        saved = await self.saved(harness, Enters.GOOD)
        await harness.break_next(Operation.DETACH, Fault.REFUSED)
        with pytest.raises(Rejected) as refused:
            await harness.provider.detach_method(saved.method.token, key=f"detach:{saved.method.token}")
        assert refused.value.code
        assert list(await harness.provider.list_methods(saved.payer.provider_ref or "")) == [saved.method]

    async def test_with_nobody_listening_a_set_up_is_unavailable(self, harness: ProviderHarness) -> None:
        order = self.setup_order(harness, fresh_ref("set"))
        with pytest.raises(Unavailable):
            await harness.unreachable.start_setup(order, key=order.our_ref)
        with pytest.raises(Unavailable):
            await harness.unreachable.check_configuration()
