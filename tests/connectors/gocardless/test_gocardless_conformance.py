"""GoCardless's connector passes the kit where the kit is about what it has: no cards, so mandates stand in for them.

Left out is what only a card can do: to be captured at once, to be asked about by its bank, to have a brand. What a page
with an instant payment does is in `test_gocardless_lifecycle.py`.
"""

from datetime import timedelta
from typing import Final

import pytest

from connectors.conformance.payment_charges import ChargeConformance
from connectors.conformance.payment_harness import (
    Enters,
    PaymentSuite,
    ProviderHarness,
    RefundHarness,
    fresh_ref,
)
from connectors.conformance.payment_refunds import RefundConformance
from connectors.conformance.payment_setups import SetupConformance
from connectors.conformance.payment_webhooks import WebhookConformance
from connectors.payments.ports import HostedPage, Payer, ProviderCharge
from domain.methods import MethodKind
from tests.connectors.gocardless.harness import GoCardlessHarness

FOR_CARDS: Final = frozenset(
    {
        "test_a_charge_is_captured_for_the_amount_asked",
        "test_a_decline_is_an_answer_with_its_reason",
        "test_an_answer_that_was_not_read_is_unknown_and_then_found",
        "test_a_replayed_server_error_stays_unknown_and_charges_nothing_more",
        "test_the_same_key_after_a_lost_answer_gives_the_first_charge",
        "test_each_refusal_says_what_the_caller_may_do",
        "test_a_bank_that_asks_is_asked_through_the_customer",
        "test_a_charge_that_waits_can_be_canceled_and_a_captured_one_cannot",
        "test_capabilities_claim_no_more_than_a_kind_can_do",
        "test_the_capability_is_claimed",
        "test_a_set_up_completes_with_a_masked_method",
        "test_a_set_up_nobody_acts_on_expires",
        "test_the_same_set_up_key_opens_one_page",
        "test_with_nobody_listening_a_set_up_is_unavailable",
    }
)
"""They name a card, or a card's status at once. What a mandate does instead is in the file beside this one, but for a bank's
question, which there is none of. The suite has no kind of its own yet for what a provider without cards takes."""


class ByMandate(PaymentSuite):
    """The suite's helpers, with a mandate wherever they would take a card."""

    @pytest.fixture
    def harness(self, gocardless: GoCardlessHarness) -> GoCardlessHarness:
        return gocardless

    async def start_setup(
        self,
        harness: ProviderHarness,
        our_ref: str,
        *,
        kind: MethodKind = MethodKind.CARD,  # noqa: ARG002
        payer: Payer | None = None,
    ) -> HostedPage:
        return await super().start_setup(harness, our_ref, kind=harness.debit_kind, payer=payer)


def without_cards(suite: type) -> type:
    """The suite without what only a card can do."""
    for name in FOR_CARDS:
        if hasattr(suite, name):
            setattr(suite, name, None)
    return suite


@without_cards
class TestSetups(ByMandate, SetupConformance):
    """Mandates."""


@without_cards
class TestCharges(ByMandate, ChargeConformance):
    """Charges of mandates."""


@without_cards
class TestRefunds(ByMandate, RefundConformance):
    """Refunds of payments."""

    async def captured(self, harness: RefundHarness) -> ProviderCharge:
        our_ref = fresh_ref("pay")
        await self.charge(harness, await self.saved(harness, Enters.GOOD_CARD), our_ref)
        await harness.advance(timedelta(days=3))
        return await self.charge_now(harness, our_ref)


class TestWebhooks(ByMandate, WebhookConformance):
    """Deliveries."""
