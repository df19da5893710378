"""A storm: many processes of one kind at once, each with a point at which something dies; then each is counted.

Two workers at least run under a nurse, so that what is measured is Duly's recovery and not one program's restart.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from launch.drill.ground import Ground, NotInTime
from launch.drill.parts import READY, recording
from launch.drill.process import Process, Step
from launch.drill.row import Row
from store import witness

Kind = TypeVar("Kind", bound=Process)

WORKERS: Final = 2
WAVES_MOST: Final = 6
_RESTLESS_PAUSES_SECONDS: Final = (1.0, 4.0)

WORKER, API, REPLY, TEMPORAL, POSTGRES, ERP = "worker", "api", "reply", "temporal", "postgres", "demo_erp"
ACTIONS: Final[Mapping[str, str]] = {
    WORKER: "kill9",
    API: "kill=api",
    REPLY: "drop_reply",
    TEMPORAL: "kill=temporal",
    POSTGRES: "kill=postgres",
    ERP: "kill=demo_erp",
}
SHARED: Final = frozenset({API, TEMPORAL, POSTGRES, ERP})


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """A point that was passed: when, by which process of the machine, with what in hand."""

    at_seconds: float
    pid: int
    point: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A point to die at. `bound`: it can be limited to one process of ours; `in_api`: the API passes it itself. `kind` is
    set where several kinds of processes storm together.
    """

    point: str
    bound: bool = False
    in_api: bool = False
    kind: type[Process] | None = None


@dataclass
class Storm:
    """One kind of process (or several, which their targets name), one way of dying."""

    ground: Ground
    kind: type[Process]
    dies: str
    targets: Sequence[Target]
    chance: random.Random
    workers: int = WORKERS
    restless: bool = False
    _folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="duly-drill-")))

    async def rows(self) -> list[Row]:
        """Let it happen, and count. What did not land in the first wave is tried again with fresh processes."""
        try:
            rows: list[Row] = []
            left = list(self.targets)
            for _ in range(WAVES_MOST):
                if not left:
                    break
                most = self.kind.deaths_at_once
                waves = [await self._wave(left[first : first + most]) for first in range(0, len(left), most)]
                wave = [row for each in waves for row in each]
                rows += [row for row in wave if row.landed or row.wrong]
                missed = {(row.process, row.point) for row in wave if not row.landed}
                left = [target for target in left if (self._kind_of(target).name, target.point) in missed]
            never = [Row(process=self._kind_of(target).name, point=target.point, dies=self.dies, landed=False, counts={},
                         back_after_seconds=None, wrong="the kill never landed") for target in left]  # fmt: skip
            return rows + never
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    async def _wave(self, targets: Sequence[Target]) -> list[Row]:
        processes = await self._prepared(targets)
        pairs = list(zip(targets, processes, strict=True))
        here = ",".join(self._entry(target, process) for target, process in pairs if not target.in_api)
        in_api = ",".join(self._entry(target, process) for target, process in pairs if target.in_api)
        marker = self._folder / "landed"
        async with (
            self.ground.parts.nursed(
                fault=recording(here), marker=marker, count=self.workers, api_fault=recording(in_api) if in_api else ""
            ),
            restlessness(self.ground, self.chance, is_on=self.restless),
        ):
            # A part that dies for everybody must be up again to die for the next: few at once, or most would miss it.
            failed = await run(processes, at_once=3 if self.dies in SHARED else 64)
            await self._let_land(pairs)
        passed = read_passed(marker)
        rows = [await self._row(target, process, failed.get(process.word), passed) for target, process in pairs]
        for process in processes:
            await process.close()
        return rows

    def _kind_of(self, target: Target) -> type[Process]:
        return target.kind or self.kind

    async def _prepared(self, targets: Sequence[Target]) -> list[Process]:
        """A process for each; who of a kind meets which point is a matter of chance."""
        ready: dict[type[Process], list[Process]] = {}
        for kind, count in Counter(self._kind_of(each) for each in targets).items():
            ready[kind] = list(await prepared(self.ground, kind, count))
            self.chance.shuffle(ready[kind])
        return [ready[self._kind_of(each)].pop() for each in targets]

    def _entry(self, target: Target, process: Process) -> str:
        action = "kill9" if target.in_api and self.dies == API else ACTIONS[self.dies]
        return f"{target.point}{'@' + process.word if target.bound else ''}:{action}"

    def _landed(self, target: Target, process: Process) -> Path:
        return self._folder / f"landed.{target.point}{'@' + process.word if target.bound else ''}"

    def _ready(self, name: str) -> Sequence[float]:
        """When a shared part was ready, each time; nothing for one that nobody waits for."""
        file = self._folder / READY
        lines = file.read_text().splitlines() if name and file.exists() else []
        return [float(line.split()[0]) for line in lines if line.split()[1] == name]

    async def _let_land(self, pairs: Sequence[tuple[Target, Process]]) -> None:
        """Points of what never ends (the poster, the mailer) may be passed a moment later."""
        for _ in range(30):
            if all(self._landed(target, process).exists() for target, process in pairs):
                return
            await asyncio.sleep(0.1)

    async def _row(self, target: Target, process: Process, failure: str | None, passed: Sequence[Passed]) -> Row:
        counts = await process.counts()
        off = await self.ground.look(witness.trial_balance)
        wrong = process.what_is_wrong(failure or "", counts, off)
        landed = self._landed(target, process)
        shared = ACTIONS[self.dies].removeprefix("kill=") if self.dies in SHARED and not target.in_api else ""
        back = back_after_seconds(landed.read_text(), passed, self._ready(shared)) if landed.exists() else None
        return Row(
            process=process.name,
            point=target.point,
            dies=self.dies,
            landed=landed.exists(),
            counts={**counts, "off_balance": off},
            back_after_seconds=back,
            wrong=wrong,
        )


