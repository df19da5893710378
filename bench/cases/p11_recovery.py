"""P11: a part of Duly is killed with payments at the provider. How long until every customer is told, and the ERP knows.

One worker, which is started again at once, as `duly up` does. The limit is how long the killed part itself takes to come
back, in the same turn; what is judged is what Duly adds to it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from bench import kills, outage
from bench.case import Prepared, Sample, Variant
from bench.kills import Recovery
from bench.paying.ground import opened
from workflows import policies

PAYMENTS: Final = 8
STICKY_SECONDS: Final = 1.0
"""How long a dead worker's own queue keeps a task: `worker.py` sets it."""
OUTAGES: Final = tuple(timedelta(days=1, seconds=seconds) for seconds in range(0, 600, 50))
"""The ERP comes back at several moments between two probes; the worst of them counts."""


class Recover:
    """Three parts die; a day without the ERP is played on a clock that jumps."""

    id = "P11"
    title = "Recover from kill -9 with eight payments at the provider"

    @asynccontextmanager
    async def prepared(self, quick: bool) -> AsyncIterator[Prepared]:
        """A whole Duly with the product's worker. A quick run kills each part once and shows that again."""
        async with opened(customers=PAYMENTS, own_worker=False) as ground:
            seen: dict[str, Sample] = {}

            def dies(part: str) -> Callable[[], Awaitable[Sample]]:
                async def once() -> Sample:
                    if not (quick and part in seen):
                        seen[part] = _sample(part, await kills.kill(ground, part, ground.take(PAYMENTS)))
                    return seen[part]

                return once

            async def stocked() -> None:
                await ground.stock_up(PAYMENTS)

            async def same() -> None:
                """Nothing to compare: each turn counts its own payments, at the provider and in the ERP."""

            yield Prepared(
                variants=[
                    Variant(name=part, role="ours", once=dies(part), before=stocked)
                    for part in ("worker", "postgres", "temporal")
                ],
                same=same,
                facts=_outage,
            )


def _sample(part: str, seen: Recovery) -> Sample:
    """A dead worker is noticed by its silence; whichever lasts longer, that or its restart, is nobody's to shorten."""
    assert policies.SEND.heartbeat is not None
    noticed = policies.SEND.heartbeat.total_seconds() + STICKY_SECONDS
    limit = max(noticed, seen.back) if part == "worker" else seen.back
    return Sample(
        operations=1,
        wall_seconds=seen.captured,
        facts={
            "back_seconds": seen.back,
            "captured_seconds": seen.captured,
            "in_the_erp_seconds": seen.reflected,
            "over_limit_seconds": seen.captured - limit,
        },
    )


async def _outage() -> Mapping[str, float]:
    waits = await outage.waits_after(OUTAGES)
    return {"posted_after_outage_seconds": max(waits).total_seconds()}


CASE: Final = Recover()
