"""Two ERPs at once: each customer's money is entered where that customer's invoices are, and nowhere else."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

import wiring
from launch.drill.ground import settings_of
from launch.machine import DATABASE
from store import managed
from store.database import Database
from store.identity import fresh_id
from store.views import integration
from tests.processes.house import House, now, until
from tests.simulators.running import DemoErpProgram, start_demo_erp


@pytest_asyncio.fixture
async def second(house: House, tmp_path: Path) -> AsyncIterator[tuple[str, DemoErpProgram]]:
    """Another demo ERP, connected as staff would: its connection, and its desk."""
    program = start_demo_erp(tmp_path / "second.sqlite")
    connection = f"erp-{secrets.token_hex(4)}"
    choices = managed.Choices(
        title="Second", given={"address": program.url, "request_life_seconds": "2"}, kinds=[], currencies=[], preferred=[],
        offers={}, once={}, countries={},
    )  # fmt: skip
    envelopes = wiring.connections_of(settings_of(house.machine), house.admin).workshop.envelopes
    async with house.admin.begin("test") as tx:
        await managed.add(
            tx, connection, choices, connector="demo", mode="sandbox", calls_per_second=None, at=now(), role="erp"
        )
        await managed.add_secret(tx, envelopes, connection, "api_key", program.api_key, by="test", at=now())
        await managed.switch(tx, connection, on=True, at=now())
    yield connection, program
    async with house.admin.begin("test") as tx:
        await managed.switch(tx, connection, on=False, at=now())
    program.program.stop()


def enter(erp: DemoErpProgram, *, total: int, currency: str, parent: str | None = None) -> str:
    """A customer, which may be a subsidiary, and one invoice of it; its number."""
    number = f"S-{fresh_id('cus')[-10:]}"
    customer = {
        "id": number, "number": number, "name": "Second", "currency": currency, "time_zone": "UTC", "parent_id": parent,
    }  # fmt: skip
    invoice = {
        "id": f"{number}-0", "customer_id": number, "number": f"{number}-0", "currency": currency,
        "issued_on": "2026-09-01", "due_on": "2026-10-30", "state": "Posted", "total": total,
    }  # fmt: skip
    erp.answer("POST", "/bulk", json={"customers": [customer], "invoices": [invoice], "documents": []})
    return number


async def test_each_customers_money_is_entered_in_the_erp_that_has_its_invoices(
    house: House, second: tuple[str, DemoErpProgram]
) -> None:
    connection, elsewhere = second
    number = enter(elsewhere, total=7_700, currency="EUR")
    subsidiary = enter(elsewhere, total=2_300, currency="EUR", parent=number)

    async def read() -> list[tuple[str, str]]:
        found = await house.rows(
            """SELECT i.id, i.customer_id FROM invoices i JOIN customers c ON c.id = i.customer_id
               WHERE c.number IN (:number, :subsidiary) AND c.connection_id = :connection ORDER BY i.total DESC""",
            number=number,
            subsidiary=subsidiary,
            connection=connection,
        )
        return [(row.customer_id, row.id) for row in found] if len(found) == 2 else []

    (there, invoice_there), (child, _) = await until(read, within_seconds=60, what="the second ERP being read")
    here, (invoice_here,) = await house.customer(invoices=(10_000,))
    paid = {}
    for customer_id, invoice_id, minor, currency in (
        (there, invoice_there, 7_700, "EUR"),
        (here, invoice_here, 10_000, "USD"),
    ):
        method_id = await house.saved_method(customer_id)
        request = house.request(customer_id, [(invoice_id, minor)], method_id=method_id, currency=currency)
        await house.pay(request)
        await house.is_posted(request.payment_id, within_seconds=60)
        paid[customer_id] = f"{request.payment_id}-captured"
    counts = {
        reference: (
            len(await house.documents(reference)),
            len(elsewhere.answer("GET", "/test/documents", params={"reference": reference})["documents"]),
        )
        for reference in paid.values()
    }
    assert counts == {paid[here]: (1, 0), paid[there]: (0, 1)}
    await a_parent_pays_for_its_subsidiary(house, elsewhere, parent=(there, number), child=child)
    assert await house.trial_balance() == 0


async def a_parent_pays_for_its_subsidiary(
    house: House, elsewhere: DemoErpProgram, *, parent: tuple[str, str], child: str
) -> None:
    """It sees what the subsidiary owes and pays it: their ERP has the payer's money on the subsidiary's invoice."""
    payer, number = parent
    async with house.database.begin("test") as tx:
        family = await integration.family(tx, payer)
        assert set(family) == {payer, child}
        assert set(await integration.family(tx, child)) == {child}, "a subsidiary sees nothing of its parent"
    password = house.machine.secrets.portal_password
    portal = Database(house.machine.cluster.url(role="duly_portal", password=password, database=DATABASE))
    try:
        async with portal.read_as(family, hide_paused=True) as tx:
            [owed] = await tx.rows("SELECT id, open FROM invoice_states WHERE open > 0")
    finally:
        await portal.close()
    request = house.request(
        payer, [(owed.id, 2_300)], method_id=await house.saved_method(payer), currency="EUR", customer_ids=family
    )
    assert (await house.pay(request)).state == "captured"
    await house.is_posted(request.payment_id, within_seconds=60)
    reference = f"{request.payment_id}-captured"
    assert await house.documents(reference) == []
    [document] = elsewhere.answer("GET", "/test/documents", params={"reference": reference})["documents"]
    assert (document["customer_id"], document["amount"], document["unapplied"]) == (number, 2_300, 0)


async def test_one_that_is_switched_off_is_read_no_more(house: House, second: tuple[str, DemoErpProgram]) -> None:
    connection, elsewhere = second

    async def cursor() -> str | None:
        found = await house.rows("SELECT cursor FROM sync_cursors WHERE connection_id = :id", id=connection)
        return found[0].cursor if found else None

    await until(cursor, within_seconds=60, what="the first read")
    async with house.admin.begin("test") as tx:
        await managed.switch(tx, connection, on=False, at=now())
    number = enter(elsewhere, total=100, currency="EUR")
    await house.client.get_schedule_handle(f"sync/{connection}").trigger()

    async def has_run_again() -> bool:
        seen = await house.client.get_schedule_handle(f"sync/{connection}").describe()
        return seen.info.num_actions >= 2 and not seen.info.running_actions

    await until(has_run_again, within_seconds=60, what="another run of the Schedule")
    assert await house.rows("SELECT 1 FROM customers WHERE number = :number", number=number) == []


@pytest.mark.long
async def test_while_one_erp_is_down_the_other_is_written_to(house: House, second: tuple[str, DemoErpProgram]) -> None:
    _, elsewhere = second
    elsewhere.program.kill()
    customer_id, (invoice_id,) = await house.customer(invoices=(10_000,))
    method_id = await house.saved_method(customer_id)
    request = house.request(customer_id, [(invoice_id, 10_000)], method_id=method_id)
    await house.pay(request)
    await house.is_posted(request.payment_id, within_seconds=30)
