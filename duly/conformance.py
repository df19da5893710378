"""The shared test suites that every connector passes; they need pytest, so import this in tests only."""

from connectors.conformance.erp import ErpConformance
from connectors.conformance.erp_documents import ErpTypesetting, TypesettingErpHarness
from connectors.conformance.erp_harness import ErpHarness, RefundingErpHarness
from connectors.conformance.erp_refunds import ErpRefunding
from connectors.conformance.erp_streams import ErpControlTotals, ErpOpenTotals, ErpPaymentDocuments, ErpQuotes, ErpTemplates
from connectors.conformance.payment_declared import Trait
from connectors.conformance.payment_harness import (
    Delivery,
    Enters,
    Fault,
    Hears,
    Looks,
    Operation,
    ProviderHarness,
    RefundHarness,
    RefundPath,
)
from connectors.conformance.payments import PaymentConformance, RefundConformance

__all__ = [
    "Delivery",
    "Enters",
    "ErpConformance",
    "ErpControlTotals",
    "ErpHarness",
    "ErpOpenTotals",
    "ErpPaymentDocuments",
    "ErpQuotes",
    "ErpRefunding",
    "ErpTemplates",
    "ErpTypesetting",
    "Fault",
    "Hears",
    "Looks",
    "Operation",
    "PaymentConformance",
    "ProviderHarness",
    "RefundConformance",
    "RefundHarness",
    "RefundPath",
    "RefundingErpHarness",
    "Trait",
    "TypesettingErpHarness",
]
