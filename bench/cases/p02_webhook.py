"""P2: a provider's event is verified, stored once and answered 202, over HTTP, as fast as it may come.

Of the sandbox, which the process's settings name, and of each vendor, over a connection whose secrets lie sealed.
"""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from random import Random
from statistics import median
from typing import Final

from bench import load, pgbench, vendors
from bench.api_server import WEBHOOK_SECRET, product
from bench.case import Prepared, Sample, Variant, require_same
from bench.cpu import watching
from bench.data import Books
from bench.ground import Ground, Server, ground
from bench.vendors import Vendor

CONNECTIONS: Final = 8
_EVENTS_A_KILL: Final = 300

_LIMIT = """\\set n :n + 1
INSERT INTO inbox AS i (id, connection_id, dedupe_key, event_id, kind, subject, our_ref, provider_id, claims, state,
                        occurred_at, received_at)
VALUES ('evt_' || :client_id || '_' || :n, 'sandbox', 'sbe_' || :client_id || '_' || :n, 'sbe_' || :client_id || '_' || :n,
        'charge.captured', 'charge', NULL, 'sbc_' || :client_id || '_' || :n, 'captured', 'received',
        '2026-11-22 12:00Z', '2026-11-22 12:00Z')
ON CONFLICT (connection_id, dedupe_key) DO UPDATE SET deliveries = i.deliveries + 1 RETURNING i.id, i.deliveries;
"""

_STORED = """SELECT dedupe_key, event_id, kind, subject, our_ref, provider_id, claims, occurred_at, deliveries
             FROM inbox WHERE state <> 'refused' ORDER BY dedupe_key"""
_MEANT = """SELECT connection_id, subject, our_ref, claims, occurred_at, deliveries FROM inbox WHERE state <> 'refused'
            ORDER BY our_ref, provider_id"""
"""What an event says, in whosever words."""


class Webhook:
    """Over HTTP with eight connections; the limit is the one insert that it needs, by pgbench."""

    id = "P2"
    title = "Take a provider's event: verify, store once, answer 202"

    @asynccontextmanager
    async def prepared(self, quick: bool) -> AsyncIterator[Prepared]:
        """Both applications stand on one database; each turn begins with an empty inbox."""
        async with ground() as under:
            await vendors.connect(under)
            environment = {"BENCH_DATABASE_URL": under.url("duly_staff"), "BENCH_WEBHOOK_SECRET": WEBHOOK_SECRET}
            with (
                product(under) as ours,
                under.serving("bench.naive.app:create", name="naive", environment=environment) as naive,
            ):
                yield _Turns(under, ours, naive, count=240 if quick else 1000, kills=1 if quick else 5).prepared()


