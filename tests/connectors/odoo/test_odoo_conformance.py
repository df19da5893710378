"""Odoo's connector passes the kit, over both ways in."""

import pytest

from connectors.conformance.erp import ErpConformance
from connectors.conformance.erp_refunds import ErpRefunding


class TestOdoo19(ErpConformance, ErpRefunding):
    """JSON-2; a payment's reference is its memo."""

    series = 19


@pytest.mark.long
class TestOdoo17(ErpConformance, ErpRefunding):
    """JSON-RPC; a payment's reference is its entry's."""

    series = 17


@pytest.mark.long
class TestOdoo14(ErpConformance, ErpRefunding):
    """JSON-RPC; accounts have their kind under another name."""

    series = 14
