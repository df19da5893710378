"""The running parts of one Duly, and the nurse who brings back whichever dies."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

from launch.health import answers_over_http
from launch.machine import Machine, api_arguments
from launch.program import Program, Running
from store.faults import RECORD

READY: Final = "ready"
_LOOK_EVERY_SECONDS = 0.05
# Several of a kind run side by side, and one that is killed may still hold its port for a moment.
_UNWATCHED: Final = {"DULY_METRICS_ADDRESS": "", "DULY_TEMPORAL_METRICS_ADDRESS": ""}


class Parts:
    """What runs: the surroundings and the APIs by name, the workers in a list."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.running: dict[str, Running] = {}
        self.workers: list[Running] = []
        self._more_apis: list[int] = []

    @property
    def doors(self) -> list[str]:
        """The addresses of the API processes."""
        return [f"http://127.0.0.1:{port}" for port in (self.machine.ports.api, *self._more_apis)]

    async def add_api(self, port: int) -> None:
        """One API process more."""
        self._more_apis.append(port)
        await self.open(self.apis()[-1:])

    def remove_api(self) -> None:
        """Stop the one that was added last."""
        self._more_apis.pop()
        self.running.pop(f"api-{len(self._more_apis) + 2}").kill()

    async def open(self, programs: Sequence[Program]) -> None:
        """Start them together and wait until each is ready. Raises ProgramFailed."""
        # Started from this thread (a child ends with the thread that made it), waited for in another.
        started = {program.name: program.start() for program in programs}
        self.running |= started
        for each in started.values():
            await asyncio.to_thread(each.wait_until_ready)

    def apis(self, *, fault: str = "", marker: Path | None = None) -> list[Program]:
        """The API processes; behind the first door is the one that webhooks come to."""
        program = next(each for each in self.machine.ourselves() if each.name == "api")
        first = dataclasses.replace(program, environment={**program.environment, **_UNWATCHED, **_told(fault, marker)})
        programs = [first]
        for number, door in enumerate(self.doors[1:], start=2):
            port = int(door.rsplit(":", maxsplit=1)[-1])
            arguments = [program.arguments[0], *api_arguments(port)]
            programs.append(
                dataclasses.replace(
                    first,
                    name=f"api-{number}",
                    arguments=arguments,
                    log_file=self.machine.folder.log_file(f"api-{number}"),
                    is_ready=partial(answers_over_http, f"{door}/health"),
                )
            )
        return programs

    def start_worker(self, *, fault: str = "", marker: Path | None = None) -> Running:
        """A worker more; `fault` is DULY_FAULT for it alone."""
        program = next(each for each in self.machine.ourselves() if each.name == "worker")
        # A request that we gave up on lives shortly here, so that a lost posting is looked up and sent again soon.
        environment = {**program.environment, **_UNWATCHED, **_told(fault, marker), "DULY_ERP_REQUEST_LIFE_SECONDS": "2"}
        running = dataclasses.replace(program, environment=environment).start()
        self.workers.append(running)
        return running

    def stop_workers(self) -> None:
        """Kill them all."""
        for worker in self.workers:
            worker.kill()
        self.workers.clear()

    async def change_apis(self, *, fault: str = "", marker: Path | None = None) -> None:
        """Start the API processes anew, with a fault or without."""
        programs = self.apis(fault=fault, marker=marker)
        for program in programs:
            await asyncio.to_thread(self.running.pop(program.name).kill)
        await self.open(programs)

    @asynccontextmanager
    async def nursed(self, *, fault: str, marker: Path, count: int = 2, api_fault: str = "") -> AsyncIterator[None]:
        """So many workers with a fault and no other, the APIs with theirs. Whichever part dies is started again at once;
        those that a fault may name (`kill=NAME`) have their process's id beside the marker while they are ready.
        """
        self.stop_workers()
        if api_fault:
            await self.change_apis(fault=api_fault, marker=marker)
        for _ in range(count):
            self.start_worker(fault=fault, marker=marker)
        for name, running in self.running.items():
            _write_pid(marker, name, running)
        nurse = asyncio.create_task(self._nurse(fault, marker))
        try:
            yield
        finally:
            nurse.cancel()
            await asyncio.wait([nurse])
            if not nurse.cancelled():
                nurse.result()  # she fell over: what she did not bring back proves nothing
            # Whoever could still aim goes first; only then is anybody brought up again for good.
            self.stop_workers()
            for each in list(marker.parent.glob("*.pid")):
                each.unlink()
            await self._bring_up([name for name in self.running if not name.startswith("api")])
            if api_fault:
                await self.change_apis()
            await self._bring_up(list(self.running))
            self.start_worker()

    async def _nurse(self, fault: str, marker: Path) -> None:
        coming: set[str] = set()
        while True:
            for dead in [each for each in self.workers if each.exit_status() is not None]:
                self.workers.remove(dead)
                self.start_worker(fault=fault, marker=marker)
            for name, running in list(self.running.items()):
                if running.exit_status() is not None:
                    # A postmaster's children may outlive it for a moment; until they are gone a new one ends at once.
                    marker.with_name(f"{name}.pid").unlink(missing_ok=True)
                    await asyncio.to_thread(running.kill)
                    self.running[name] = running.program.start()
                    coming.add(name)
                elif name in coming and await asyncio.to_thread(running.is_ready):
                    coming.discard(name)
                    _write_pid(marker, name, running)
            await asyncio.sleep(_LOOK_EVERY_SECONDS)

    async def _bring_up(self, names: Sequence[str]) -> None:
        """Whatever is down when the nurse goes."""
        for name in names:
            if self.running[name].exit_status() is not None:
                self.running[name] = self.running[name].program.start()
        for name in names:
            await asyncio.to_thread(self.running[name].wait_until_ready)

    def stop(self) -> None:
        """Stop every part, the newest first."""
        self.stop_workers()
        for running in reversed(list(self.running.values())):
            running.stop()
        self.running.clear()


def recording(fault: str) -> str:
    """The same fault, with every point that is passed written down."""
    return f"{RECORD},{fault}" if fault else RECORD


def _told(fault: str, marker: Path | None) -> dict[str, str]:
    return {"DULY_FAULT": fault, **({"DULY_FAULT_MARKER": str(marker)} if marker is not None else {})}


def _write_pid(marker: Path, name: str, running: Running) -> None:
    """Whole or not at all: a half-written one would aim at somebody else. When it was ready is kept in a line."""
    with marker.with_name(READY).open("a") as ready:
        ready.write(f"{time.time():.3f} {name}\n")
    draft = marker.with_name(f"{name}.pid.new")
    draft.write_text(str(running.pid))
    draft.rename(marker.with_name(f"{name}.pid"))
