"""A scene for incidents: a simulated town without luck, played step by step by the test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from random import Random
from typing import Any

from activities.requests import PayRequest
from domain import ids
from domain.allocation import Line
from domain.methods import MethodKind
from tests import machine
from tests.simulation.processes import Process
from tests.simulation.provider import MOVES_MONEY, Charge
from tests.simulation.seeds import Ground
from tests.simulation.stage import Order, Stop, Ticket
from tests.simulation.town import PROVIDER, Resident, Rules, Town


class Scene:
    """One customer who pays, and everything that may go wrong on the way."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.customer: Resident = town.residents[0]
        self.requested: dict[str, PayRequest] = {}

    async def invoices(self) -> list[Any]:
        """The customer's, with something to pay; the largest first."""
        rows = await self.town.rows(
            "SELECT id, erp_id, available FROM invoice_states WHERE customer_id = :me AND available > 0", me=self.customer.id
        )
        return sorted(rows, key=lambda row: (-row.available, row.erp_id))

    async def request(self, *, behaviour: str | None = "ok", part: int = 1, invoice: Any = None) -> PayRequest:
        """A payment of an invoice (or a part of it) by a saved card of that behaviour, or (None) by a page."""
        row = invoice if invoice is not None else (await self.invoices())[0]
        method = self.customer.methods[0][0] if behaviour is not None else None
        if behaviour is not None:
            token = (await self.town.rows("SELECT token FROM payment_methods WHERE id = :id", id=method))[0].token
            self.town.provider.methods[token] = (MethodKind.CARD, behaviour)
        number = len(self.requested) + 1
        made = PayRequest(
            payment_id=ids.compose("pay", at_ms=1_772_000_000_000, entropy=bytes([number] * 10)),
            customer_id=self.customer.id,
            customer_ids=(self.customer.id,),
            currency=self.customer.currency,
            lines=(Line(invoice_id=row.id, minor=row.available // part),),
            kind=MethodKind.CARD,
            method_id=method,
            connection_id=PROVIDER,
            request_hash=f"form {number}",
        )
        self.requested[made.payment_id] = made
        return made

    def pay(self, request: PayRequest) -> Process:
        return self.town.registry.pay(request)

    async def until(self, point: str, stop: Stop = "leave") -> Ticket:
        """Everybody goes on, in order, until somebody stops at that point."""
        await self.town.stage.settle()
        for _ in range(200):
            found = next((each for each in self.town.tickets() if each.point == point and each.stop == stop), None)
            if found is not None:
                return found
            assert await self.town.turn(), f"nobody came to {point}"
        raise AssertionError(f"nobody came to {point}")

    async def meets(self, point: str, order: Order) -> None:
        """Whoever comes to that call meets this fate."""
        await self.town.stage.let(await self.until(point), order)

    async def later(self, by: timedelta) -> None:
        """Time passes, and whoever is due goes on."""
        await self.town.move_clock(by)
        await self.town.go_on()

    async def state(self, payment_id: str) -> str:
        rows = await self.town.rows("SELECT state FROM payments WHERE id = :id", id=payment_id)
        return str(rows[0].state) if rows else "not there"

    def charges(self, payment_id: str) -> list[Charge]:
        return [each for each in self.town.provider.charges.values() if each.our_ref.startswith(payment_id)]

    def moving(self, payment_id: str) -> int:
        """Charges that took this payment's money, counted at the provider."""
        return sum(each.status in MOVES_MONEY for each in self.charges(payment_id))

    async def count(self, table: str, where: str = "true", **values: Any) -> int:
        return int((await self.town.rows(f"SELECT count(*) AS n FROM {table} WHERE {where}", **values))[0].n)


@asynccontextmanager
async def scene(database: machine.Database, rules: Rules | None = None) -> AsyncIterator[Scene]:
    """A fresh town under these rules."""
    ground = Ground(worker_url=database.worker_url, portal_url=database.portal_url, admin_url=database.admin_url)
    await ground.open()
    await ground.clear()
    town = Town(ground.worker, Random(1), rules if rules is not None else Rules())
    try:
        await town.settle_in()
        yield Scene(town)
    finally:
        await town.stage.close()
        await ground.close()
