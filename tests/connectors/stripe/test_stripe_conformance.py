"""Stripe's connector passes the kit, against a far side that shares no code with it."""

import pytest

from connectors.conformance.payment_charges import ChargeConformance
from connectors.conformance.payments import PaymentConformance, PayoutConformance, RefundConformance
from tests.connectors.stripe.harness import StripeHarness


class TestStripe(PaymentConformance, RefundConformance, PayoutConformance):
    """The whole suite."""

    @pytest.fixture
    def harness(self, stripe: StripeHarness) -> StripeHarness:
        return stripe


class TestStripeInEurope(ChargeConformance):
    """Charges once more, with SEPA debits, which need no small deposits."""

    @pytest.fixture
    def harness(self, stripe_in_europe: StripeHarness) -> StripeHarness:
        return stripe_in_europe
