"""What `make test-live` does at a real account holds at the simulated one: its harness is tried where nobody has a key."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from connectors.conformance.payments import RefundConformance
from tests.connectors.stripe.harness import API_KEY
from tests.live.accounts import ByToken
from tests.live.stripe_account import StripeAccount
from tests.simulators.running import Program


@pytest_asyncio.fixture(scope="session")
async def account(stripe_program: Program) -> AsyncIterator[StripeAccount]:
    """The account, asked by all tests of a run."""
    account = StripeAccount(API_KEY, stripe_program.url)
    yield account
    await account.aclose()


class TestTheLiveRun(ByToken, RefundConformance):
    """The same suite, the same harness, another address."""

    @pytest.fixture
    def harness(self, account: StripeAccount) -> StripeAccount:
        account.begins()
        return account
