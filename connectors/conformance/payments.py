"""What every payment connector must pass, against the real provider or a simulator behind HTTP.

Subclass `PaymentConformance` in a test module and give it a fixture named `harness`: a `ProviderHarness` over one
running provider. A connector that gives money back subclasses `RefundConformance` as well, with a `RefundHarness`. The
suite needs pytest with pytest-asyncio in auto mode, and nothing else of either.
"""

from connectors.conformance.payment_charges import ChargeConformance
from connectors.conformance.payment_harness import (
    Delivery,
    Enters,
    Fault,
    Operation,
    ProviderHarness,
    ProviderUnderTest,
    RefundHarness,
    RefundPath,
)
from connectors.conformance.payment_pages import PageConformance
from connectors.conformance.payment_refunds import RefundConformance
from connectors.conformance.payment_setups import SetupConformance
from connectors.conformance.payment_webhooks import HOSTILE_BODIES, WebhookConformance

__all__ = [
    "HOSTILE_BODIES",
    "Delivery",
    "Enters",
    "Fault",
    "Operation",
    "PaymentConformance",
    "ProviderHarness",
    "ProviderUnderTest",
    "RefundConformance",
    "RefundHarness",
    "RefundPath",
]


class PaymentConformance(SetupConformance, ChargeConformance, PageConformance, WebhookConformance):
    """What every connector is asked."""
