"""The connector passes the ERP kit against a real Tryton, with a person at its desk and a line that breaks."""

import pytest

from connectors.conformance.erp import ErpConformance
from connectors.conformance.erp_refunds import ErpRefunding
from connectors.conformance.erp_streams import ErpControlTotals, ErpPaymentDocuments

pytestmark = pytest.mark.long


class TestTryton(ErpConformance, ErpRefunding, ErpPaymentDocuments, ErpControlTotals):
    """What it has; what it has not is declared."""
