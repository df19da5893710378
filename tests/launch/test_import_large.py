"""Large files with one broken row in a hundred: exactly those are told, the others are taken in once, whatever stops it."""

import asyncio
import csv
import os
import resource
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from connectors.files import Problem
from launch.importing import Wanted, take_in
from store.database import Database
from tests import machine
from tests.launch.exports import large
from tests.launch.test_import import DULY, NOON, everything, stored

SHAPES = ("csv", "xlsx", "json")
WRITTEN = "SELECT count(*), count(DISTINCT erp_id) FROM invoices"
MEMORY_MOST_KB = 400 * 1024


@pytest_asyncio.fixture
async def worker(database: machine.Database) -> AsyncIterator[Database]:
    opened = Database(database.worker_url)
    yield opened
    await opened.close()


class Killed(BaseException):
    """Stops an import where a kill would."""


@pytest.mark.parametrize("shape", SHAPES)
async def test_each_broken_row_is_told_and_the_others_are_taken_in_once(
    worker: Database, tmp_path: Path, shape: str
) -> None:
    path, broken = large(tmp_path, shape, 700)
    told: list[Problem] = []
    first = await take_in(worker, Wanted(path=path, partial=True), at=NOON, refused=told.append)
    assert [(each.line, each.rule) for each in told] == broken
    assert (first.read, first.changed, first.refused, first.kept) == (693, 693, 7, True)
    before = await everything(worker)
    again = await take_in(worker, Wanted(path=path, partial=True), at=NOON)
    assert (again.changed, again.customers) == (0, 0)
    assert await everything(worker) == before


async def test_what_stops_an_import_loses_the_batch_that_it_was_at_and_doubles_nothing(
    worker: Database, tmp_path: Path
) -> None:
    path, _ = large(tmp_path, "csv", 1_300)

    def stop(done: int, of: int | None) -> None:
        if of is not None and done >= 1_000:
            raise Killed

    with pytest.raises(Killed):
        await take_in(worker, Wanted(path=path, partial=True), at=NOON, told=stop)
    assert await stored(worker, WRITTEN) == [(990, 990)]
    again = await take_in(worker, Wanted(path=path, partial=True), at=NOON)
    assert again.changed == 1_287 - 990
    assert await stored(worker, WRITTEN) == [(1_287, 1_287)]


def begun(database: machine.Database, tmp_path: Path, *arguments: str) -> subprocess.Popen[bytes]:
    environment: Mapping[str, str] = {
        **os.environ,
        "DULY_WORKER_DATABASE_URL": database.worker_url,
        "DULY_DATA_DIR": str(tmp_path / "no machine"),
    }
    return subprocess.Popen([str(DULY), "import", *arguments], stdout=subprocess.DEVNULL, env=environment)


async def written(worker: Database) -> tuple[Any, ...]:
    return (await stored(worker, WRITTEN))[0]


@pytest.mark.long
@pytest.mark.parametrize("shape", SHAPES)
async def test_a_hundred_thousand_rows_survive_a_kill_in_little_memory(
    worker: Database, database: machine.Database, tmp_path: Path, shape: str
) -> None:
    path, broken = large(tmp_path, shape, 100_000)
    problems = tmp_path / "problems.csv"
    killed = begun(database, tmp_path, str(path), "--partial")
    deadline = time.monotonic() + 600
    while (await written(worker))[0] < 5_000:
        assert killed.poll() is None
        assert time.monotonic() < deadline, "the import does not get on"
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    count, distinct = await written(worker)
    assert 5_000 <= count == distinct < 99_000
    done = begun(database, tmp_path, str(path), "--partial", "--problems", str(problems))
    _, status, usage = await asyncio.to_thread(os.wait4, done.pid, 0)
    done.returncode = os.waitstatus_to_exitcode(status)
    assert done.returncode == 0
    assert isinstance(usage, resource.struct_rusage)
    print(f"{shape}: {usage.ru_maxrss:,} KB at most, {usage.ru_utime + usage.ru_stime:.0f} CPU seconds")
    assert usage.ru_maxrss < MEMORY_MOST_KB
    with problems.open(newline="") as file:
        assert [(int(row["line"]), row["rule"]) for row in csv.DictReader(file)] == broken
    assert len(broken) == 1_000
    assert await written(worker) == (99_000, 99_000)
    again = await take_in(worker, Wanted(path=path, partial=True), at=NOON)
    assert (again.changed, again.customers, again.refused) == (0, 0, 1_000)
