"""Adyen's connector passes the kit, asked with what was delivered, where the kit is about what Adyen has.

Left out is what it does in another way: no search, pages that are named by the payment once that is known, sessions that
close by themselves, refunds that are told later, signatures inside the body, debits of which only a failure is told. What
it does instead is in `test_adyen_lifecycle.py`.
"""

from typing import Any, Final

import pytest

from connectors.conformance.payment_declared import unasked
from connectors.conformance.payment_harness import PaymentSuite, ProviderHarness
from connectors.conformance.payments import PaymentConformance, RefundConformance
from connectors.payments.ports import HostedPage, ProviderCharge, ProviderSetup
from tests.connectors.adyen.harness import AdyenHarness

IN_ANOTHER_WAY: Final = frozenset(
    {
        # A set-up's session is never read; Adyen closes it by itself.
        "test_a_set_up_that_the_customer_cancels_is_canceled",
        "test_cancelling_a_set_up_closes_its_page",
        "test_cancelling_a_completed_set_up_says_that_it_is_completed",
        "test_a_set_up_whose_answer_was_lost_is_unknown_and_then_found",
        # An event tells no more than that it was paid: not with which card.
        "test_a_charge_is_captured_for_the_amount_asked",
        "test_one_who_counts_shows_every_charge_of_a_reference",
        "test_a_page_takes_one_payment_and_keeps_nothing",
        # Nothing is searched.
        "test_a_status_nobody_has_heard_of_is_pending",
        "test_a_search_that_was_not_answered_is_never_none",
        "test_a_search_for_a_refund_that_was_not_answered_is_never_none",
        "test_a_page_whose_answer_was_lost_is_unknown_and_then_found",
        # A page is known by its link, what was paid on it by its payment; a closed one is an expired one.
        "test_a_bank_that_asks_is_asked_through_the_customer",
        "test_a_captured_charge_cannot_be_canceled",
        "test_a_page_that_was_canceled_takes_nothing",
        "test_cancelling_a_paid_page_says_that_it_is_paid",
        "test_a_customer_who_leaves_cancels",
        # That a debit came is presumed; that it did not is a return.
        "test_a_debit_takes_days",
        # A refund is taken first, and told later.
        "test_a_refund_gives_back_what_was_asked",
        "test_several_refunds_never_give_back_more_than_was_captured",
        "test_ten_refunds_at_once_never_give_back_more_than_was_captured",
        "test_what_was_not_captured_cannot_be_given_back",
        "test_a_refund_that_never_arrived_is_unknown_and_then_not_found",
        "test_a_refund_may_take_days_fail_and_fail_after_it_succeeded",
        # The signature is inside the body, and the session is not in what is signed.
        "test_a_completed_set_up_is_delivered",
        "test_a_delivery_without_a_signature_is_refused",
        "test_every_configured_secret_is_believed_and_no_other",
        "test_a_changed_body_is_forged",
    }
)


class ByEvents(PaymentSuite):
    """The suite's helpers, which remember what the product has in its rows: the session, and the link."""

    @pytest.fixture
    def harness(self, adyen: AdyenHarness) -> AdyenHarness:
        self.known: dict[str, str] = {}
        return adyen

    async def start_setup(self, harness: ProviderHarness, our_ref: str, **given: Any) -> HostedPage:
        page = await super().start_setup(harness, our_ref, **given)
        self.known[our_ref] = page.session_id
        return page

    async def setup_now(self, harness: ProviderHarness, our_ref: str) -> ProviderSetup:
        heard = await self.heard(harness, our_ref)
        setup = await harness.provider.find_setup(our_ref, session_id=self.known[our_ref], heard=heard)
        assert setup is not None
        assert setup.our_ref == our_ref
        return setup

    async def open_page(self, harness: ProviderHarness, our_ref: str, **given: Any) -> ProviderCharge:
        page = await super().open_page(harness, our_ref, **given)
        self.known[our_ref] = page.provider_id
        return page

    async def charge_now(self, harness: ProviderHarness, our_ref: str) -> ProviderCharge:
        heard = await self.heard(harness, our_ref)
        charge = await harness.provider.find_charge(our_ref, provider_id=self.known.get(our_ref), heard=heard)
        assert charge is not None
        assert charge.our_ref == our_ref
        return charge


def where_alike(suite: type) -> type:
    """The suite without what Adyen does in another way."""
    for name in IN_ANOTHER_WAY:
        if hasattr(suite, name):
            setattr(suite, name, None)
    return suite


@where_alike
class TestAdyen(ByEvents, PaymentConformance, RefundConformance):
    """The whole suite."""

    def test_everything_that_is_claimed_is_asked_for(self, harness: ProviderHarness) -> None:
        """But for what is asked beside this file, since it goes another way."""
        assert unasked(type(self), harness) == {"CAN_RETURN", "CountsCharges"}


def test_nothing_is_left_out_that_the_kit_does_not_have() -> None:
    suites = (PaymentConformance, RefundConformance)
    assert {name for name in IN_ANOTHER_WAY if not any(hasattr(suite, name) for suite in suites)} == set()
