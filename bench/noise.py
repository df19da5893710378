"""How quiet the machine is: short calibrations of its processor, memory and disk, and what others are doing to it."""

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DRIFT_MOST: Final = 0.25
"""A round in which the processor's own speed changes by more than this is played again."""
_BLOCK: Final = bytes(16 * 1024 * 1024)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """What one look at the machine says. `steal` is the part of the processors' time that went to other machines."""

    loops_per_second: float
    copied_gigabytes_per_second: float
    syncs_per_second: float
    load: float
    steal: float


def look(folder: Path | None = None) -> Noise:
    """A look of about 0.2 seconds; `folder` is on the disk that is measured."""
    return Noise(
        loops_per_second=loops_per_second(),
        copied_gigabytes_per_second=_copied(),
        syncs_per_second=_syncs(folder),
        load=os.getloadavg()[0],
        steal=_steal(),
    )


def loops_per_second() -> float:
    """How many turns of a plain Python loop this core does at this moment, by processor time: the core's own speed,
    whoever else waits for it.
    """
    return max(_turned(100_000) for _ in range(5))


def _turned(turns: int) -> float:
    begun = time.process_time()
    total = 0
    for each in range(turns):
        total += each
    return turns / (time.process_time() - begun)


def drifted(before: float, after: float) -> bool:
    """Whether two calibrations around a round differ too much for the round to count."""
    return abs(after / before - 1) > DRIFT_MOST


def _copied() -> float:
    begun = time.perf_counter()
    for _ in range(4):
        bytearray(_BLOCK)
    return 4 * len(_BLOCK) / (time.perf_counter() - begun) / 1e9


def _syncs(folder: Path | None) -> float:
    with tempfile.TemporaryFile(dir=folder) as file:
        begun = time.perf_counter()
        for _ in range(30):
            file.write(b"x" * 512)
            file.flush()
            os.fdatasync(file.fileno())
        return 30 / (time.perf_counter() - begun)


def _steal() -> float:
    """Since the machine's start; /proc/stat's first line counts user, nice, system, idle, iowait, irq, softirq, steal."""
    counts = [int(each) for each in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    return counts[7] / sum(counts[:8])
