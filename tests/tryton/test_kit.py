"""The connector passes the ERP kit against a real Tryton, with a person at its desk and a line that breaks."""

import pytest

from connectors.conformance.erp import ErpConformance
from connectors.conformance.erp_refunds import ErpRefunding

pytestmark = pytest.mark.long


class TestTryton(ErpConformance, ErpRefunding):
    """What it has; what it has not is declared."""
