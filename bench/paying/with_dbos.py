"""The same steps as durable steps of DBOS: one process, its state in the same PostgreSQL. Only where it is installed."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from activities.payments import Told
from activities.requests import PayRequest
from bench.paying.ground import PayingGround
from bench.paying.steps import Steps

DATABASE: Final = "bench_dbos"
POOL_SIZE: Final = 30


def is_installed() -> bool:
    """Whether the extra `bench` is there."""
    return importlib.util.find_spec("dbos") is not None


class WithDbos:
    """A way of paying. DBOS runs between `open` and `close` only: its threads are nobody else's burden."""

    name = "dbos"
    writes = True

    def __init__(self, ground: PayingGround, steps: Steps) -> None:
        self._ground = ground
        self._steps = steps
        self._told: dict[str, asyncio.Event] = {}
        self._handles: list[Any] = []
        # Typed as Any: the library is no part of what `make check` installs.
        self._dbos: Any = importlib.import_module("dbos").DBOS
        ground.ground.machine.cluster.make_database(DATABASE)

    async def open(self) -> None:
        """Start it, with its tables made where they are missing."""
        self._dbos(
            config={
                "name": "bench",
                "system_database_url": self._ground.ground.machine.cluster.admin_url(DATABASE),
                "sys_db_pool_size": POOL_SIZE,
                "log_level": "ERROR",
                "application_version": "bench",
            }
        )
        self._workflow = self._registered()
        self._dbos.launch()

    async def close(self) -> None:
        """Stop it, forgetting what was registered."""
        self._dbos.destroy(destroy_registry=True)
        # It had made its threads the loop's own, and has ended them.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())

    async def pay(self, request: PayRequest) -> None:
        """Start the workflow; return when it has recorded the payment."""
        told = self._told[request.payment_id] = asyncio.Event()
        self._handles.append(await self._dbos.start_workflow_async(self._workflow, request))
        await told.wait()

    async def settle(self, payment_ids: Sequence[str]) -> None:
        """Its workflows have ended, and the ERP has them."""
        handles, self._handles = self._handles, []
        await asyncio.gather(*(handle.get_result() for handle in handles))
        await self._ground.reflected(payment_ids)

    async def events(self, payment_ids: Sequence[str]) -> float | None:  # noqa: ARG002 - there is no history
        """None."""
        return None

    def _registered(self) -> Any:
        """The workflow and its steps. DBOS marks functions, so these are functions and not methods."""

        async def open_payment(request: PayRequest) -> None:
            await self._steps.open(request)

        async def charge(payment_id: str) -> Told:
            return await self._steps.charge(payment_id)

        async def record(payment_id: str, told: Told) -> None:
            await self._steps.record(payment_id, told)

        async def post(payment_id: str) -> None:
            await self._steps.post(payment_id)

        opening, charging, recording, posting = (
            self._dbos.step(name=each.__name__)(each) for each in (open_payment, charge, record, post)
        )

        async def pay(request: PayRequest) -> None:
            await opening(request)
            told = await charging(request.payment_id)
            await recording(request.payment_id, told)
            self._told.pop(request.payment_id).set()
            await posting(request.payment_id)

        return self._dbos.workflow(name="pay")(pay)
