"""A town for each test, on one provider for each file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from tests import machine
from tests.connectors.sandbox_harness import start_sandbox
from tests.launch.town import Town
from tests.simulators.running import Program, start_demo_erp
from tests.store.money import books_of


@pytest.fixture(scope="module")
def provider_program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    program = start_sandbox(tmp_path_factory.mktemp("sandbox") / "provider.sqlite")
    yield program
    program.stop()


@pytest_asyncio.fixture
async def town(database: machine.Database, provider_program: Program, tmp_path: Path) -> AsyncIterator[Town]:
    erp = start_demo_erp(tmp_path / "books.sqlite")
    async with AsyncExitStack() as stack:
        stack.callback(lambda: erp.program.stop())  # a test may have killed it and begun another
        books = await stack.enter_async_context(books_of(database))
        town = Town(books, erp, provider_program.url, database)
        stack.push_async_callback(town.aclose)
        yield town
