"""'View as customer': staff see what the customer sees, change nothing, and every view is written down from end to end."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from store.staff_accounts import Role
from tests import machine
from tests.api.house import House, open_house, submit, token_on


@pytest_asyncio.fixture
async def house(database: machine.Database) -> AsyncIterator[House]:
    async with open_house(database) as opened:
        yield opened


async def view(house: House, customer: str, *, role: Role = Role.AGENT) -> httpx.AsyncClient:
    visitor = await house.staff_browser(role)
    page = f"/staff/customers/{customer}"
    answer = await submit(visitor, page, f"{page}/view")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    return visitor


async def test_staff_see_what_the_customer_sees_under_a_banner_on_every_page(house: House) -> None:
    customer = house.accounts.customer("Brookside Ltd")
    house.accounts.invoice(customer, 10_000, number="INV-1")
    house.accounts.invoice(house.accounts.customer("Oakline plc"), 20_000, number="INV-2")
    visitor = await view(house, customer)
    for path in ("/", "/payments", "/methods"):
        page = (await visitor.get(path)).text
        assert "Agent, you see this as <strong>Brookside Ltd</strong> sees it" in page, path
        assert 'action="/viewing/leave"' in page, path
        assert "Close this account on this device" not in page
    shown = (await visitor.get("/")).text
    assert ("INV-1" in shown, "INV-2" in shown) == (True, False)
    own = (await (await house.customer_browser(customer)).get("/")).text
    assert "sees it" not in own


async def test_every_post_of_the_portal_is_refused_with_a_sentence(house: House) -> None:
    customer = house.accounts.customer()
    visitor = await view(house, customer)
    token = await token_on(visitor, "/")
    other = (await house.link(customer)).token
    refused = 0
    for method, path in house.routes():
        if method != "POST" or path.startswith(("/staff", "/v1", "/webhooks")) or path == "/viewing/leave":
            continue
        address = re.sub(r"\{[^}]+\}", "x1", path.replace("{token}", other))
        answer = await visitor.post(address, data={"csrf": token})
        assert (answer.status_code, answer.headers["x-refusal"]) == (403, "viewing_only"), path
        assert "Nothing can be changed from here" in answer.text
        refused += 1
    assert refused >= 7
    assert (await visitor.get("/")).status_code == 200, "and the view goes on"


async def test_it_is_written_down_who_looked_at_whom_from_when_to_when_and_counts_as_no_visit(house: House) -> None:
    customer = house.accounts.customer()
    link = await house.link(customer)
    visitor = await view(house, customer)
    await visitor.get("/")
    house.clock.move(minutes=3)
    left = await submit(visitor, "/", "/viewing/leave")
    assert (left.status_code, left.headers["location"]) == (303, f"/staff/customers/{customer}")
    noted = house.accounts.rows(
        """SELECT a.action, f.email, a.customer_id, a.address, a.at - min(a.at) OVER () FROM access_log a
           JOIN staff f ON f.id = a.actor WHERE a.action LIKE 'view%%' ORDER BY a.seq"""
    )
    assert [each[:4] for each in noted] == [
        ("view_began", "agent@duly.example", customer, "198.51.100.2"),
        ("view_ended", "agent@duly.example", customer, "198.51.100.2"),
    ]
    assert str(noted[1][4]) == "0:03:00"
    assert len({each for (each,) in house.accounts.rows("SELECT object_id FROM access_log WHERE action LIKE 'view%%'")}) == 1
    assert house.accounts.rows("SELECT last_used_at FROM portal_links WHERE id = %s", [link.id]) == [(None,)]
    assert house.accounts.rows("SELECT 1 FROM access_log WHERE action = 'session_opened'") == []
    assert house.accounts.rows("SELECT 1 FROM outbox") == []
    assert (await visitor.get("/")).status_code == 401
    page = (await visitor.get(f"/staff/customers/{customer}")).text
    assert "Began to view as the customer" in page
    assert "never used" in page


async def test_a_view_lasts_half_an_hour_at_most_however_busy_it_is(house: House) -> None:
    visitor = await view(house, house.accounts.customer())
    for _ in range(2):
        house.clock.move(minutes=14, seconds=59)
        assert (await visitor.get("/")).status_code == 200
    house.clock.move(seconds=2)
    assert (await visitor.get("/")).status_code == 401


@pytest.mark.parametrize(
    "loss", ["UPDATE staff SET active = false", "UPDATE staff SET role = 'viewer'"], ids=["leaving", "a lesser role"]
)
async def test_it_ends_with_the_rights_of_who_looks(house: House, loss: str) -> None:
    visitor = await view(house, house.accounts.customer())
    house.accounts.run(loss)
    assert (await visitor.get("/")).status_code == 401


async def test_revoking_links_ends_no_view_and_a_view_revives_no_revoked_link(house: House) -> None:
    customer = house.accounts.customer()
    came = await house.customer_browser(customer)
    visitor = await view(house, customer)
    await submit(visitor, f"/staff/customers/{customer}", f"/staff/customers/{customer}/links/revoke")
    assert (await visitor.get("/")).status_code == 200
    assert (await came.get("/")).status_code == 401


async def test_signing_out_and_a_customers_own_sign_out_stay_what_they_were(house: House) -> None:
    customer = house.accounts.customer()
    came = await house.customer_browser(customer)
    assert (await submit(came, "/", "/sign-out")).status_code == 303
    assert (await came.get("/")).status_code == 401


async def test_signing_out_ends_the_view_as_well(house: House) -> None:
    visitor = await view(house, house.accounts.customer())
    await submit(visitor, "/staff/customers", "/staff/sign-out")
    assert (await visitor.get("/")).status_code == 401
    assert len(house.accounts.rows("SELECT 1 FROM access_log WHERE action = 'view_ended'")) == 1


async def test_leaving_what_is_no_view_ends_nothing(house: House) -> None:
    customer = house.accounts.customer()
    came = await house.customer_browser(customer)
    assert (await submit(came, "/", "/viewing/leave")).status_code == 303
    assert (await came.get("/")).status_code == 200
    assert house.accounts.rows("SELECT 1 FROM access_log WHERE action = 'view_ended'") == []
