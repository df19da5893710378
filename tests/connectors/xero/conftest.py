"""One running simulated Xero for the tests of a process; each test finds an organisation of its own."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import pytest_asyncio

from connectors.trust import trusted
from tests.connectors.xero import official
from tests.connectors.xero.harness import XeroHarness, start_xero
from tests.simulators.running import Program


@pytest.fixture(scope="session")
def xero_program() -> Iterator[Program]:
    """The program."""
    program = start_xero()
    yield program
    program.stop()


@pytest_asyncio.fixture(scope="session")
async def desk() -> AsyncIterator[httpx.AsyncClient]:
    """A browser for people at its desk."""
    async with httpx.AsyncClient(trust_env=False, verify=trusted()) as browser:
        yield browser


@pytest_asyncio.fixture
async def harness(xero_program: Program, desk: httpx.AsyncClient) -> AsyncIterator[XeroHarness]:
    """An organisation with nothing in it. In the end, what was sent is judged."""
    founded = (await desk.post(f"{xero_program.url}/_test/organisations", json={})).json()
    made = XeroHarness(xero_program.url, desk, founded)
    yield made
    await made.aclose()
    if official.is_there():
        sent = await made.requests()
        assert [wrong for request in sent for wrong in official.violations(request)] == []
