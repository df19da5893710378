"""The ground of a drill: one whole Duly on this machine, its far side, and customers who owe something.

Everything is its own: a temporary data folder, free ports, keys. A Duly that runs beside it is never touched.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import secrets
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

import httpx
from sqlalchemy.exc import SQLAlchemyError
from temporalio.client import Client, ScheduleOverlapPolicy
from temporalio.service import RPCError

from api.processes import Processes, Unanswered
from connectors.temporal.client import connect
from launch.data_folder import DataFolder, Ports
from launch.drill import vendors
from launch.drill.far_side import FarSide
from launch.drill.parts import Parts
from launch.drill.vendors import FarVendor
from launch.drill.visitor import Visitor
from launch.machine import DATABASE, Machine, private_files
from settings import Settings
from store import access, connections, provision, streams, witness
from store.database import Database, Transaction
from wiring import ERP, PROVIDER, connections_of

WEATHER: Final = (Unanswered, RPCError, SQLAlchemyError, httpx.HTTPError, OSError)
"""What a driver meets while parts of the house are down: it asks again."""

Answer = TypeVar("Answer")


class NotInTime(Exception):
    """What was waited for did not happen; the message says what, and the last answer."""


async def until(
    question: Callable[[], Awaitable[Answer | None]], *, within_seconds: float = 20, what: str = "it", patient: bool = False
) -> Answer:
    """Ask until the answer is true. Raises NotInTime. `patient`: parts that are down are asked again."""
    deadline = time.monotonic() + within_seconds
    answer: object = None
    while True:
        try:
            answer = found = await question()
            if found:
                return found
        except WEATHER as weather:
            if not patient:
                raise
            answer = weather
        if time.monotonic() > deadline:
            raise NotInTime(f"{what} did not happen within {within_seconds:g} s; the last answer was {answer!r}")
        await asyncio.sleep(0.1)


def free_block(count: int) -> int:
    """The first of so many neighbouring ports that nobody listens on. Raises RuntimeError."""
    for _ in range(200):
        # Below the range from which the kernel takes ports for outgoing connections: those come and go at any moment.
        first = 12_000 + secrets.randbelow(20_000)
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(first, first + count):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first
    raise RuntimeError("no free ports")


@dataclass
class Ground:
    """The running parts, the far side, and the books as a worker reads them."""

    machine: Machine
    parts: Parts
    far: FarSide
    client: Client
    database: Database
    _vendors: dict[str, FarVendor] = field(default_factory=dict, init=False)
    _connecting: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    @property
    def processes(self) -> Processes:
        """The durable processes, asked without a browser."""
        return Processes(self.client)

    @property
    def base_url(self) -> str:
        """How customers reach the portal."""
        return self.machine.addresses()["api"]

    async def look(self, question: Callable[[Transaction], Awaitable[Answer]]) -> Answer:
        """One look at the books."""
        async with self.database.begin("drill.look") as tx:
            return await question(tx)

    async def sync(self) -> None:
        """Read the ERP now, as staff do by a button: what waits after a failure of before is asked for at once."""
        async with self.database.begin("drill.sync") as tx:
            await streams.hasten(tx, ERP)
        await self.client.get_schedule_handle(f"sync/{ERP}").trigger(overlap=ScheduleOverlapPolicy.BUFFER_ONE)

    async def accounts(
        self, count: int, *, totals: Sequence[int] = (10_000,), currency: str = "USD"
    ) -> list[tuple[str, Sequence[str]]]:
        """So many customers, each with invoices of these totals, read into Duly: (customer id, invoice ids)."""
        numbers = await self.far.enter_customers([f"Customer {number + 1}" for number in range(count)], currency=currency)
        for number in numbers:
            await self.far.enter_invoices(number, totals, currency=currency)
        await self.sync()
        found = []
        for number in numbers:

            async def known(number: str = number) -> tuple[str, Sequence[str]] | None:
                account = await self.look(lambda tx: witness.account(tx, number))
                return account if account is not None and len(account[1]) == len(totals) else None

            account = await until(known, within_seconds=60, what="the sync of new customers", patient=True)
            assert account is not None
            found.append(account)
        return found

    async def vendor(self, name: str) -> FarVendor:
        """A vendor that is played: started and connected by whoever is first to need it."""
        async with self._connecting:
            if name not in self._vendors:
                await self.parts.open([self.machine.vendor(name)])
                staff = Database(self.machine.environment()["DULY_STAFF_DATABASE_URL"])
                desk = httpx.AsyncClient(base_url=self.machine.vendors[name], trust_env=False, timeout=60)
                workshop = connections_of(settings_of(self.machine), staff).workshop
                self._vendors[name] = await vendors.connect(
                    name, f"{name}-played", desk=desk, base_url=self.base_url, workshop=workshop, staff=staff
                )
                await staff.close()
        return self._vendors[name]

    async def visitor(self, customer_id: str) -> Visitor:
        """A browser with a session of this customer's."""
        at = datetime.now(UTC)
        async with self.database.begin("drill.link") as tx:
            link = await access.create_link(tx, customer_id, by="duly drill", at=at, days=1)
        visitor = Visitor(self.base_url, self.parts.doors)
        await visitor.follow(link.token)
        return visitor

    async def aclose(self) -> None:
        """Hang up, then stop every part."""
        await self.far.aclose()
        for each in self._vendors.values():
            await each.desk.aclose()
        await self.database.close()
        self.parts.stop()


def settings_of(machine: Machine) -> Settings:
    """What a machine's own processes read. What this process's environment says is another Duly's business."""
    environment = {name.removeprefix("DULY_").lower(): text for name, text in machine.environment().items()}
    return Settings.model_validate({**Settings.model_construct().model_dump(), **environment})


async def prepare(
    folder: Path, *, apis: int = 1, addresses: Mapping[str, str] | None = None
) -> tuple[Machine, Parts, FarSide, Client, Database]:
    """Start the surroundings, make the database, start one worker and the APIs; all of them ready."""
    data = DataFolder(folder)
    data.make()
    with private_files():
        machine = Machine.prepare(data, port=free_block(len(fields(Ports))), vendors=addresses)
    parts = Parts(machine)
    await parts.open(machine.surroundings())
    machine.cluster.make_database(DATABASE)
    await provision.prepare(machine.cluster.admin_url(DATABASE), machine.passwords())
    environment = machine.environment()
    key_id, _, secret = machine.secrets.codec_key.partition(":")
    client = await connect(
        environment["DULY_TEMPORAL_ADDRESS"],
        namespace=environment["DULY_TEMPORAL_NAMESPACE"],
        keys=[(key_id, base64.b64decode(secret))],
    )
    database = Database(environment["DULY_WORKER_DATABASE_URL"])
    parts.start_worker()
    await parts.open(parts.apis())
    for _ in range(apis - 1):
        await parts.add_api(free_block(1))

    async def announced() -> bool:
        async with database.begin("drill.look") as tx:
            return await connections.offers(tx, PROVIDER) is not None

    await until(announced, within_seconds=60, what="the worker's announcement")
    return machine, parts, FarSide(machine), client, database


async def start(folder: Path, *, apis: int = 1) -> Ground:
    """A ground in an empty folder; the caller closes it."""
    addresses = vendors.addresses(free_block(len(vendors.names())))
    machine, parts, far, client, database = await prepare(folder, apis=apis, addresses=addresses)
    return Ground(machine=machine, parts=parts, far=far, client=client, database=database)
