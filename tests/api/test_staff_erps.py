"""ERPs that administrators connect: declared by their connector, sealed, checked, read once they are switched on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from store.staff_accounts import Role
from tests import machine
from tests.api.house import House, absent_temporal, open_house, submit
from tests.simulators.running import DemoErpProgram, start_demo_erp

LIST = "/staff/connections"
NEW = f"{LIST}/erps/new/demo"
ONE = f"{LIST}/books"
KEY = "a key of the second ledger"


@pytest.fixture(scope="module")
def erp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoErpProgram]:
    running = start_demo_erp(tmp_path_factory.mktemp("erp") / "books.sqlite", api_key=KEY)
    yield running
    running.program.stop()


@pytest_asyncio.fixture
async def house(database: machine.Database) -> AsyncIterator[House]:
    async with open_house(database, await absent_temporal()) as opened:
        yield opened


@pytest_asyncio.fixture
async def admin(house: House) -> httpx.AsyncClient:
    return await house.staff_browser(Role.ADMIN)


async def made(admin: httpx.AsyncClient, erp: DemoErpProgram, **changes: Any) -> httpx.Response:
    fields: dict[str, Any] = {"id": "books", "title": "Books of the North", "address": erp.url, "secret.api_key": KEY}
    return await submit(admin, NEW, NEW, **{**fields, "request_life_seconds": "", **changes})


async def test_an_erp_is_made_switched_off_checked_and_then_switched_on(
    house: House, admin: httpx.AsyncClient, erp: DemoErpProgram
) -> None:
    assert "Connect an ERP" in (await admin.get(LIST)).text
    assert (await made(admin, erp)).headers["location"] == f"{ONE}?done=made"
    [row] = house.accounts.rows("SELECT role, connector, enabled, offers FROM connections WHERE id = 'books'")
    assert row == ("erp", "demo", False, {})
    page = (await admin.get(ONE)).text
    assert "Address for events" not in page
    assert "/webhooks/" not in page
    assert KEY not in page
    assert (await submit(admin, ONE, f"{ONE}/switch", on="yes")).headers["location"] == f"{ONE}?done=on"
    assert house.accounts.rows("SELECT enabled FROM connections WHERE id = 'books'") == [(True,)]
    listed = (await admin.get(LIST)).text
    assert "Books of the North" in listed
    assert "No payment provider is connected" in listed  # an ERP is none


async def test_one_that_refuses_the_key_is_not_switched_on(
    house: House, admin: httpx.AsyncClient, erp: DemoErpProgram
) -> None:
    await made(admin, erp, **{"secret.api_key": "a key of somebody else"})
    assert "does not accept our API key" in (await admin.get(ONE)).text
    refused = await submit(admin, ONE, f"{ONE}/switch", on="yes")
    assert refused.status_code == 409
    assert house.accounts.rows("SELECT enabled FROM connections WHERE id = 'books'") == [(False,)]
    newer: dict[str, Any] = {"name": "api_key", "secret.api_key": KEY}
    mended = await submit(admin, ONE, f"{ONE}/secrets", **newer)
    assert mended.headers["location"] == f"{ONE}?done=secret"
    assert (await submit(admin, ONE, f"{ONE}/switch", on="yes")).status_code == 303


async def test_one_that_nobody_answers_for_is_not_switched_on(admin: httpx.AsyncClient, erp: DemoErpProgram) -> None:
    await made(admin, erp, address="http://127.0.0.1:9")
    assert "The ERP did not answer" in (await admin.get(ONE)).text
    assert (await submit(admin, ONE, f"{ONE}/switch", on="yes")).status_code == 409


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"title": ""}, "it needs a name"),
        ({"address": ""}, "Address is missing"),
        ({"secret.api_key": ""}, "API key is missing"),
        ({"request_life_seconds": "soon"}, "a whole number of seconds"),
        ({"id": "Books!"}, "small letters"),
    ],
)
async def test_what_cannot_work_is_said_and_nothing_is_saved(
    house: House, admin: httpx.AsyncClient, erp: DemoErpProgram, changes: dict[str, str], says: str
) -> None:
    refused = await made(admin, erp, **changes)
    assert refused.status_code == 422
    assert says in refused.text
    assert house.accounts.rows("SELECT count(*) FROM connections WHERE is_managed") == [(0,)]


async def test_a_time_zone_that_is_none_is_refused_before_a_customer_would_live_in_it(admin: httpx.AsyncClient) -> None:
    new = f"{LIST}/erps/new/tryton"
    reached = {"address": "http://127.0.0.1:9", "database": "books", "user": "duly", "secret.password": "a password"}
    fields: dict[str, Any] = {"id": "books", "title": "Books", **reached, "payment_method": "", "time_zone": "Berlin"}
    refused = await submit(admin, new, new, **fields)
    assert refused.status_code == 422
    assert "is no time zone" in refused.text
    assert (await submit(admin, new, new, **{**fields, "time_zone": "Europe/Berlin"})).status_code == 303


async def test_a_payment_connectors_name_is_no_erps(admin: httpx.AsyncClient) -> None:
    assert (await admin.get(f"{LIST}/erps/new/stripe")).status_code == 404
    assert (await admin.get(f"{LIST}/new/demo")).status_code == 404
