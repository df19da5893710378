"""Processor time: of this process by its own clock, of servers from /proc. Wall time is others' noise as well as ours."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Watch:
    """What passed between entering and leaving `watching`."""

    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0


@contextmanager
def watching(*, trees: Sequence[int] = (), ourselves: bool = True) -> Iterator[Watch]:
    """Wall time and processor time of the block: of this process unless told otherwise, and of each process in `trees`
    with everything that it started. /proc counts in hundredths of a second: let a block last for half a second.
    """
    watch = Watch()
    servers = sum(map(tree_seconds, trees))
    own, begun = time.process_time(), time.perf_counter()
    yield watch
    watch.wall_seconds = time.perf_counter() - begun
    watch.cpu_seconds = time.process_time() - own if ourselves else 0.0
    watch.cpu_seconds += sum(map(tree_seconds, trees)) - servers


def tree_seconds(pid: int) -> float:
    """Processor time of a process and its children so far: those that have ended are counted by whoever waited."""
    return sum(map(_seconds, [pid, *_children(pid)]))


def _seconds(pid: int) -> float:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    # The second field is a name in brackets, which may hold anything; utime to cstime are the 14th to the 17th.
    return sum(int(each) for each in stat.rpartition(")")[2].split()[11:15]) / _TICKS


def _children(pid: int) -> list[int]:
    found: list[int] = []
    waiting = [pid]
    parents = _parents()
    while waiting:
        above = waiting.pop()
        below = [child for child, parent in parents.items() if parent == above]
        found += below
        waiting += below
    return found


def _parents() -> dict[int, int]:
    """Child → parent of every process of the machine, in one look."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended while we looked
            parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
    return parents


def resident_megabytes(pid: int) -> float:
    """How much memory of a process is in RAM, in units of 1,000,000 bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
