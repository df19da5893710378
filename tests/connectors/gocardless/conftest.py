"""One running simulated GoCardless for the tests of a process; each test finds it as on its first day."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from tests.connectors.gocardless import official
from tests.connectors.gocardless.harness import GoCardlessHarness, GoCardlessReceiver, start_gocardless
from tests.simulators.running import Program


@pytest.fixture(scope="session")
def gocardless_program() -> Iterator[Program]:
    """The program."""
    program = start_gocardless()
    yield program
    program.stop()


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[GoCardlessHarness]:
    """A connector to it, and a receiver of what it delivers. In the end, what was sent is judged."""
    receiver = GoCardlessReceiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    harness = GoCardlessHarness(url, receiver)
    try:
        await harness.turn(reset=True, hook=receiver.url)
        yield harness
        if official.is_there():
            sent = await harness.requests()
            assert {wrong for request in sent for wrong in official.violations(request)} == set()
            assert {wrong for request in sent for wrong in official.strange(request)} == set()
    finally:
        await harness.turn(hook="")
        await harness.aclose()
        server.close()


@pytest_asyncio.fixture
async def gocardless(gocardless_program: Program) -> AsyncIterator[GoCardlessHarness]:
    """Its laboratory, a connector to it, and a receiver of what it delivers."""
    async with connected(gocardless_program.url) as harness:
        yield harness
