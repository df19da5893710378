"""The connector to QuickBooks Online passes the kit, against a simulator written from its documentation."""

from connectors.conformance.erp import ErpConformance
from connectors.conformance.erp_refunds import ErpRefunding


class TestQuickBooks(ErpConformance, ErpRefunding):
    """Everything but what QuickBooks has not."""
