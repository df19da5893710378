"""The connector passes the ERP kit against a simulated Xero."""

from connectors.conformance.erp import ErpConformance
from connectors.conformance.erp_documents import ErpTypesetting
from connectors.conformance.erp_refunds import ErpRefunding
from connectors.conformance.erp_streams import ErpOpenTotals, ErpPaymentDocuments, ErpQuotes, ErpTemplates


class TestXero(ErpConformance, ErpRefunding, ErpPaymentDocuments, ErpQuotes, ErpTemplates, ErpOpenTotals, ErpTypesetting):
    """What it has; what it has not is declared."""
