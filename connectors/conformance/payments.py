"""What every payment connector must pass, against the real provider or a simulator behind HTTP.

Subclass `PaymentConformance` in a test module and give it a fixture named `harness`: a `ProviderHarness` over one
running provider. A connector that gives money back subclasses `RefundConformance` as well, with a `RefundHarness`; one
that tells what it paid out `PayoutConformance`, with a `PayoutHarness`. The suite needs pytest with pytest-asyncio in auto
mode, and nothing else of either.

A test is left out only where the connector does not claim what it is about, or where the harness declares that the far
side lacks it (`Trait`). What is claimed and not asked for fails, and so does a number of tests that was not declared.
"""

from connectors.conformance.payment_charges import ChargeConformance
from connectors.conformance.payment_declared import Trait, left_out, needs, unasked, uncallable
from connectors.conformance.payment_events import EventConformance
from connectors.conformance.payment_harness import (
    Delivery,
    Enters,
    Fault,
    Hears,
    Looks,
    Operation,
    PayoutHarness,
    ProviderHarness,
    ProviderUnderTest,
    RefundHarness,
    RefundPath,
)
from connectors.conformance.payment_pages import PageConformance
from connectors.conformance.payment_payouts import PayoutConformance
from connectors.conformance.payment_refunds import RefundConformance
from connectors.conformance.payment_setups import SetupConformance
from connectors.conformance.payment_webhooks import HOSTILE_BODIES, WebhookConformance

__all__ = [
    "HOSTILE_BODIES",
    "Delivery",
    "Enters",
    "Fault",
    "Hears",
    "Looks",
    "Operation",
    "PaymentConformance",
    "PayoutConformance",
    "PayoutHarness",
    "ProviderHarness",
    "ProviderUnderTest",
    "RefundConformance",
    "RefundHarness",
    "RefundPath",
    "Trait",
]


class PaymentConformance(SetupConformance, ChargeConformance, PageConformance, WebhookConformance, EventConformance):
    """What every connector is asked."""

    def test_what_is_left_out_is_declared_and_counted(self, harness: ProviderHarness) -> None:
        assert dict(left_out(type(self), harness)) == dict(harness.lacks)
        assert all(harness.lacks.values()), "what takes no test away need not be declared"

    def test_every_method_takes_what_duly_passes(self, harness: ProviderHarness) -> None:
        assert uncallable(harness.provider) == []

    @needs(Trait.CUSTOMER)
    def test_everything_that_is_claimed_is_asked_for(self, harness: ProviderHarness) -> None:
        assert unasked(type(self), harness) == set()
