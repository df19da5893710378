"""The connector of ERPNext passes the kit whole, refunds included, against the simulated one."""

import pytest

from connectors.conformance.erp import ErpConformance
from connectors.conformance.erp_refunds import ErpRefunding
from tests.connectors.erpnext.harness import ErpNextHarness


class TestErpNext(ErpConformance, ErpRefunding):
    """States and pauses, which ERPNext has not, are left out."""

    @pytest.fixture
    def harness(self, erpnext: ErpNextHarness) -> ErpNextHarness:
        return erpnext
