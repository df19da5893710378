"""What `make test-live` does at a real account holds at the simulated one: its harness is tried where nobody has a token."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.connectors.gocardless.harness import ACCESS_TOKEN
from tests.live.accounts import ByToken
from tests.live.gocardless_account import GoCardlessAccount
from tests.simulators.running import Program


@pytest_asyncio.fixture(scope="session")
async def account(gocardless_program: Program) -> AsyncIterator[GoCardlessAccount]:
    """The account, asked by all tests of a run."""
    account = GoCardlessAccount(ACCESS_TOKEN, gocardless_program.url)
    yield account
    await account.aclose()


class TestTheLiveRun(ByToken):
    """The same suite, the same harness, another address."""

    @pytest.fixture
    def harness(self, account: GoCardlessAccount) -> GoCardlessAccount:
        account.begins()
        return account
