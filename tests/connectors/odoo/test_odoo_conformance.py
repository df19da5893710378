"""Odoo's connector passes the kit, over both ways in."""

import pytest

from connectors.conformance.erp import ErpConformance
from connectors.conformance.erp_refunds import ErpRefunding
from connectors.conformance.erp_streams import ErpControlTotals, ErpPaymentDocuments, ErpQuotes


@pytest.mark.long
class TestOdoo19(ErpConformance, ErpRefunding, ErpPaymentDocuments, ErpQuotes, ErpControlTotals):
    """JSON-2; a payment's reference is its memo."""

    series = 19


@pytest.mark.long
class TestOdoo17(ErpConformance, ErpRefunding, ErpPaymentDocuments, ErpQuotes, ErpControlTotals):
    """JSON-RPC; a payment's reference is its entry's."""

    series = 17


@pytest.mark.long
class TestOdoo14(ErpConformance, ErpRefunding, ErpPaymentDocuments, ErpQuotes, ErpControlTotals):
    """JSON-RPC; accounts have their kind under another name."""

    series = 14


@pytest.mark.long
class TestOdoo18(ErpConformance, ErpRefunding, ErpPaymentDocuments, ErpQuotes, ErpControlTotals):
    """JSON-RPC, and a payment's reference is its memo."""

    series = 18


@pytest.mark.long
class TestOdoo16(ErpConformance, ErpRefunding, ErpPaymentDocuments, ErpQuotes, ErpControlTotals):
    """JSON-RPC; accounts have the kind that they have in 17."""

    series = 16


@pytest.mark.long
class TestOdoo15(ErpConformance, ErpRefunding, ErpPaymentDocuments, ErpQuotes, ErpControlTotals):
    """JSON-RPC; accounts have their kind under another name."""

    series = 15
