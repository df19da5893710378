"""Adyen's connector against a real test account, where DULY_LIVE_ADYEN_KEY and _ACCOUNT name one: `make test-live`."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.live.accounts import given
from tests.live.adyen_account import AdyenAccount
from tests.live.adyen_suite import AskedOfAdyen


@pytest_asyncio.fixture(scope="session")
async def account() -> AsyncIterator[AdyenAccount]:
    """The account, asked by all tests of a run."""
    account = AdyenAccount(given("DULY_LIVE_ADYEN_KEY"), given("DULY_LIVE_ADYEN_ACCOUNT"))
    yield account
    await account.aclose()


@pytest.mark.may_skip("there is no key")
class TestAdyenAccount(AskedOfAdyen):
    """What can be asked without a browser and without deliveries."""

    @pytest.fixture
    def harness(self, account: AdyenAccount) -> AdyenAccount:
        account.begins()
        return account
