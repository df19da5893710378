"""P10: a payment with a saved card through all of Duly, from the click until the ERP has it, beside other ways to do it.

`twin` is a workflow of the same shape with nothing inside, `empty` one without a step; `direct` calls the same steps with
no orchestrator at all; `remote` makes each of the seven steps an activity of the server's, `remote4` four; `dbos` makes
four durable steps of them in PostgreSQL. The provider's events, the sync and the sweep rest meanwhile, for all alike.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from bench.case import Different, Prepared, Role, Sample, Variant, require_same
from bench.paying import loop, with_dbos, worker
from bench.paying.ground import Count, PayingGround, opened
from bench.paying.steps import Steps
from bench.paying.ways import Direct, OfTheBench, Ours, Way
from bench.paying.with_dbos import WithDbos
from store.database import Database

LANES: Final = 16
LOOKED_AT: Final = 5
"""Of how many payments the histories are measured: they are all alike."""


class NotInstalled(Exception):
    """DBOS is missing; the message says how it comes."""


@dataclass
class Till:
    """Everything that the variants of this case share, and what they have made."""

    ground: PayingGround
    busy: int
    alone: int
    made: dict[str, list[str]] = field(default_factory=dict)
    waits_alone: dict[str, list[float]] = field(default_factory=dict)

    async def stocked(self) -> None:
        """Enough invoices for one turn."""
        await self.ground.stock_up(self.busy + self.alone)

    def timed(self, way: Way) -> Callable[[], Awaitable[Sample]]:
        """One turn: sixteen customers at once, then one alone."""

        async def once() -> Sample:
            async with _running(way):
                requests = self.ground.take(self.busy)
                rush = await loop.busy(self.ground, way, requests, lanes=LANES)
                quiet_requests = self.ground.take(self.alone)
                quiet = await loop.alone(way, quiet_requests)
                ids = [each.payment_id for each in (*requests, *quiet_requests)]
                events = await way.events(ids[:LOOKED_AT])
            if way.writes:
                self.made.setdefault(way.name, []).extend(ids)
            self.waits_alone.setdefault(way.name, []).extend(quiet)
            return Sample(
                operations=len(requests),
                wall_seconds=rush.wall_seconds,
                cpu_seconds=sum(rush.cpu_seconds.values()),
                facts=_facts(rush, quiet) | ({} if events is None else {"events": events}),
            )

        return once

    async def require_same(self, ways: Sequence[Way], *, payments: int) -> None:
        """Each that writes makes a few, and each of these is charged once, in the ERP once, and booked in balance."""
        await self.ground.stock_up(payments * len(ways))
        once = Count(payments=payments, charges=payments, documents=payments, reflected=payments, off_balance=0)
        answers: dict[str, object] = {"once": once}
        for way in ways:
            async with _running(way):
                requests = self.ground.take(payments)
                await loop.alone(way, requests)
            if way.writes:
                answers[way.name] = await self.ground.count([each.payment_id for each in requests])
        require_same("charges, documents and books", answers)

    async def facts(self) -> Mapping[str, float]:
        """What all rounds left behind: each payment once, or nothing here is worth a word."""
        ids = [each for made in self.made.values() for each in made]
        count = await self.ground.count(ids)
        if not count.payments == count.charges == count.documents == count.reflected or count.off_balance:
            raise Different(f"after all rounds: {count}")
        waits = {f"{name}_alone_p95_ms": 1000 * loop.percentile(each, 0.95) for name, each in self.waits_alone.items()}
        return {"payments": count.payments, "charges": count.charges, "documents": count.documents, **waits}


class Pay:
    """One invoice, one saved card, one charge, one document in the ERP."""

    id = "P10"
    title = "Pay with a saved card, from the click until the ERP has it, sixteen customers at once"

    @asynccontextmanager
    async def prepared(self, quick: bool) -> AsyncIterator[Prepared]:
        """A whole Duly in a temporary folder. Raises NotInstalled without DBOS."""
        if not with_dbos.is_installed():
            raise NotInstalled("P10 is skipped: DBOS is not installed; `make bench` installs it (requirements-bench.lock)")
        async with opened() as ground, contextlib.AsyncExitStack() as stack:
            steps = await _steps_of_this_process(ground, stack)
            roles = _ways(ground, steps)
            till = Till(ground=ground, busy=16 if quick else 32, alone=2 if quick else 6)

            async def same() -> None:
                await till.require_same(list(roles), payments=2)

            yield Prepared(
                variants=[
                    Variant(name=way.name, role=role, once=till.timed(way), before=till.stocked)
                    for way, role in roles.items()
                ],
                same=same,
                facts=till.facts,
            )


async def _steps_of_this_process(ground: PayingGround, stack: contextlib.AsyncExitStack) -> Steps:
    """With a connection for every payment and every posting at once: who calls steps directly waits for none."""
    assert ground.settings.worker_database_url is not None
    database = Database(ground.settings.worker_database_url.get_secret_value(), pool_size=2 * LANES)
    stack.push_async_callback(database.close)
    return await worker.steps(ground.settings, ground.client, database, stack, connection_id="bench-here")


def _ways(ground: PayingGround, steps: Steps) -> dict[Way, Role]:
    return {
        Ours(ground): "ours",
        Direct(ground, steps): "limit",
        OfTheBench(ground, name="twin", workflow="Twin", writes=False): "limit",
        OfTheBench(ground, name="empty", workflow="Empty", writes=False): "limit",
        OfTheBench(ground, name="remote", workflow="PayRemotely", writes=True): "plain",
        OfTheBench(ground, name="remote4", workflow="PayInFour", writes=True): "plain",
        WithDbos(ground, steps): "peer",
    }


@asynccontextmanager
async def _running(way: Way) -> AsyncIterator[None]:
    """DBOS runs during its own turns only."""
    if isinstance(way, WithDbos):
        await way.open()
    try:
        yield
    finally:
        if isinstance(way, WithDbos):
            await way.close()


def _facts(rush: loop.Busy, quiet: Sequence[float]) -> dict[str, float]:
    each = 1000 / len(rush.waits_seconds)
    return {
        "confirmed_p50_ms": 1000 * loop.percentile(rush.waits_seconds, 0.5),
        "confirmed_p95_ms": 1000 * loop.percentile(rush.waits_seconds, 0.95),
        "alone_p50_ms": 1000 * loop.percentile(quiet, 0.5),
        **{f"{part}_cpu_ms": each * seconds for part, seconds in rush.cpu_seconds.items()},
    }


CASE: Final = Pay()
