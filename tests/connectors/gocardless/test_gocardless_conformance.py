"""GoCardless passes the kit against a far side that shares no code with it: by mandate and by instant payment."""

import pytest

from connectors.conformance.payments import PaymentConformance, RefundConformance
from tests.connectors.gocardless.harness import GoCardlessHarness


class TestGoCardless(PaymentConformance, RefundConformance):
    """The whole suite, without a card."""

    @pytest.fixture
    def harness(self, gocardless: GoCardlessHarness) -> GoCardlessHarness:
        return gocardless
