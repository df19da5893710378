"""A session that ends while a form is open: what was typed is there again after signing in, whatever the form."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from store.staff_accounts import Role
from tests import machine
from tests.api.house import PASSWORD, House, absent_temporal, open_house, token_on
from tests.api.test_staff_second_factor import code_at, set_up

TYPED = {"email": "ann@duly.example", "name": 'Ann "the <pen>" Ōta & co', "role": "approver"}


@pytest_asyncio.fixture
async def house(database: machine.Database) -> AsyncIterator[House]:
    async with open_house(database, await absent_temporal()) as opened:
        yield opened


def fields_of(page: str) -> dict[str, list[str]]:
    """The hidden fields of the page's last form."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page.rpartition("<form")[2]):
        found.setdefault(html.unescape(name), []).append(html.unescape(value))
    return found


async def sign_in_again(visitor: httpx.AsyncClient, page: str, email: str, password: str = PASSWORD) -> httpx.Response:
    return await visitor.post("/staff/sign-in", data={**fields_of(page), "email": email, "password": password})


async def interrupted(house: House, visitor: httpx.AsyncClient, action: str, **fields: object) -> str:
    token = await token_on(visitor, "/staff/account")
    house.clock.move(minutes=15)
    answer = await visitor.post(action, data={"csrf": token, **fields})
    assert answer.status_code == 401
    assert "Nothing that you typed is lost" in answer.text
    return answer.text


async def test_a_form_that_met_an_ended_session_is_sent_after_signing_in_again(house: House) -> None:
    admin = await house.staff_browser(Role.ADMIN)
    page = await interrupted(house, admin, "/staff/people", **TYPED)
    wrong = await sign_in_again(admin, page, "admin@duly.example", "not the password")
    assert wrong.status_code == 401
    back = await sign_in_again(admin, wrong.text, "admin@duly.example")
    assert back.status_code == 200
    assert html.escape(TYPED["name"], quote=True).replace("&quot;", "&#34;") in back.text
    assert 'action="/staff/people"' in back.text
    assert house.accounts.rows("SELECT 1 FROM staff WHERE email = 'ann@duly.example'") == [], "nothing is done by itself"
    sent = await admin.post("/staff/people", data=fields_of(back.text))
    assert sent.status_code == 303
    assert house.accounts.rows("SELECT name, role FROM staff WHERE email = 'ann@duly.example'") == [
        (TYPED["name"], "approver")
    ]


async def test_many_values_of_one_name_come_back_in_their_order(house: House) -> None:
    agent = await house.staff_browser(Role.AGENT)
    customers = [house.accounts.customer(f"Customer {n}") for n in range(3)]
    page = await interrupted(house, agent, "/staff/sends", customer=customers)
    back = await sign_in_again(agent, page, "agent@duly.example")
    assert fields_of(back.text)["customer"] == customers


async def test_it_comes_back_through_the_second_factor_as_well(house: House) -> None:
    admin = await house.staff_browser(Role.ADMIN)
    secret, _ = await set_up(house, admin)
    page = await interrupted(house, admin, "/staff/people", **TYPED)
    half = await sign_in_again(admin, page, "admin@duly.example")
    assert "Your code" in half.text
    back = await admin.post("/staff/sign-in/code", data={**fields_of(half.text), "code": code_at(house, secret)})
    assert fields_of(back.text)["name"] == [TYPED["name"]]


async def test_passwords_and_codes_are_not_carried_along(house: House) -> None:
    agent = await house.staff_browser(Role.AGENT)
    page = await interrupted(house, agent, "/staff/account/password", old_password="the old secret", new_password="n" * 20)
    assert "the+old+secret" not in page
    assert "nnnnnnnnnn" not in page


async def test_every_staff_form_that_meets_an_ended_session_is_kept(house: House) -> None:
    admin = await house.staff_browser(Role.ADMIN)
    token = await token_on(admin, "/staff/customers")
    house.clock.move(minutes=15)
    kept = 0
    for method, path in house.routes():
        before_the_door = path.startswith(("/staff/sign-", "/staff/forgotten", "/staff/set-password"))
        if method != "POST" or not path.startswith("/staff/") or before_the_door:
            continue
        address = re.sub(r"\{[^}]+\}", "x1", path)
        answer = await admin.post(address, data={"csrf": token, "note": "what I had typed"})
        assert answer.status_code == 401, path
        assert fields_of(answer.text.partition("</form>")[0])["action"] == [address], path
        assert "what+I+had+typed" in answer.text, path
        kept += 1
    assert kept >= 15


@pytest.mark.parametrize(
    "action",
    ["https://evil.example/staff/people", "//evil.example", "/pay", "/staff/sign-out", "/staff/../pay", "javascript:x"],
)
async def test_no_page_of_ours_sends_a_form_anywhere_else(house: House, action: str) -> None:
    await house.staff_browser(Role.AGENT)
    visitor = house.browser()
    token = await token_on(visitor, "/staff/sign-in")
    answer = await visitor.post(
        "/staff/sign-in",
        data={"csrf": token, "email": "agent@duly.example", "password": PASSWORD, "action": action, "typed": "a=b"},
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/staff")
