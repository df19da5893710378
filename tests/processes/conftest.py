"""One running Duly for all tests of a pytest process in this folder; each test has customers of its own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.processes import house as houses
from tests.processes.house import House


@pytest_asyncio.fixture(scope="session")
async def house() -> AsyncIterator[House]:
    """Everything runs; two minutes is more than any of it needs to start."""
    folder = Path(tempfile.mkdtemp(prefix="duly-house-"))
    running = await houses.start(folder)
    yield running
    await houses.stop(running)
    shutil.rmtree(folder, ignore_errors=True)
