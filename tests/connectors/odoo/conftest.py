"""One running simulated Odoo for the tests of a process; each test has a database of its own."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.connectors.odoo import official
from tests.connectors.odoo.harness import OdooHarness, start_odoo
from tests.simulators.running import Program


@pytest.fixture(scope="session")
def odoo_program() -> Iterator[Program]:
    """The program."""
    program = start_odoo()
    yield program
    program.stop()


@pytest_asyncio.fixture
async def harness(odoo_program: Program, request: pytest.FixtureRequest) -> AsyncIterator[OdooHarness]:
    """A fresh database of the version that the test's class names, 19 where it names none. What was sent is judged."""
    opened = await OdooHarness(odoo_program.url, series=getattr(request.cls, "series", 19)).open()
    try:
        yield opened
        wrong = [each for sent in await opened.requests() for each in official.violations(sent)]
        assert wrong == []
    finally:
        await opened.aclose()
