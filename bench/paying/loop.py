"""Customers who pay: sixteen at once, each again as soon as the last answer is there, and then one alone."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from activities.requests import PayRequest
from bench.cpu import tree_seconds
from bench.crowd import crowd
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
    waits: list[float] = []

    async def pay(request: PayRequest) -> None:
        waits.append(await _timed(way, request))

    before = cpu_seconds(ground)
    started = time.perf_counter()
    await crowd(requests, pay, hands=lanes)
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
    """What each part has used so far; `client` is this process, `far` the provider and the ERP."""
    running = ground.ground.parts.running
    return {
        "client": time.process_time(),
        "worker": sum(tree_seconds(worker.pid) for worker in ground.ground.parts.workers),
        "temporal": tree_seconds(running["temporal"].pid),
        "postgres": tree_seconds(running["postgres"].pid),
        "far": tree_seconds(running["sandbox_provider"].pid) + tree_seconds(running["demo_erp"].pid),
    }
