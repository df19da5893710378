"""One running simulated Business Central for the tests of a process; each test has a company of its own."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import pytest_asyncio

from tests.connectors.business_central import described
from tests.connectors.business_central.harness import BusinessCentralHarness, start_business_central
from tests.simulators.running import Program


@pytest.fixture(scope="session")
def business_central_program() -> Iterator[Program]:
    """The program."""
    program = start_business_central()
    yield program
    program.stop()


@pytest_asyncio.fixture
async def central(business_central_program: Program) -> AsyncIterator[BusinessCentralHarness]:
    """A company with nobody in it, a connector to it, and a desk. In the end, what the connector sent is judged."""
    url = business_central_program.url
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=10, verify=False) as people:
        made = (await people.post("/_test/clients")).json()
        harness = BusinessCentralHarness(url, people, made["client_id"], made["client_secret"], made["company"])
        yield harness
        sent = [each for each in await harness.requests() if not described.is_by_hand(each)]
        assert [wrong for request in sent for wrong in described.violations(request)] == []
        await harness.erp.aclose()
