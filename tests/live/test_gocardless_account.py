"""GoCardless's connector against a real sandbox account, where DULY_LIVE_GOCARDLESS_TOKEN names one: `make test-live`."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.live.accounts import ByToken, given
from tests.live.gocardless_account import GoCardlessAccount


@pytest_asyncio.fixture(scope="session")
async def account() -> AsyncIterator[GoCardlessAccount]:
    """The account, asked by all tests of a run."""
    account = GoCardlessAccount(given("DULY_LIVE_GOCARDLESS_TOKEN"))
    yield account
    await account.aclose()


@pytest.mark.may_skip("there is no token")
class TestGoCardlessAccount(ByToken):
    """What the suite asks without a browser."""

    @pytest.fixture
    def harness(self, account: GoCardlessAccount) -> GoCardlessAccount:
        account.begins()
        return account
