"""The connector of ERPNext passes the kit whole, against the simulated one."""

import pytest

from connectors.conformance.erp import ErpConformance
from connectors.conformance.erp_documents import ErpTypesetting
from connectors.conformance.erp_refunds import ErpRefunding
from connectors.conformance.erp_streams import ErpControlTotals, ErpPaymentDocuments, ErpQuotes, ErpTemplates
from tests.connectors.erpnext.harness import ErpNextHarness


class TestErpNext(
    ErpConformance, ErpRefunding, ErpPaymentDocuments, ErpQuotes, ErpTemplates, ErpControlTotals, ErpTypesetting
):
    """States and pauses, which ERPNext has not, are left out."""

    @pytest.fixture
    def harness(self, erpnext: ErpNextHarness) -> ErpNextHarness:
        return erpnext
