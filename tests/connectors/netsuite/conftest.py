"""One running simulated NetSuite for the tests of a process; each test has an account of its own."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.connectors.netsuite import official
from tests.connectors.netsuite.harness import NetSuiteHarness, start_netsuite
from tests.simulators.running import Program


@pytest.fixture(scope="session")
def netsuite_program() -> Iterator[Program]:
    """The program."""
    program = start_netsuite()
    yield program
    program.stop()


@pytest_asyncio.fixture
async def harness(netsuite_program: Program) -> AsyncIterator[NetSuiteHarness]:
    """A fresh account with a connector. In the end, every request that was sent is judged."""
    opened = await NetSuiteHarness.opened(netsuite_program.url)
    yield opened
    sent = await opened.requests()
    await opened.aclose()
    assert [wrong for request in sent for wrong in official.violations(request)] == []
