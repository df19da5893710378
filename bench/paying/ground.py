"""A whole running Duly to pay in: customers with a saved card, a stock of invoices, and what is counted afterwards."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import shutil
import sys
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

from temporalio.client import Client

import wiring
from activities.requests import PayRequest, SetupRequest
from api.processes import Processes
from domain.allocation import Line
from domain.methods import MethodKind
from launch.drill import ground as drill
from launch.drill.ground import Ground, until
from settings import Settings
from store import witness
from store.identity import fresh_id
from workflows import ids

AMOUNT: Final = 10_000
CUSTOMERS: Final = 16
INVOICES_AT_ONCE: Final = 40
"""How many invoices each customer gets when the stock runs low."""
PATIENCE: Final = timedelta(seconds=60)
"""How long an answer is waited for here: a slow one is measured, not given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payer:
    """A customer with a saved card."""

    number: str
    customer_id: str
    method_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """What is there of some payments, at the far side and in the books."""

    payments: int
    charges: int
    documents: int
    reflected: int
    off_balance: int


@dataclass
class PayingGround:
    """Duly's processes run beside; nothing else happens in them while payments are measured."""

    ground: Ground
    settings: Settings
    payers: list[Payer] = field(default_factory=list)
    _stock: deque[PayRequest] = field(default_factory=deque)
    _invoices: int = 0

    @property
    def client(self) -> Client:
        """Temporal."""
        return self.ground.client

    async def stock_up(self, count: int) -> None:
        """See that so many invoices can be paid."""
        while len(self._stock) < count:
            first, self._invoices = self._invoices, self._invoices + INVOICES_AT_ONCE
            for payer in self.payers:
                await self.ground.far.enter_invoices(payer.number, [AMOUNT] * INVOICES_AT_ONCE, first=first)
            await self.ground.sync()
            found = [await self._known(payer, self._invoices) for payer in self.payers]
            # One invoice of each customer after the other: neighbours in the loop never pay for the same customer.
            for row in itertools.islice(zip(*found, strict=True), first, None):
                self._stock.extend(_request(payer, invoice_id) for payer, invoice_id in zip(self.payers, row, strict=True))

    def take(self, count: int) -> list[PayRequest]:
        """So many payments that nobody has made yet."""
        return [self._stock.popleft() for _ in range(count)]

    async def reflected(self, payment_ids: Sequence[str], *, within_seconds: float = 120) -> None:
        """Wait until the ERP has them all, and it was read that it has."""

        async def are_there() -> bool:
            return await self.ground.look(lambda tx: witness.reflected(tx, payment_ids)) == len(payment_ids)

        await until(are_there, within_seconds=within_seconds, what=f"{len(payment_ids)} payments in the ERP")

    async def count(self, payment_ids: Sequence[str]) -> Count:
        """Count them everywhere."""
        wanted = set(payment_ids)
        ledger = await self.ground.far.ledger()
        moved = [each for each in ledger["charges"] if each["moves_money"]]
        answer = await self.ground.far.erp.get("/test/documents")
        answer.raise_for_status()
        documents = answer.json()["documents"]
        return Count(
            payments=len(wanted),
            charges=sum(each["our_ref"].rpartition("-")[0] in wanted for each in moved),
            documents=sum(str(each["external_reference"]).rpartition("-")[0] in wanted for each in documents),
            reflected=await self.ground.look(lambda tx: witness.reflected(tx, list(wanted))),
            off_balance=await self.ground.look(witness.trial_balance),
        )

    async def _known(self, payer: Payer, count: int) -> Sequence[str]:
        async def are_known() -> Sequence[str] | None:
            account = await self.ground.look(lambda tx: witness.account(tx, payer.number))
            return account[1] if account is not None and len(account[1]) == count else None

        found = await until(are_known, within_seconds=120, what=f"{count} invoices of {payer.number}")
        assert found is not None
        return found


def _request(payer: Payer, invoice_id: str) -> PayRequest:
    return PayRequest(
        payment_id=fresh_id("pay"),
        customer_id=payer.customer_id,
        customer_ids=(payer.customer_id,),
        currency="USD",
        lines=(Line(invoice_id=invoice_id, minor=AMOUNT),),
        kind=MethodKind.CARD,
        method_id=payer.method_id,
        request_hash=invoice_id,
        started_by="bench",
    )


@asynccontextmanager
async def opened(*, customers: int = CUSTOMERS, own_worker: bool = True) -> AsyncIterator[PayingGround]:
    """A ground in a temporary folder; with `own_worker` the bench's worker instead of the product's, and quiet."""
    folder = Path(tempfile.mkdtemp(prefix="duly-bench-"))
    ground = None
    try:
        ground = await drill.start(folder)
        paying = PayingGround(ground=ground, settings=settings_of(ground))
        paying.payers = await _payers(ground, customers)
        if own_worker:
            await _be_quiet(ground)
            _change_worker(ground)
        yield paying
    finally:
        if ground is not None:
            await ground.aclose()
        shutil.rmtree(folder, ignore_errors=True)


def settings_of(ground: Ground) -> Settings:
    """What a worker of this ground reads; what this process's own environment says is another Duly's business."""
    environment = {name.removeprefix("DULY_").lower(): text for name, text in ground.machine.environment().items()}
    return Settings.model_validate({**Settings.model_construct().model_dump(), **environment})


async def _payers(ground: Ground, count: int) -> list[Payer]:
    """Customers without an address, so that no receipts are mailed while payments are measured."""
    numbers = await ground.far.enter_customers([f"Customer {number + 1}" for number in range(count)], email=False)
    await ground.sync()
    return list(await asyncio.gather(*(_payer(ground, number) for number in numbers)))


async def _payer(ground: Ground, number: str) -> Payer:
    async def is_known() -> str | None:
        account = await ground.look(lambda tx: witness.account(tx, number))
        return account[0] if account is not None else None

    customer_id = await until(is_known, within_seconds=60, what=f"the sync of {number}")
    assert customer_id is not None
    setup_id = fresh_id("set")
    processes = Processes(ground.client, answer_within=PATIENCE)
    answer = await processes.start_setup(
        SetupRequest(
            setup_id=setup_id,
            customer_id=customer_id,
            kind=MethodKind.CARD,
            currency="USD",
            consent_wording="Keep my card.",
            return_path="/methods",
        )
    )
    assert answer.redirect_url is not None
    await ground.far.fill_in(answer.redirect_url, "card_ok")

    async def is_kept() -> str | None:
        await processes.hint(ids.method_setup(setup_id), "return")
        seen = await ground.look(lambda tx: witness.setup(tx, setup_id))
        return seen.method_id if seen is not None and seen.state == "completed" else None

    method_id = await until(is_kept, within_seconds=60, what=f"the card of {number}")
    assert method_id is not None
    return Payer(number=number, customer_id=customer_id, method_id=method_id)


async def _be_quiet(ground: Ground) -> None:
    """What comes by itself (the sync, the sweep, the provider's events) would fall into some rounds and not into others."""
    await ground.far.provider_post("/v1/test/webhooks", {"mode": "drop"})
    for schedule_id in (ids.sync(wiring.ERP), ids.sweep()):
        await ground.client.get_schedule_handle(schedule_id).pause(note="bench")


def _change_worker(ground: Ground) -> None:
    ground.parts.stop_workers()
    program = next(each for each in ground.machine.ourselves() if each.name == "worker")
    changed = dataclasses.replace(program, arguments=[sys.executable, "-m", "bench.paying.worker"])
    ground.parts.workers.append(changed.start())
