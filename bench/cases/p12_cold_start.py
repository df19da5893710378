"""P12: `duly up` until a customer can pay, beside PostgreSQL and Temporal alone. No Docker, and no root needed.

`first` begins with an empty folder (PostgreSQL's files and the tables are made), `again` with one that was used before.
The limit is taken right before, in the same turn: the two servers alone, in a folder of the same age.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.case import Prepared, Sample, Variant
from bench.cpu import tree_seconds
from bench.readiness import until_polling
from connectors.temporal.client import connect
from launch import postgres, temporal
from launch.data_folder import DataFolder
from launch.drill.ground import free_block
from launch.health import answers_over_http
from launch.machine import Machine

_SAYS_WHEN_READY: Final = b"Ctrl-C stops everything."
_PATIENCE_SECONDS: Final = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Up:
    """Seconds until it said that it runs, until it worked, and the processor time of all its parts until then."""

    printed_seconds: float
    ready_seconds: float
    cpu_seconds: float


class ColdStart:
    """Everything on one machine, from nothing."""

    id = "P12"
    title = "Start everything: `duly up` until the portal answers and a worker works"

    @asynccontextmanager
    async def prepared(self, quick: bool) -> AsyncIterator[Prepared]:
        """Folders of its own. A quick run starts each once and shows that again."""
        folder = Path(tempfile.mkdtemp(prefix="duly-bench-"))
        folder.chmod(0o755)  # where PostgreSQL has an OS user of its own, that user passes through
        used, used_by_servers = folder / "used", folder / "servers"
        seen: dict[str, Sample] = {}

        def start(name: str, duly: Path, servers: Path) -> Callable[[], Awaitable[Sample]]:
            async def once() -> Sample:
                if not (quick and name in seen):
                    limit = await _servers_alone(servers)
                    up = await _duly_up(duly)
                    over = up.ready_seconds - limit
                    facts = {"limit_seconds": limit, "printed_seconds": up.printed_seconds, "over_limit_seconds": over}
                    seen[name] = Sample(operations=1, wall_seconds=up.ready_seconds, cpu_seconds=up.cpu_seconds, facts=facts)
                return seen[name]

            return once

        async def emptied() -> None:
            for each in (folder / "fresh", folder / "fresh-servers"):
                shutil.rmtree(each, ignore_errors=True)

        async def same() -> None:
            """Each start ends with a portal that answers and a worker that polls, or not at all."""
            await _servers_alone(used_by_servers)
            await _duly_up(used)

        try:
            yield Prepared(
                variants=[
                    Variant(
                        name="first",
                        role="ours",
                        once=start("first", folder / "fresh", folder / "fresh-servers"),
                        before=emptied,
                    ),
                    Variant(name="again", role="ours", once=start("again", used, used_by_servers)),
                ],
                same=same,
            )
        finally:
            shutil.rmtree(folder, ignore_errors=True)


async def _servers_alone(folder: Path) -> float:
    """PostgreSQL and Temporal, started together as `duly up` does; seconds until both are ready."""
    port = free_block(1)
    begun = time.perf_counter()
    cluster = await asyncio.to_thread(postgres.prepare_cluster, folder / "postgres", admin_password=secrets.token_urlsafe())
    programs = [
        cluster.program(log_file=folder / "postgres.log"),
        temporal.server(port=port, ui_port=None, database_file=folder / "temporal.db", log_file=folder / "temporal.log"),
    ]
    # Started from this thread (a child ends with the thread that made it), waited for in another.
    running = [program.start() for program in programs]
    try:
        for each in running:
            await asyncio.to_thread(each.wait_until_ready)
        return time.perf_counter() - begun
    finally:
        for each in running:
            each.stop()


async def _duly_up(folder: Path) -> Up:
    """Start it, wait until the portal answers and a worker works, and stop it."""
    port = free_block(7)
    arguments = ["-m", "cli", "up", "--data-dir", str(folder), "--port", str(port)]
    begun = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env=_without_duly()
    )
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            told = await _read_until_ready(process)
            printed = time.perf_counter() - begun
            # From here on it goes on talking to nobody: what it says must not fill the pipe.
            draining = asyncio.create_task(_drain(process))
            machine = Machine.prepare(DataFolder(folder), port=None)
            await _works(machine)
        ready, cpu = time.perf_counter() - begun, tree_seconds(process.pid)
        if not await asyncio.to_thread(answers_over_http, f"{machine.addresses()['api']}/health"):
            raise RuntimeError(f"the portal does not answer:\n{told}")
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        await process.wait()
    await draining
    return Up(printed_seconds=printed, ready_seconds=ready, cpu_seconds=cpu)


async def _read_until_ready(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    told = b""
    while _SAYS_WHEN_READY not in told:
        line = await process.stdout.readline()
        if not line:
            raise RuntimeError(f"`duly up` ended:\n{told.decode(errors='replace')}")
        told += line
    return told.decode(errors="replace")


async def _drain(process: asyncio.subprocess.Process) -> None:
    assert process.stdout is not None
    while await process.stdout.read(65_536):
        pass


async def _works(machine: Machine) -> None:
    key_id, _, secret = machine.secrets.codec_key.partition(":")
    client = await connect(
        machine.addresses()["temporal"], namespace=temporal.NAMESPACE, keys=[(key_id, base64.b64decode(secret))]
    )
    await until_polling(client)


def _without_duly() -> dict[str, str]:
    """What this process's own environment says is another Duly's business."""
    return {name: text for name, text in os.environ.items() if not name.startswith("DULY_")}


CASE: Final = ColdStart()