class _Turns:
    """The case's turns, and what they remember of each other."""

    def __init__(self, under: Ground, ours: Server, naive: Server, *, count: int, kills: int) -> None:
        self._under, self._ours, self._naive = under, ours, naive
        self._count, self._kills = count, kills
        self._books = Books(under.admin_url)
        self._rates: list[float] = []

    def prepared(self) -> Prepared:
        """The variants in their roles."""
        return Prepared(
            variants=[
                Variant(name="pgbench", role="limit", once=self._limit, before=self._emptied),
                Variant(name="ours", role="ours", once=self._over_http(self._ours), before=self._emptied),
                *(self._of_vendor(each) for each in vendors.VENDORS),
                Variant(name="at_70_percent", role="ours", once=self._at_70_percent, before=self._emptied),
                Variant(name="naive", role="plain", once=self._over_http(self._naive), before=self._emptied),
            ],
            same=self._same,
            facts=self._lost_when_killed,
        )

    async def _emptied(self) -> None:
        await asyncio.to_thread(self._books.run, "TRUNCATE inbox", "CHECKPOINT")

    def _recorded(self) -> None:
        """What the events speak of is booked already: most events repeat what an answer has told before."""
        customer, count = self._books.customers(1)[0], max(self._count, _EVENTS_A_KILL)
        self._books.invoices(customer, count)
        self._books.payments(customer, count, invoices_each=1)
        self._books.run("UPDATE payments SET state = 'captured', captured = amount", "VACUUM (ANALYZE) payments")

    async def _limit(self) -> Sample:
        return await pgbench.run(self._under, _LIMIT, clients=CONNECTIONS, turns=self._count // CONNECTIONS)

    def _of_vendor(self, vendor: Vendor) -> Variant:
        return Variant(name=vendor.name, role="ours", once=self._over_http(self._ours, vendor), before=self._emptied)

    def _over_http(self, server: Server, vendor: Vendor | None = None) -> Callable[[], Awaitable[Sample]]:
        async def once() -> Sample:
            wires = deliveries(server.port, self._count, vendor=vendor)
            with watching(trees=[server.pid, self._under.pid], ourselves=False) as watch:
                seen = await load.closed(server.port, wires, connections=CONNECTIONS)
            seen.require(202)
            if server is self._ours and vendor is None:
                self._rates.append(len(wires) / watch.wall_seconds)
            return Sample(
                operations=len(wires),
                wall_seconds=watch.wall_seconds,
                cpu_seconds=watch.cpu_seconds,
                facts={
                    "p50_ms": seen.waited_ms(0.5),
                    "p99_ms": seen.waited_ms(0.99),
                    "generator_busy": seen.own_cpu_seconds / watch.wall_seconds,
                },
            )

        return once

    async def _at_70_percent(self) -> Sample:
        """Of what it could do when it was asked for all that it can."""
        if not self._rates:
            await self._over_http(self._ours)()
        wires = deliveries(self._ours.port, self._count)
        rate = 0.7 * median(self._rates[-3:])
        seen = await load.open_loop(self._ours.port, wires, rate=rate, connections=32)
        seen.require(202)
        return Sample(
            operations=len(wires),
            wall_seconds=seen.wall_seconds,
            facts={
                "p50_ms": seen.waited_ms(0.5),
                "p99_ms": seen.waited_ms(0.99),
                "generator_busy": seen.own_cpu_seconds / seen.wall_seconds,
            },
        )

    async def _same(self) -> None:
        """New ones, some of them twice, one with another's signature: the same answers and the same rows."""
        await asyncio.to_thread(self._recorded)
        stored: dict[str, object] = {}
        for name, server in (("ours", self._ours), ("naive", self._naive)):
            await self._emptied()
            wires = deliveries(server.port, 20, run="same")
            wires += [*wires[:5], signed(server.port, body("sbe_forged", 1), key="somebody else's key")]
            seen = [await load.ask(server.port, wire) for wire in wires]
            stored[name] = ([each.status for each in seen], await asyncio.to_thread(self._books.rows, _STORED))
        require_same("answers and rows of 26 deliveries", stored)
        await self._same_of_vendors()

    async def _same_of_vendors(self) -> None:
        """The same events in each vendor's words mean the same, each at its own connection."""
        meant: dict[str, object] = {}
        for vendor in (None, *vendors.VENDORS):
            await self._emptied()
            wires = deliveries(self._ours.port, 20, run="same", vendor=vendor)
            wires += [*wires[:5], wire(self._ours.port, "forged", 1, vendor=vendor, key="5a" * 32)]
            seen = [(await load.ask(self._ours.port, each)).status for each in wires]
            rows = await asyncio.to_thread(self._books.rows, _MEANT)
            name = "sandbox" if vendor is None else vendor.name
            at_home = all(row[0] == name for row in rows)
            meant[name] = (seen, at_home, [tuple(row[1:]) for row in rows])
        require_same("answers and meanings of 26 deliveries of each vendor", meant)

    async def _lost_when_killed(self) -> Mapping[str, float]:
        """The API is killed with -9 while events come in: whatever was answered 202 has to be in the inbox."""
        await self._emptied()
        chance, answered, unanswered = Random(1), set[str](), 0
        for kill in range(self._kills):
            wires = deliveries(self._ours.port, _EVENTS_A_KILL, run=f"kill{kill}")
            fatal, restart = chance.randrange(50, 250), list[asyncio.Task[None]]()

            def strike(number: int, *, fatal: int = fatal, restart: list[asyncio.Task[None]] = restart) -> None:
                if number == fatal:
                    self._ours.kill()
                    restart.append(asyncio.create_task(self._ours.start_again()))

            seen = await load.open_loop(self._ours.port, wires, rate=150, connections=16, meanwhile=strike)
            await restart[0]
            for number, each in enumerate(seen.answers):
                if each is not None and each.status == 202:
                    answered.add(name_of(f"kill{kill}", number))
                else:
                    unanswered += 1
        rows = await asyncio.to_thread(self._books.rows, "SELECT dedupe_key FROM inbox")
        stored = {row[0] for row in rows}
        return {
            "kills": float(self._kills),
            "answered_202": float(len(answered)),
            "without_an_answer": float(unanswered),
            "lost_of_those_answered": float(len(answered - stored)),
        }


def deliveries(port: int, count: int, *, run: str = "", vendor: Vendor | None = None) -> list[bytes]:
    """So many events of now, signed; each of its own. Of a vendor, or of the sandbox."""
    return [wire(port, f"{run}_{number}", number + 1, vendor=vendor) for number in range(count)]


def wire(port: int, event: str, payment: int, *, vendor: Vendor | None = None, key: str | None = None) -> bytes:
    """One delivery over the wire: the charge of a payment has gone through. With a `key` somebody else signed it."""
    if vendor is None:
        return signed(port, body(f"sbe_{event}", payment), key=key or WEBHOOK_SECRET)
    raw, marks = vendor.deliver(event, reference_of(payment), key or vendor.given[vendor.signs_with])
    headers = {**marks, "Content-Type": "application/json"}
    return load.request("POST", f"/webhooks/{vendor.name}", port, headers=headers, body=raw)


def name_of(run: str, number: int) -> str:
    """A sandbox's event's id at the provider."""
    return f"sbe_{run}_{number}"


def reference_of(payment: int) -> str:
    """Our reference of a payment's first attempt."""
    return f"pay_{payment:026}-1"


def body(event_id: str, payment: int) -> bytes:
    """What the sandbox provider sends when the charge of a payment has gone through."""
    told = {
        "id": event_id, "type": "charge.captured", "mode": "test", "created_at": "2026-11-22T12:00:00.000+00:00",
        "our_ref": reference_of(payment), "object": {"type": "charge", "id": f"sbc_{event_id}"},
    }  # fmt: skip
    return json.dumps(told).encode()


def signed(port: int, raw: bytes, *, key: str = WEBHOOK_SECRET) -> bytes:
    """The sandbox's delivery over the wire, signed a moment ago."""
    moment = str(int(time.time())).encode()
    mark = hmac.new(key.encode(), moment + b"." + raw, hashlib.sha256).hexdigest()
    headers = {"X-Sandbox-Signature": f"t={moment.decode()},v1={mark}", "Content-Type": "application/json"}
    return load.request("POST", "/webhooks/sandbox", port, headers=headers, body=raw)


CASE: Final = Webhook()
