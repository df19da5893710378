"""Named points around every activity, commit and outgoing call, at which a test makes this process die or stumble.

Off unless a specification is installed at start-up: `point:action[:n]` entries joined by commas, where `action` is
`kill9`, `raise` or `sleep=SECONDS`, `n` the how-manieth visit (1 by default). With `DULY_FAULT_MARKER` a file proves that
the fault landed. Nothing here is reachable from outside the process.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path


class FaultInjected(Exception):
    """Raised at a point whose action is `raise`."""


@dataclass(slots=True)
class _Plan:
    actions: dict[str, tuple[str, int]] = field(default_factory=dict)
    marker: Path | None = None
    visits: Counter[str] = field(default_factory=Counter)


_plan = _Plan()


def install(specification: str, marker: Path | None = None) -> None:
    """Read a specification; the empty one switches everything off. Raises ValueError for one that cannot be read."""
    actions: dict[str, tuple[str, int]] = {}
    for entry in filter(None, (part.strip() for part in specification.split(","))):
        point, _, rest = entry.partition(":")
        action, _, number = rest.partition(":")
        if action not in {"kill9", "raise"} and not action.startswith("sleep="):
            raise ValueError(f"{entry!r} names no action of ours")
        actions[point] = (action, int(number or 1))
    _plan.actions, _plan.marker = actions, marker
    _plan.visits.clear()


async def reach(point: str) -> None:
    """Pass a point. Costs a dictionary look-up when nothing is installed."""
    if not _plan.actions or point not in _plan.actions:
        return
    action, number = _plan.actions[point]
    _plan.visits[point] += 1
    if _plan.visits[point] != number:
        return
    # Once over all restarts of a process: the marker of an earlier landing disarms the point.
    if _plan.marker is not None:
        landed = _plan.marker.with_name(f"{_plan.marker.name}.{point}")
        try:
            descriptor = os.open(landed, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            return
        os.write(descriptor, f"{os.getpid()}\n".encode())
        os.fsync(descriptor)
        os.close(descriptor)
    if action == "kill9":
        os.kill(os.getpid(), signal.SIGKILL)
    if action == "raise":
        raise FaultInjected(point)
    await asyncio.sleep(float(action.removeprefix("sleep=")))
