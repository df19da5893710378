"""Vendors that are played beside the house and connected without a browser, as a row that staff would have made."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import httpx

import wiring
from activities.requests import PayRequest, SetupRequest
from domain.methods import MethodKind
from launch.drill.ground import settings_of
from launch.drill.process import PATIENCE_SECONDS
from launch.drill.vendors import Facts, connect
from store import managed
from store.identity import fresh_id
from tests.browser.vendors import ADYEN, GOCARDLESS, STRIPE, Played, Vendor
from tests.processes.house import House, now, until
from tests.simulators.running import start

VENDORS: Final = (STRIPE, GOCARDLESS, ADYEN)


@dataclass(frozen=True, slots=True)
class Far(Played):
    """A vendor that runs, and the connection to it: one of its own each time, for a vendor that begins anew begins to
    count its events anew. `facts` is what it says of itself.
    """

    connection: str
    facts: Facts


@asynccontextmanager
async def connected(house: House, vendors: Sequence[Vendor] = VENDORS) -> AsyncIterator[Mapping[str, Far]]:
    """Each started where the house expects it, connected and switched on, by name; off and gone in the end."""
    async with AsyncExitStack() as stack:
        yield {each.name: await stack.enter_async_context(_connected(house, each)) for each in vendors}


@asynccontextmanager
async def _connected(house: House, vendor: Vendor) -> AsyncIterator[Far]:
    url, connection = house.machine.vendors[vendor.name], f"{vendor.name}-{secrets.token_hex(4)}"
    program = start(f"simulators.{vendor.name}", "--port", str(urlsplit(url).port), environment=dict(vendor.environment))
    try:
        workshop = wiring.connections_of(settings_of(house.machine), house.admin).workshop
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=20) as desk:
            far = await connect(
                vendor.name, connection, desk=desk, base_url=house.base_url, workshop=workshop, staff=house.admin
            )
            yield Far(vendor, url, desk, connection, far.facts)
    finally:
        async with house.admin.begin("test") as tx:
            await managed.switch(tx, connection, on=False, at=now())
        program.stop()


async def saved_at(house: House, far: Far, customer_id: str) -> str:
    """A method that was saved on the vendor's page; its id."""
    setup = SetupRequest(
        setup_id=fresh_id("set"),
        customer_id=customer_id,
        kind=MethodKind(far.facts.kind),
        currency=far.facts.currency,
        consent_wording="Keep it for later payments.",
        return_path="/methods",
        connection_id=far.connection,
        request_hash="as on the page",
    )
    setup_id = await house.begun_setup(setup)
    page_url = await house.page_of_setup(setup_id)
    await house.fill_in(page_url, far.facts.use)
    await house.processes.hint(f"setup/{setup_id}", "return")
    return await house.completed_setup(setup_id)


async def ready_to_pay(house: House, far: Far, count: int) -> list[PayRequest]:
    """So many payments that nobody has asked for yet, each of an invoice of its own, with a method that is on file."""
    customer_id, invoice_ids = await house.customer(invoices=[10_000] * count, currency=far.facts.currency)
    method_id = await saved_at(house, far, customer_id)
    return [
        house.request(
            customer_id,
            [(invoice_id, 10_000)],
            method_id=method_id,
            currency=far.facts.currency,
            kind=MethodKind(far.facts.kind),
            connection_id=far.connection,
        )
        for invoice_id in invoice_ids
    ]


async def see_through(house: House, far: Far, requests: Sequence[PayRequest]) -> None:
    """To the last state of each, the vendor's days included, and to its document in the ERP."""
    waits = {each.payment_id: "processing" if far.facts.settles_in_days else "captured" for each in requests}
    for payment_id, state in waits.items():
        await house.reaches(payment_id, state, within_seconds=PATIENCE_SECONDS)
    if far.facts.settles_in_days:
        await far.days_pass(far.facts.settles_in_days)
        for payment_id in waits:
            await house.reaches(payment_id, "settled", within_seconds=PATIENCE_SECONDS)
    for payment_id in waits:
        await house.is_posted(payment_id, within_seconds=60)


async def charged_once(house: House, far: Far, request: PayRequest) -> None:
    """One charge over there, one document in the ERP, all of it in the books, over its own queue where calls are limited."""
    payment_id = request.payment_id
    assert await far.moving(f"{payment_id}-1") == 1
    assert await far.moving(f"{payment_id}-2") == 0
    [document] = await house.documents(f"{payment_id}-captured")
    assert document["amount"] == sum(each.minor for each in request.lines)
    row = await house.payment(payment_id)
    assert (row.connection_id, row.captured) == (far.connection, document["amount"])
    history = await house.client.get_workflow_handle(f"payment/{payment_id}").fetch_history()
    scheduled = [each.activity_task_scheduled_event_attributes for each in history.events]
    queue = f"duly/{far.connection}" if far.vendor.is_limited else "duly"
    assert {each.task_queue.name for each in scheduled if each.activity_type.name == "charge"} == {queue}


async def told_everything(house: House, far: Far) -> None:
    """Every event of the vendor's is done with."""

    async def done() -> bool:
        rows = await house.rows("SELECT state FROM inbox WHERE connection_id = :id", id=far.connection)
        return bool(rows) and all(each.state in {"handled", "stale"} for each in rows)

    await until(done, within_seconds=30, what="the vendor's events being done with")
