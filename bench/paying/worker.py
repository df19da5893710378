"""The bench's worker: the product's own, and beside it, in the same process, the bench's workflows on a queue of theirs."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final

from temporalio import activity
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import Worker

import settings as configuration
import wiring
import worker
from activities.faults import FaultPoints
from activities.payments import Opened, OpenPayment, Payments, Recorded, RecordOutcome, Told
from activities.pokes import Pokes
from activities.posting import Round
from activities.providers import Providers
from bench.paying.steps import Steps
from bench.paying.workflows import WORKFLOWS
from connectors.payments.ports import ChargeStatus, ProviderCharge
from domain.money import Money
from settings import Settings
from store.database import Database

QUEUE: Final = "bench"
POSTER: Final = "bench/post"
_PAUSE_SECONDS: Final = 0.2


async def steps(
    settings: Settings, client: Client, database: Database, stack: contextlib.AsyncExitStack, *, connection_id: str
) -> Steps:
    """The product's activities, with a connection of the bench's and with nobody who wakes Duly's poster."""
    connected = wiring.providers(settings)
    erp = wiring.erp(settings)
    for each in (*connected.values(), erp):
        wiring.close_with(stack, each)
    payments = Payments(
        database,
        Providers(connected),
        wiring.now,
        Pokes(client, erps={connection_id: None}),
        base_url=settings.base_url,
        erp=connection_id,
    )
    made = Steps(payments, database, erp, connection_id=connection_id)
    await made.prepare()
    return made


class Twins:
    """Activities of the product's shape which do nothing: the same payloads, the same poke."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._wake = asyncio.Event()

    def activities(self) -> list[Callable[..., Any]]:
        """By the names that the twin calls."""
        return [self.twin_open, self.twin_charge, self.twin_record, self.twin_round]

    @activity.defn(name="bench.twin_open")
    async def twin_open(self, order: OpenPayment) -> Opened:  # noqa: ARG002 - as large as the product's
        """Open nothing."""
        return Opened(next="charge")

    @activity.defn(name="bench.twin_charge")
    async def twin_charge(self, payment_id: str) -> Told:
        """Charge nobody."""
        charge = ProviderCharge(
            provider_id="ch_0123456789abcdef",
            our_ref=f"{payment_id}-1",
            status=ChargeStatus.CAPTURED,
            amount=Money.of(10_000, "USD"),
        )
        return Told(why="told", charge=charge)

    @activity.defn(name="bench.twin_record")
    async def twin_record(self, order: RecordOutcome) -> Recorded:  # noqa: ARG002 - as large as the product's
        """Record nothing; wake the poster."""
        self._wake.set()
        return Recorded(state="captured", ended=True)

    @activity.defn(name="bench.twin_round")
    async def twin_round(self, probe: bool) -> Round:  # noqa: ARG002 - as the product's
        """Post nothing."""
        return Round(confirmed=0, waiting=0, down=False)

    async def wake(self) -> None:
        """At most five pokes a second, as `activities/pokes.py`."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            with contextlib.suppress(RPCError):
                await self._client.start_workflow("TwinPoster", id=POSTER, task_queue=QUEUE, start_signal="poke")
            await asyncio.sleep(_PAUSE_SECONDS)


def build(client: Client, ours: Steps, twins: Twins) -> Worker:
    """With the product's own options."""
    handed: Sequence[Callable[..., Any]] = [
        ours.payments.open_payment,
        ours.payments.charge,
        ours.payments.record_outcome,
        ours.claim,
        ours.send,
        ours.confirm,
        ours.read_back,
        ours.post,
        *twins.activities(),
    ]
    return Worker(
        client,
        task_queue=QUEUE,
        workflows=WORKFLOWS,
        activities=handed,
        workflow_runner=worker.runner(),
        interceptors=[FaultPoints()],
        max_concurrent_activities=32,
        max_concurrent_local_activities=32,
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=1),
    )


async def main(settings: Settings) -> None:
    """Work until told to stop."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        hands = await wiring.hands(settings, stack)
        twins = Twins(hands.client)
        ours = await steps(settings, hands.client, hands.database, stack, connection_id=QUEUE)
        tasks = [asyncio.create_task(hands.pokes.run()), asyncio.create_task(twins.wake())]
        await stack.enter_async_context(worker.build(hands.client, hands))
        await stack.enter_async_context(build(hands.client, ours, twins))
        hands.pokes.poster()
        await stop.wait()
        for task in tasks:
            task.cancel()


if __name__ == "__main__":
    asyncio.run(main(configuration.current()))
