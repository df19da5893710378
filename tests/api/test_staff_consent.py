"""Consent at an ERP's vendor: the way there and back is believed once and in one session; what it led to is kept sealed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from store.staff_accounts import Role
from tests import machine
from tests.api.house import House, absent_temporal, open_house, submit
from tests.connectors.xero.harness import CLIENT, SECRET, start_xero
from tests.simulators.running import Program

LIST = "/staff/connections"
NEW = f"{LIST}/erps/new/xero"
ONE = f"{LIST}/books"
BACK = f"{LIST}/erps/consent"


@pytest.fixture(scope="module")
def xero() -> Iterator[Program]:
    program = start_xero()
    yield program
    program.stop()


@pytest_asyncio.fixture
async def vendor(xero: Program) -> AsyncIterator[httpx.AsyncClient]:
    """A browser at the vendor's, where nobody has an organisation yet."""
    async with httpx.AsyncClient(base_url=xero.url, trust_env=False) as browser:
        await browser.post("/_test/forget")
        yield browser


@pytest_asyncio.fixture
async def house(database: machine.Database, xero: Program) -> AsyncIterator[House]:
    async with open_house(database, await absent_temporal(), addresses={"xero": xero.url}) as opened:
        yield opened


@pytest_asyncio.fixture
async def admin(house: House) -> httpx.AsyncClient:
    return await house.staff_browser(Role.ADMIN)


async def founded(vendor: httpx.AsyncClient, *names: str) -> list[str]:
    return [(await vendor.post("/_test/organisations", json={"name": each})).json()["tenant"] for each in names]


async def made(admin: httpx.AsyncClient) -> None:
    fields: dict[str, Any] = {"id": "books", "title": "Books", "client_id": CLIENT, "secret.client_secret": SECRET}
    more: dict[str, Any] = {"deposit_account": "090", "time_zone": "", "read_every_seconds": "0"}
    assert (await submit(admin, NEW, NEW, **fields, **more)).status_code == 303


async def sent_there(admin: httpx.AsyncClient) -> str:
    """Where the button leads."""
    asked = await submit(admin, ONE, f"{ONE}/consent")
    assert asked.status_code == 303
    return str(asked.headers["location"])


async def agreed(admin: httpx.AsyncClient, vendor: httpx.AsyncClient, more: str = "") -> str:
    """The button, a yes at the vendor's, and the path that leads back."""
    back = httpx.URL((await vendor.get(await sent_there(admin) + more)).headers["location"])
    return f"{back.path}?{back.query.decode()}"


async def test_a_connection_works_once_somebody_has_given_consent(
    house: House, admin: httpx.AsyncClient, vendor: httpx.AsyncClient, xero: Program
) -> None:
    (tenant,) = await founded(vendor, "Brightwater Books")
    await made(admin)
    page = await admin.get(ONE)
    assert "Nobody has given consent yet" in page.text
    assert f"{house.base_url}{BACK}" in page.text
    assert xero.url in page.headers["content-security-policy"], "the form may lead on to the vendor"
    assert (await submit(admin, ONE, f"{ONE}/switch", on="yes")).status_code == 409
    back = await admin.get(await agreed(admin, vendor))
    assert back.headers["location"] == f"{ONE}?done=consented"
    shown = (await admin.get(f"{ONE}?done=consented")).text
    assert "Consent given by admin@duly.example at " in shown
    assert "Organisation: Brightwater Books" in shown
    assert "Consent is given." in shown
    assert (await submit(admin, ONE, f"{ONE}/switch", on="yes")).headers["location"] == f"{ONE}?done=on"
    assert house.accounts.rows("SELECT given ->> 'organisation' FROM connections WHERE id = 'books'") == [(tenant,)]
    ((sealed,),) = house.accounts.rows("SELECT sealed FROM connection_tokens")
    assert "access" not in sealed
    # Saving the form of the settings forgets nothing of what was learnt.
    version = house.accounts.rows("SELECT version FROM connections WHERE id = 'books'")[0][0]
    changed: dict[str, Any] = {"title": "Books", "client_id": CLIENT, "deposit_account": "090", "version": str(version)}
    await submit(admin, ONE, ONE, **changed, time_zone="", read_every_seconds="0")
    assert house.accounts.rows("SELECT given ->> 'organisation' FROM connections WHERE id = 'books'") == [(tenant,)]
    acts = [row[0] for row in house.accounts.rows("SELECT action FROM access_log ORDER BY seq")]
    assert {"connection_consent_asked", "connection_consented"} <= set(acts)


