"""One running sandbox provider for the connectors' tests of a process."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.connectors.sandbox_harness import SandboxHarness, receiving, start_sandbox
from tests.simulators.running import Program


@pytest.fixture(scope="session")
def sandbox_program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """The program, with a file of its own."""
    program = start_sandbox(tmp_path_factory.mktemp("sandbox") / "provider.sqlite")
    yield program
    program.stop()


@pytest_asyncio.fixture(scope="session")
async def sandbox(sandbox_program: Program) -> AsyncIterator[SandboxHarness]:
    """Its laboratory, a connector to it, and a receiver of what it delivers."""
    async with receiving() as receiver:
        harness = SandboxHarness(sandbox_program.url, receiver)
        await harness.ask("PUT", "/v1/webhook_endpoint", {"url": receiver.url})
        yield harness
        await harness.aclose()
