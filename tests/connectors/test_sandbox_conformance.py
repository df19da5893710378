"""The sandbox provider's connector passes the kit, against the real program."""

import pytest

from connectors.conformance.payments import PaymentConformance, PayoutConformance, RefundConformance
from tests.connectors.sandbox_harness import SandboxHarness


class TestSandboxProvider(PaymentConformance, RefundConformance, PayoutConformance):
    """The whole suite."""

    @pytest.fixture
    def harness(self, sandbox: SandboxHarness) -> SandboxHarness:
        return sandbox
