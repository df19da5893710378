"""P14: how much memory the API and a worker take when nothing happens, and how much more after many requests."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

from bench import load
from bench.api_server import product, settings_of
from bench.case import Prepared
from bench.cpu import resident_megabytes
from bench.data import Books
from bench.ground import ROOT, Ground, Server, free_port, ground
from bench.signing_in import cookie_of, key_of
from launch import temporal
from launch.program import Program, Running

_SETTLED_SECONDS: Final = 3.0
"""How long a process is left alone before it is looked at."""


class Memory:
    """Measured once, for memory does not take turns: idle, warm, and after the requests."""

    id = "P14"
    title = "Keep memory: idle, and after many requests"

    @asynccontextmanager
    async def prepared(self, quick: bool) -> AsyncIterator[Prepared]:
        """A worker beside the development server of Temporal, and the API."""
        async with ground() as under:
            books = Books(under.admin_url)
            customer = books.customers(1)[0]
            books.invoices(customer, 50)
            async with _worker(under) as worker:
                with product(under) as api:
                    yield Prepared(
                        variants=[], same=_nothing_to_compare, facts=_facts(under, api, worker, customer, quick=quick)
                    )


async def _nothing_to_compare() -> None:
    """There is one variant: the product."""


def _facts(under: Ground, api: Server, worker: Running, customer: str, *, quick: bool) -> "_Facts":
    return _Facts(under, api, worker, customer, requests=2_000 if quick else 100_000)


class _Facts:
    """The figures, measured when asked for."""

    def __init__(self, under: Ground, api: Server, worker: Running, customer: str, *, requests: int) -> None:
        self._under, self._api, self._worker, self._customer, self._requests = under, api, worker, customer, requests

    async def __call__(self) -> Mapping[str, float]:
        await asyncio.sleep(_SETTLED_SECONDS)
        idle, worker = resident_megabytes(self._api.pid), resident_megabytes(self._worker.pid)
        wires = await self._wires()
        # Caches, pools and prepared statements fill once; what grows after that grows for ever.
        await self._ask(wires, self._requests // 10)
        await asyncio.sleep(_SETTLED_SECONDS)
        warm = resident_megabytes(self._api.pid)
        await self._ask(wires, self._requests)
        await asyncio.sleep(_SETTLED_SECONDS)
        after = resident_megabytes(self._api.pid)
        return {
            "requests": float(self._requests),
            "api_idle_megabytes": idle,
            "api_warm_megabytes": warm,
            "api_after_megabytes": after,
            "api_growth_percent": (after / warm - 1) * 100,
            "worker_idle_megabytes": worker,
        }

    async def _wires(self) -> Sequence[bytes]:
        """One page and one list for every eighteen answers that cost little: a load balancer's, and a refusal."""
        port = self._api.port
        page = load.request("GET", "/", port, headers={"Cookie": await cookie_of(self._under, port, self._customer)})
        key = {"Authorization": f"Bearer {await key_of(self._under)}"}
        listed = load.request("GET", f"/v1/invoices?customer_id={self._customer}", port, headers=key)
        health, unknown = load.request("GET", "/health", port), load.request("GET", "/nowhere", port)
        return [page, listed, *[health] * 14, *[unknown] * 4]

    async def _ask(self, wires: Sequence[bytes], requests: int) -> None:
        for _ in range(max(1, requests // 2000)):
            seen = await load.closed(self._api.port, list(wires) * 100, connections=8)
            if seen.statuses[200] != 1600:
                raise load.WrongAnswers(f"of 2,000 requests 1,600 should be answered 200: {dict(seen.statuses)}")


@asynccontextmanager
async def _worker(under: Ground) -> AsyncIterator[Running]:
    """A worker as `duly up` starts it; the ERP and the provider are not there, which it bears."""
    port = free_port()
    server = temporal.server(
        port=port, ui_port=None, database_file=under.folder / "temporal.db", log_file=under.folder / "temporal.log"
    ).start()
    try:
        await asyncio.to_thread(server.wait_until_ready)
        program = Program(
            name="worker",
            arguments=[sys.executable, "-m", "worker"],
            log_file=under.folder / "worker.log",
            is_ready=lambda: True,
            environment={
                **settings_of(under, base_url="http://127.0.0.1:8600"),
                "DULY_WORKER_DATABASE_URL": under.url("duly_worker"),
                "DULY_TEMPORAL_ADDRESS": f"127.0.0.1:{port}",
                "DULY_ERP_URL": "http://127.0.0.1:9",
                "DULY_ERP_API_KEY": "a key that opens nothing",
                "PYTHONPATH": str(ROOT),
                "PYTHONUNBUFFERED": "1",
            },
        )
        running = program.start()
        try:
            yield running
        finally:
            running.stop()
    finally:
        server.stop()


CASE: Final = Memory()
