"""A town for each test, on one provider for all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests import machine
from tests.connectors.sandbox_harness import start_sandbox
from tests.launch.town import Town, town_of
from tests.simulators.running import Program


@pytest.fixture(scope="session")
def provider_program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """The provider."""
    program = start_sandbox(tmp_path_factory.mktemp("sandbox") / "provider.sqlite")
    yield program
    program.stop()


@pytest_asyncio.fixture
async def town(database: machine.Database, provider_program: Program, tmp_path: Path) -> AsyncIterator[Town]:
    """Books and an ERP of a test's own, beside it."""
    async with town_of(database, provider_program.url, tmp_path) as town:
        yield town