async def prepared(ground: Ground, kind: type[Kind], count: int) -> list[Kind]:
    """So many processes, ready for their first step."""
    accounts = await kind.accounts(ground, count)
    processes = [kind(ground, customer_id, invoice_ids) for customer_id, invoice_ids in accounts]
    gate = asyncio.Semaphore(8)

    async def prepare(process: Kind) -> None:
        async with gate:
            await process.prepare()

    await asyncio.gather(*(prepare(process) for process in processes))
    return processes


async def run(processes: Sequence[Process], *, at_once: int = 64) -> dict[str, str]:
    """All of them, step by step together; between steps their providers' clocks move. What did not end, by word."""
    failed: dict[str, str] = {}
    steps = [process.steps() for process in processes]
    gate = asyncio.Semaphore(at_once)

    async def take(step: Step) -> None:
        async with gate:
            await step()

    for number in range(max(map(len, steps))):
        going_on = [(process, each[number]) for process, each in zip(processes, steps, strict=True) if number < len(each)]
        outcomes = await asyncio.gather(*(take(step) for _, step in going_on), return_exceptions=True)
        for (process, _), outcome in zip(going_on, outcomes, strict=True):
            if isinstance(outcome, (NotInTime, TimeoutError, LookupError, RuntimeError)):
                failed.setdefault(process.word, str(outcome) or type(outcome).__name__)
            elif isinstance(outcome, BaseException):
                raise outcome
        for one_of_its_kind in {type(process): process for process, _ in going_on}.values():
            await one_of_its_kind.days_pass(number)
    return failed


@asynccontextmanager
async def restlessness(ground: Ground, chance: random.Random, *, is_on: bool) -> AsyncIterator[None]:
    """One worker more that comes and goes at random: half the time asked to stop, half the time killed."""

    async def come_and_go() -> None:
        fault = recording("")
        folder = Path(tempfile.mkdtemp(prefix="duly-drill-"))
        try:
            while True:
                worker = ground.parts.start_worker(fault=fault, marker=folder / "restless")
                ground.parts.workers.remove(worker)  # nobody nurses it
                try:
                    await asyncio.sleep(chance.uniform(*_RESTLESS_PAUSES_SECONDS))
                finally:
                    await asyncio.to_thread(worker.kill if chance.random() < 0.5 else worker.stop)
                await asyncio.sleep(chance.uniform(*_RESTLESS_PAUSES_SECONDS))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    task = asyncio.create_task(come_and_go()) if is_on else None
    try:
        yield
    finally:
        if task is not None:
            task.cancel()
            await asyncio.wait([task])