async def test_the_way_back_is_believed_once_in_its_own_session_and_not_for_long(
    house: House, admin: httpx.AsyncClient, vendor: httpx.AsyncClient
) -> None:
    await founded(vendor, "Brightwater Books")
    await made(admin)
    other = await house.staff_browser(Role.ADMIN, email="other@duly.example")
    back = await agreed(admin, vendor)
    assert (await other.get(back)).status_code == 409
    assert (await admin.get(back)).status_code == 303
    assert (await admin.get(back)).status_code == 409
    late = await agreed(admin, vendor)
    for _ in range(2):  # the session is kept alive by being used
        house.clock.move(minutes=8)
        await admin.get(LIST)
    assert (await admin.get(late)).status_code == 409
    invented = await admin.get(f"{BACK}?state=invented&code=invented")
    assert invented.headers["x-refusal"] == "consent_unknown"
    assert (await house.browser().get(back)).headers["location"].startswith("/staff/sign-in")


@pytest.mark.long
async def test_who_says_no_there_changes_nothing(house: House, admin: httpx.AsyncClient, vendor: httpx.AsyncClient) -> None:
    await founded(vendor, "Brightwater Books")
    await made(admin)
    refused = await admin.get(await agreed(admin, vendor, "&say=no"))
    assert "somebody said no there" in refused.text
    state = httpx.URL(await sent_there(admin)).params["state"]
    assert "does not take this code" in (await admin.get(f"{BACK}?state={state}&code=invented")).text
    assert house.accounts.rows("SELECT 1 FROM connection_tokens") == []


@pytest.mark.long
async def test_of_several_organisations_one_is_chosen_and_stays(
    house: House, admin: httpx.AsyncClient, vendor: httpx.AsyncClient
) -> None:
    north, south = await founded(vendor, "North", "South")
    await made(admin)
    await admin.get(await agreed(admin, vendor))
    assert "Choose below" in (await admin.get(f"{ONE}?done=consented")).text
    for value, status in (("invented", 404), (south, 303), (north, 404)):
        chosen: dict[str, Any] = {"name": "organisation", "value": value}
        assert (await submit(admin, ONE, f"{ONE}/consent/choice", **chosen)).status_code == status
    assert "Organisation: South" in (await admin.get(ONE)).text
    assert (await admin.get(await agreed(admin, vendor))).status_code == 303
    other = await admin.get(await agreed(admin, vendor, f"&tenants={north}"))
    assert "That consent is for North, but this connection reads South" in other.text
    assert house.accounts.rows("SELECT given ->> 'organisation' FROM connections WHERE id = 'books'") == [(south,)]


@pytest.mark.long
async def test_a_consent_that_the_vendor_ended_is_told_and_asked_for_again(
    admin: httpx.AsyncClient, vendor: httpx.AsyncClient, house: House
) -> None:
    await founded(vendor, "Brightwater Books")
    await made(admin)
    await admin.get(await agreed(admin, vendor))
    await vendor.post("/_test/withdraw")
    await submit(admin, ONE, f"{ONE}/check")
    page = (await admin.get(ONE)).text
    assert "knows our consent no more" in page
    assert "Ended" in page
    assert "Consent has ended" in (await admin.get(LIST)).text
    assert (await submit(admin, ONE, f"{ONE}/switch", on="yes")).status_code == 409
    await admin.get(await agreed(admin, vendor))
    assert "Ended" not in (await admin.get(ONE)).text
    assert (await submit(admin, ONE, f"{ONE}/switch", on="yes")).status_code == 303
    assert house.accounts.rows("SELECT lost_at FROM connection_tokens") == [(None,)]


@pytest.mark.long
async def test_a_connection_that_needs_no_consent_offers_none(admin: httpx.AsyncClient) -> None:
    new = f"{LIST}/erps/new/demo"
    fields: dict[str, Any] = {"id": "plain", "title": "Plain", "address": "http://127.0.0.1:9", "secret.api_key": "a key"}
    await submit(admin, new, new, **fields, request_life_seconds="")
    assert "Give consent" not in (await admin.get(f"{LIST}/plain")).text
    assert (await submit(admin, f"{LIST}/plain", f"{LIST}/plain/consent")).status_code == 404
