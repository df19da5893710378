"""What `make test-live` does at a real account holds at the simulated one: its harness is tried where nobody has a key."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.connectors.adyen.harness import ACCOUNT, API_KEY, AdyenHarness
from tests.live.adyen_account import AdyenAccount
from tests.live.adyen_suite import AskedOfAdyen
from tests.simulators.running import Program


@pytest_asyncio.fixture(scope="session")
async def account(adyen_program: Program) -> AsyncIterator[AdyenAccount]:
    """The account, asked by all tests of a run."""
    account = AdyenAccount(API_KEY, ACCOUNT, adyen_program.url)
    yield account
    await account.aclose()


class TestTheLiveRun(AskedOfAdyen):
    """The same suite, the same harness, another address. What was sent is judged by Adyen's official description."""

    @pytest.fixture
    def harness(self, account: AdyenAccount, adyen: AdyenHarness) -> AdyenAccount:  # noqa: ARG002 - it judges
        account.begins()
        return account
