"""One running simulated QuickBooks for the tests of a process; each test has a company of its own."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.connectors.quickbooks import official
from tests.connectors.quickbooks.harness import QuickBooksHarness, start_quickbooks
from tests.simulators.running import Program


@pytest.fixture(scope="session")
def quickbooks_program() -> Iterator[Program]:
    """The program."""
    program = start_quickbooks()
    yield program
    program.stop()


@pytest_asyncio.fixture
async def harness(quickbooks_program: Program) -> AsyncIterator[QuickBooksHarness]:
    """A fresh company with a connector. In the end, every request that was sent is judged."""
    opened = await QuickBooksHarness.opened(quickbooks_program.url)
    yield opened
    sent = await opened.requests()
    await opened.aclose()
    assert [wrong for request in sent for wrong in official.violations(request)] == []
