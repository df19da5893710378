"""The shared test suites that every connector passes; they need pytest, so import this in tests only."""

from connectors.conformance.erp import ErpConformance
from connectors.conformance.erp_harness import ErpHarness
from connectors.conformance.payment_harness import Delivery, Enters, Fault, Operation, ProviderHarness
from connectors.conformance.payments import PaymentConformance

__all__ = [
    "Delivery",
    "Enters",
    "ErpConformance",
    "ErpHarness",
    "Fault",
    "Operation",
    "PaymentConformance",
    "ProviderHarness",
]