_FOLLOWING: Final = "connections.read."
"""Passed every other second by everybody: killed at once, where a worker begins."""
_GREETING: Final = ("announce.", "wrap_secrets.", _FOLLOWING)
"""What a worker passes when it begins."""


async def dry_run(ground: Ground, *kinds: type[Process]) -> Sequence[Target]:
    """The points that one undisturbed process of each kind passes: its own by what it bears in its name, the API's by who
    passed; and those that a kind names itself.
    """
    folder = Path(tempfile.mkdtemp(prefix="duly-drill-"))
    marker = folder / "landed"
    try:
        processes = [each for kind in kinds if not kind.aims for each in await prepared(ground, kind, 1)]
        async with ground.parts.nursed(fault=recording(""), marker=marker, api_fault=recording("")):
            apis = {running.pid for name, running in ground.parts.running.items() if name.startswith("api")}
            failed = await run(processes) if processes else {}
            await asyncio.sleep(1)  # what never ends (the poster, the mailer) finishes its round
        if failed:
            names = ", ".join(each.name for each in processes if each.word in failed)
            raise NotInTime(f"{names}: does not even work when nothing fails: {next(iter(failed.values()))}")
        targets: dict[object, Target] = {}
        for each in read_passed(marker):
            target = target_of(each, processes, in_api=each.pid in apis)
            if target is not None:
                known = targets.setdefault((target.kind, target.point, target.in_api), target)
                if known.bound and not target.bound:
                    targets[target.kind, target.point, target.in_api] = target
        for process in processes:
            await process.close()
        return [*targets.values(), *(Target(point=point, kind=kind) for kind in kinds for point in kind.aims)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def target_of(passed: Passed, processes: Sequence[Process], *, in_api: bool) -> Target | None:
    """To whom a point belongs that was passed: to whose word is borne, else to the first who may own it; or to nobody."""
    for process in processes:
        kind = type(process)
        if kind.starts_with and not passed.point.startswith(kind.starts_with):
            continue
        if in_api and not passed.point.startswith(_FOLLOWING):
            return Target(point=passed.point, in_api=True, kind=kind)
        if in_api or any(other.word and other.word in passed.name for other in processes if other is not process):
            continue
        if passed.name.startswith(kind.owns) or (kind.greets and passed.point.startswith(_GREETING)):
            bound = bool(process.word) and process.word in passed.name
            return Target(point=passed.point, bound=bound, kind=kind)
    return None


def read_passed(marker: Path) -> Sequence[Passed]:
    """Every point that was passed, in order."""
    file = marker.with_name(f"{marker.name}.passed")
    lines = file.read_text().splitlines() if file.exists() else []
    return [_passed(line) for line in lines]


def _passed(line: str) -> Passed:
    at, pid, point, name = f"{line} ".split(" ", maxsplit=3)
    return Passed(at_seconds=float(at), pid=int(pid), point=point, name=name.strip())


def back_after_seconds(landing: str, passed: Sequence[Passed], ready: Sequence[float]) -> float | None:
    """From the death until the same process of ours passes a point again: somebody is back at its work. Where a shared
    part died (`ready`: when it was up), what goes on without it meanwhile does not count.
    """
    death = _passed(landing)
    since = next((each for each in ready if each > death.at_seconds), death.at_seconds)
    later = (each for each in passed if each.at_seconds >= since and each.name == death.name)
    after = next((each for each in later if (each.at_seconds, each.point) != (death.at_seconds, death.point)), None)
    return None if after is None else after.at_seconds - death.at_seconds
