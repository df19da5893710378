"""The connector of Business Central passes the kit, as far as its standard API goes, against the simulated one."""

import pytest

from connectors.conformance.erp import ErpConformance
from connectors.conformance.erp_documents import ErpTypesetting
from tests.connectors.business_central.harness import BusinessCentralHarness


class TestBusinessCentral(ErpConformance, ErpTypesetting):
    """Left out by declaration: states, pauses, and whatever moves money that is booked."""

    @pytest.fixture
    def harness(self, central: BusinessCentralHarness) -> BusinessCentralHarness:
        return central
