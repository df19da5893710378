"""Customers who pay: sixteen at once, each again as soon as the last answer is there, and then one alone."""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psutil

from activities.requests import PayRequest
from bench.paying.ground import PayingGround
from bench.paying.ways import Way


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """What a closed loop took: until the last payment was in the ERP; and each customer's wait, in seconds."""

    wall_seconds: float
    waits_seconds: Sequence[float]
    cpu_seconds: Mapping[str, float]


async def busy(ground: PayingGround, way: Way, requests: Sequence[PayRequest], *, lanes: int) -> Busy:
    """So many customers at once."""
    waiting = deque(requests)
    waits: list[float] = []

    async def lane() -> None:
        while waiting:
            waits.append(await _timed(way, waiting.popleft()))

    before = cpu_seconds(ground)
    started = time.perf_counter()
    await asyncio.gather(*(lane() for _ in range(lanes)))
    await way.settle([each.payment_id for each in requests])
    wall = time.perf_counter() - started
    after = cpu_seconds(ground)
    spent = {name: after[name] - before[name] for name in after}
    return Busy(wall_seconds=wall, waits_seconds=waits, cpu_seconds=spent)


async def alone(way: Way, requests: Sequence[PayRequest]) -> list[float]:
    """One after the other, each with the machine to itself; the wait of each, in seconds."""
    waits = []
    for request in requests:
        waits.append(await _timed(way, request))
        await way.settle([request.payment_id])
    return waits


async def _timed(way: Way, request: PayRequest) -> float:
    started = time.perf_counter()
    await way.pay(request)
    return time.perf_counter() - started


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that so large a share of all values does not exceed."""
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


def cpu_seconds(ground: PayingGround) -> dict[str, float]:
    """What each part has used since it started; `client` is this process, `far` the provider and the ERP."""
    running = ground.ground.parts.running
    return {
        "client": _used(os.getpid(), with_children=False),
        "worker": sum(_used(worker.pid) for worker in ground.ground.parts.workers),
        "temporal": _used(running["temporal"].pid),
        "postgres": _used(running["postgres"].pid),
        "far": _used(running["sandbox_provider"].pid) + _used(running["demo_erp"].pid),
    }


def _used(pid: int, *, with_children: bool = True) -> float:
    """A process, its living children, and those of its children that have ended."""
    total = 0.0
    process = psutil.Process(pid)
    for each in [process, *(process.children() if with_children else [])]:
        with suppress(psutil.NoSuchProcess):
            times = each.cpu_times()
            total += times.user + times.system
            total += times.children_user + times.children_system if with_children else 0.0
    return total
