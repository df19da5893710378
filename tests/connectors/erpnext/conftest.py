"""One running simulated ERPNext for the tests of a process; each test has a site of its own."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import pytest_asyncio

from tests.connectors.erpnext import described
from tests.connectors.erpnext.harness import ErpNextHarness, start_erpnext
from tests.simulators.running import Program


@pytest.fixture(scope="session")
def erpnext_program() -> Iterator[Program]:
    """The program."""
    program = start_erpnext()
    yield program
    program.stop()


@pytest_asyncio.fixture
async def erpnext(erpnext_program: Program) -> AsyncIterator[ErpNextHarness]:
    """A site with nobody in it, a connector to it, and a desk. In the end, what the connector sent is judged."""
    async with httpx.AsyncClient(base_url=erpnext_program.url, trust_env=False, timeout=10, verify=False) as people:
        made = (await people.post("/_test/sites")).json()
        harness = ErpNextHarness(erpnext_program.url, people, made["api_key"], made["api_secret"])
        yield harness
        sent = [each for each in await harness.requests() if not described.is_by_hand(each)]
        assert [wrong for request in sent for wrong in described.violations(request)] == []
        await harness.erp.aclose()
