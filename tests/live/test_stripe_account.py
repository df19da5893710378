"""Stripe's connector against a real test account, where DULY_LIVE_STRIPE_KEY names one: `make test-live`."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from connectors.conformance.payments import RefundConformance
from tests.live.accounts import ByToken, given
from tests.live.stripe_account import StripeAccount


@pytest_asyncio.fixture(scope="session")
async def account() -> AsyncIterator[StripeAccount]:
    """The account, asked by all tests of a run."""
    account = StripeAccount(given("DULY_LIVE_STRIPE_KEY"))
    yield account
    await account.aclose()


@pytest.mark.may_skip("there is no key")
class TestStripeAccount(ByToken, RefundConformance):
    """What the suite asks without a browser."""

    @pytest.fixture
    def harness(self, account: StripeAccount) -> StripeAccount:
        account.begins()
        return account
