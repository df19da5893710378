"""The payment suite's part on hosted pages that take one payment."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from connectors.conformance.payment_declared import Trait, kind_of, needs
from connectors.conformance.payment_harness import (
    AMOUNTS,
    Enters,
    Fault,
    Operation,
    PaymentSuite,
    ProviderHarness,
    first_currency,
    fresh_ref,
    origin_of,
)
from connectors.errors import OutcomeUnknown
from connectors.payments.ports import Capability, ChargeStatus
from domain.money import Money


@needs(Capability.PAY_ONCE, Trait.CUSTOMER)
class PageConformance(PaymentSuite):
    """Payment pages."""

    @pytest.mark.parametrize("amount", AMOUNTS, ids=lambda amount: amount.currency)
    async def test_a_page_takes_one_payment_and_keeps_nothing(self, harness: ProviderHarness, amount: Money) -> None:
        kind_of(harness, str(amount.currency), Capability.PAY_ONCE)
        our_ref = fresh_ref("pay")
        page = await self.open_page(harness, our_ref, amount=amount)
        assert (page.status, page.amount) == (ChargeStatus.NEEDS_CUSTOMER, amount)
        assert page.action_url is not None
        await harness.enter(page.action_url, Enters.GOOD)
        await harness.enter(page.action_url, Enters.GOOD)
        paid = await self.outcome(harness, await self.charge_now(harness, our_ref))
        assert (paid.status, paid.amount, paid.provider_id) == (ChargeStatus.CAPTURED, amount, page.provider_id)
        assert paid.saved_method is None
        assert paid.masked is not None
        assert paid.masked.last4 == harness.looks.last4
        assert await harness.moving(our_ref) == 1
        assert await harness.kept_methods(our_ref) == 0

    @needs(Trait.SMALLEST_AMOUNTS)
    async def test_a_page_takes_one_minor_unit_as_one(self, harness: ProviderHarness) -> None:
        our_ref, one = fresh_ref("pay"), Money.of(1, first_currency(harness))
        page = await self.open_page(harness, our_ref, amount=one)
        await harness.enter(page.action_url or "", Enters.GOOD)
        paid = await self.outcome(harness, await self.charge_now(harness, our_ref))
        assert (page.amount, paid.status, paid.amount) == (one, ChargeStatus.CAPTURED, one)

    async def test_the_customer_is_sent_to_the_provider_s_own_pages_only(self, harness: ProviderHarness) -> None:
        page = await self.open_page(harness, fresh_ref("pay"))
        assert origin_of(page.action_url) in harness.provider.page_origins

    @needs(Trait.BANK_QUESTIONS)
    async def test_a_bank_s_question_is_on_the_provider_s_own_pages_too(self, harness: ProviderHarness) -> None:
        asked = await self.charge(harness, await self.saved(harness, Enters.BANK_ASKS), fresh_ref("pay"))
        assert origin_of(asked.action_url) in harness.provider.page_origins

    @needs(Capability.PAY_ONCE_AND_SAVE, Capability.CHARGE_SAVED)
    async def test_a_page_that_saves_keeps_a_method_that_can_be_charged(self, harness: ProviderHarness) -> None:
        saved = await self.saved(harness, Enters.GOOD)
        our_ref, next_ref = fresh_ref("pay"), fresh_ref("pay")
        page = await self.open_page(harness, our_ref, save=True, payer=saved.payer)
        await harness.enter(page.action_url or "", Enters.GOOD)
        paid = await self.charge_now(harness, our_ref)
        assert paid.saved_method is not None
        assert paid.payer_ref == saved.payer.provider_ref
        assert await harness.kept_methods(our_ref) == 1
        assert paid.saved_method in await harness.provider.list_methods(saved.payer.provider_ref or "")
        charged = await self.charge(harness, replace(saved, method=paid.saved_method), next_ref)
        assert (await self.outcome(harness, charged)).status is ChargeStatus.CAPTURED
        assert await harness.moving(next_ref) == 1

    async def test_a_known_payer_who_does_not_save_keeps_nothing(self, harness: ProviderHarness) -> None:
        saved, our_ref = await self.saved(harness, Enters.GOOD), fresh_ref("pay")
        page = await self.open_page(harness, our_ref, payer=saved.payer)
        await harness.enter(page.action_url or "", Enters.GOOD)
        assert list(await harness.provider.list_methods(saved.payer.provider_ref or "")) == [saved.method]

    async def test_a_declined_card_leaves_the_page_open_for_another(self, harness: ProviderHarness) -> None:
        our_ref = fresh_ref("pay")
        page = await self.open_page(harness, our_ref)
        await harness.enter(page.action_url or "", Enters.DECLINED)
        declined = await self.charge_now(harness, our_ref)
        moving = await harness.moving(our_ref)
        await harness.enter(page.action_url or "", Enters.GOOD)
        assert declined.status is ChargeStatus.NEEDS_CUSTOMER
        assert declined.action_url == page.action_url
        assert moving == 0
        paid = await self.outcome(harness, await self.charge_now(harness, our_ref))
        assert paid.status is ChargeStatus.CAPTURED
        assert await harness.moving(our_ref) == 1

    @needs(Trait.BANK_QUESTIONS)
    async def test_a_bank_that_refuses_on_the_page_leaves_it_open(self, harness: ProviderHarness) -> None:
        our_ref = fresh_ref("pay")
        page = await self.open_page(harness, our_ref)
        await harness.enter(page.action_url or "", Enters.BANK_ASKS)
        await harness.answer_bank(page.action_url or "", approve=False)
        refused = await self.charge_now(harness, our_ref)
        await harness.enter(page.action_url or "", Enters.BANK_ASKS)
        await harness.answer_bank(page.action_url or "", approve=True)
        assert refused.status is ChargeStatus.NEEDS_CUSTOMER
        assert (await self.charge_now(harness, our_ref)).status is ChargeStatus.CAPTURED
        assert await harness.moving(our_ref) == 1

    @needs(Trait.DEBITS_ON_PAGES, Capability.SETTLES_LATER)
    async def test_a_debit_on_a_page_is_processing_at_first(self, harness: ProviderHarness) -> None:
        our_ref = fresh_ref("pay")
        page = await self.open_page(harness, our_ref, kind=harness.debit_kind)
        await harness.enter(page.action_url or "", Enters.GOOD_DEBIT)
        accepted = await self.charge_now(harness, our_ref)
        assert accepted.status is ChargeStatus.PROCESSING
        assert accepted.expected_on is not None

    async def test_a_page_that_was_canceled_takes_nothing(self, harness: ProviderHarness) -> None:
        our_ref = fresh_ref("pay")
        page = await self.open_page(harness, our_ref)
        canceled = await harness.provider.cancel_charge(page.provider_id, key=f"cancel:{our_ref}")
        await harness.enter(page.action_url or "", Enters.GOOD)
        assert canceled.status is ChargeStatus.CANCELED
        assert (await self.charge_now(harness, our_ref)).status is ChargeStatus.CANCELED
        assert await harness.moving(our_ref) == 0

    async def test_cancelling_a_paid_page_says_that_it_is_paid(self, harness: ProviderHarness) -> None:
        our_ref = fresh_ref("pay")
        page = await self.open_page(harness, our_ref)
        await harness.enter(page.action_url or "", Enters.GOOD)
        answered = await harness.provider.cancel_charge(page.provider_id, key=f"cancel:{our_ref}")
        assert (await self.outcome(harness, answered)).status is ChargeStatus.CAPTURED
        assert await harness.moving(our_ref) == 1

    async def test_a_customer_who_leaves_cancels(self, harness: ProviderHarness) -> None:
        our_ref = fresh_ref("pay")
        page = await self.open_page(harness, our_ref)
        await harness.leave(page.action_url or "")
        if not harness.leaving_closes:
            assert (await self.charge_now(harness, our_ref)).status is ChargeStatus.NEEDS_CUSTOMER
            await harness.provider.cancel_charge(page.provider_id, key=f"cancel:{our_ref}")
        assert (await self.charge_now(harness, our_ref)).status is ChargeStatus.CANCELED

    @needs(Trait.ENDING_PAGES, Trait.CLOCK)
    async def test_a_page_nobody_acts_on_expires_and_then_takes_nothing(self, harness: ProviderHarness) -> None:
        our_ref = fresh_ref("pay")
        page = await self.open_page(harness, our_ref, lasts=timedelta(hours=1))
        await harness.advance(timedelta(hours=2))
        await harness.enter(page.action_url or "", Enters.GOOD)
        assert (await self.charge_now(harness, our_ref)).status is ChargeStatus.EXPIRED
        assert await harness.moving(our_ref) == 0

    @needs(Trait.FAULTS)
    async def test_a_page_whose_answer_was_lost_is_unknown_and_then_found(self, harness: ProviderHarness) -> None:
        our_ref = fresh_ref("pay")
        await harness.break_next(Operation.PAGE, Fault.ANSWER_LOST)
        with pytest.raises(OutcomeUnknown):
            await self.open_page(harness, our_ref)
        found = await self.charge_now(harness, our_ref)
        assert found.status is ChargeStatus.NEEDS_CUSTOMER
        assert found.action_url is not None
