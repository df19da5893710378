"""The connector to QuickBooks Online passes the kit, against a simulator written from its documentation."""

from connectors.conformance.erp import ErpConformance
from connectors.conformance.erp_documents import ErpTypesetting
from connectors.conformance.erp_refunds import ErpRefunding
from connectors.conformance.erp_streams import ErpControlTotals, ErpPaymentDocuments, ErpQuotes, ErpTemplates


class TestQuickBooks(
    ErpConformance, ErpRefunding, ErpPaymentDocuments, ErpQuotes, ErpTemplates, ErpControlTotals, ErpTypesetting
):
    """Everything but what QuickBooks has not."""
