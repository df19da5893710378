"""The connector to NetSuite passes the kit, against a simulator written from its documentation."""

from connectors.conformance.erp import ErpConformance
from connectors.conformance.erp_refunds import ErpRefunding
from connectors.conformance.erp_streams import ErpControlTotals, ErpPaymentDocuments, ErpQuotes


class TestNetSuite(ErpConformance, ErpRefunding, ErpPaymentDocuments, ErpQuotes, ErpControlTotals):
    """Everything but what NetSuite has not."""
