"""Odoo's connector passes the kit, over both ways in."""

import pytest

from connectors.conformance.erp import ErpConformance
from connectors.conformance.erp_refunds import ErpRefunding
from connectors.conformance.erp_streams import ErpControlTotals, ErpPaymentDocuments


@pytest.mark.long
class TestOdoo19(ErpConformance, ErpRefunding, ErpPaymentDocuments, ErpControlTotals):
    """JSON-2; a payment's reference is its memo."""

    series = 19


@pytest.mark.long
class TestOdoo17(ErpConformance, ErpRefunding, ErpPaymentDocuments, ErpControlTotals):
    """JSON-RPC; a payment's reference is its entry's."""

    series = 17


@pytest.mark.long
class TestOdoo14(ErpConformance, ErpRefunding, ErpPaymentDocuments, ErpControlTotals):
    """JSON-RPC; accounts have their kind under another name."""

    series = 14
