"""Passwords of staff: forgotten, set by a link, changed; and sessions that one ends oneself."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
import pytest_asyncio

from api.security.logs import SecretsLeftOut
from store import password_links
from store.database import Database
from store.staff_accounts import Role
from tests import machine
from tests.api.house import PASSWORD, House, absent_temporal, open_house, submit, token_on

NEW = "another password, long enough"
EMAIL = "agent@duly.example"


@pytest_asyncio.fixture
async def house(database: machine.Database) -> AsyncIterator[House]:
    async with open_house(database, await absent_temporal()) as opened:
        yield opened


@pytest_asyncio.fixture
async def worker(database: machine.Database) -> AsyncIterator[Database]:
    """As the mailer writes links: it can make one, and neither read nor use any."""
    opened = Database(database.worker_url, pool_size=1)
    yield opened
    await opened.close()


async def link_for(house: House, worker: Database, purpose: password_links.Purpose = "reset") -> str:
    [(staff_id,)] = house.accounts.rows("SELECT id FROM staff WHERE role = 'agent'")
    async with worker.begin("test") as tx:
        made = await password_links.create(tx, str(staff_id), purpose, at=house.clock())
    return f"/staff/set-password/{made.token}"


async def set_by(visitor: httpx.AsyncClient, link: str, password: str = NEW) -> httpx.Response:
    token = await token_on(visitor, "/staff/sign-in")
    return await visitor.post(link, data={"csrf": token, "new_password": password, "new_password_again": password})


async def sign_in(house: House, password: str) -> int:
    visitor = house.browser()
    answer = await submit(visitor, "/staff/sign-in", "/staff/sign-in", email=EMAIL, password=password)
    return answer.status_code


async def test_known_and_unknown_addresses_get_the_same_answer_and_one_gets_a_mail(house: House) -> None:
    await house.staff_browser(Role.AGENT)
    answers = [
        await submit(house.browser(), "/staff/forgotten", "/staff/forgotten", email=email)
        for email in (EMAIL.upper(), "nobody@duly.example")
    ]
    told = {re.sub(r"[0-9a-f]{64}", "…", each.text) for each in answers}
    assert len(told) == 1
    assert {each.status_code for each in answers} == {200}
    mails = house.accounts.rows("SELECT template, to_address, facts FROM outbox")
    assert mails == [("password_reset", EMAIL, {"purpose": "reset"})]


async def test_somebody_who_has_left_gets_no_mail(house: House) -> None:
    await house.staff_browser(Role.AGENT)
    house.accounts.run("UPDATE staff SET active = false")
    await submit(house.browser(), "/staff/forgotten", "/staff/forgotten", email=EMAIL)
    assert house.accounts.rows("SELECT 1 FROM outbox") == []


async def test_asking_again_and_again_is_stopped(house: House) -> None:
    codes = [
        (
            await submit(house.browser(address=f"192.0.2.{n}"), "/staff/forgotten", "/staff/forgotten", email=EMAIL)
        ).status_code
        for n in range(6)
    ]
    assert codes == [200] * 5 + [429]


async def test_a_link_sets_a_password_once_and_ends_every_session(house: House, worker: Database) -> None:
    visitor = await house.staff_browser(Role.AGENT)
    first, second = await link_for(house, worker), await link_for(house, worker)
    answer = await set_by(house.browser(), first)
    assert (answer.status_code, answer.headers["location"]) == (303, "/staff/sign-in?done=password")
    assert (await visitor.get("/staff/customers")).status_code == 303
    assert [await sign_in(house, PASSWORD), await sign_in(house, NEW)] == [401, 303]
    for used_up in (first, second):
        assert (await set_by(house.browser(), used_up, "yet another password")).status_code == 410
    assert await sign_in(house, NEW) == 303
    assert ("password_set",) in house.accounts.rows("SELECT action FROM access_log")


async def test_of_many_at_once_one_sets_it(house: House, worker: Database) -> None:
    await house.staff_browser(Role.AGENT)
    link = await link_for(house, worker)
    visitors = [house.browser(address=f"192.0.2.{n}") for n in range(4)]
    answers = await asyncio.gather(*(set_by(each, link, f"password number {n}!") for n, each in enumerate(visitors)))
    assert sorted(each.status_code for each in answers) == [303, 410, 410, 410]


async def test_a_mail_scanners_look_consumes_nothing(house: House, worker: Database) -> None:
    await house.staff_browser(Role.AGENT)
    link = await link_for(house, worker)
    for _ in range(20):
        assert (await house.browser().get(link)).status_code == 200
    page = await house.browser().get(link)
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"
    assert link not in page.text, "no address that leaves the page holds the token"
    assert (await set_by(house.browser(), link)).status_code == 303


@pytest.mark.parametrize(("purpose", "minutes"), [("reset", 30), ("invitation", 3 * 24 * 60)])
async def test_a_link_is_over_after_its_time(
    house: House, worker: Database, purpose: password_links.Purpose, minutes: int
) -> None:
    await house.staff_browser(Role.AGENT)
    link = await link_for(house, worker, purpose)
    house.clock.move(minutes=minutes, seconds=-1)
    assert (await house.browser().get(link)).status_code == 200
    house.clock.move(seconds=1)
    assert (await house.browser().get(link)).status_code == 410
    assert (await set_by(house.browser(), link)).status_code == 410


async def test_what_is_stored_opens_nothing_and_no_log_holds_a_token(house: House, worker: Database) -> None:
    await house.staff_browser(Role.AGENT)
    link = await link_for(house, worker)
    token = link.rsplit("/", 1)[1]
    assert token not in str(house.accounts.rows("SELECT * FROM password_links"))
    record = logging.LogRecord(
        "uvicorn.access", logging.INFO, "", 0, '%s - "%s %s HTTP/1.1" %d', ("::1", "GET", link, 200), None
    )
    SecretsLeftOut().filter(record)
    assert token not in record.getMessage()
    with pytest.raises(Exception, match="permission denied"):
        async with worker.begin("test") as tx:
            await tx.rows("SELECT * FROM password_links")


async def test_a_weak_or_mistyped_password_uses_no_link_up(house: House, worker: Database) -> None:
    await house.staff_browser(Role.AGENT)
    link = await link_for(house, worker)
    visitor = house.browser()
    short = await set_by(visitor, link, "too short")
    assert (short.status_code, "at least 12 characters" in short.text) == (422, True)
    token = await token_on(visitor, "/staff/sign-in")
    other = await visitor.post(link, data={"csrf": token, "new_password": NEW, "new_password_again": f"{NEW}!"})
    assert (other.status_code, "not the same" in other.text) == (422, True)
    assert (await set_by(visitor, link)).status_code == 303


async def test_ones_own_password_is_changed_for_the_old_one_and_ends_the_other_sessions(house: House) -> None:
    here, elsewhere = await house.staff_browser(Role.AGENT), await house.staff_browser(Role.AGENT)
    page, to = "/staff/account", "/staff/account/password"
    wrong = await submit(here, page, to, old_password="not the password", new_password=NEW, new_password_again=NEW)
    assert (wrong.status_code, "not your password" in wrong.text) == (403, True)
    answer = await submit(here, page, to, old_password=PASSWORD, new_password=NEW, new_password_again=NEW)
    assert answer.status_code == 303
    assert (await here.get(page)).status_code == 200
    assert (await elsewhere.get(page)).status_code == 303
    assert [await sign_in(house, PASSWORD), await sign_in(house, NEW)] == [401, 303]


async def test_guessing_the_old_password_from_an_open_session_is_stopped(house: House) -> None:
    here = await house.staff_browser(Role.AGENT)
    codes = [
        (await submit(here, "/staff/account", "/staff/account/password", old_password=f"guess {n}")).status_code
        for n in range(6)
    ]
    assert codes == [403] * 5 + [429]


async def test_one_sees_and_ends_ones_own_sessions_and_nobody_elses(house: House) -> None:
    here, elsewhere = await house.staff_browser(Role.AGENT), await house.staff_browser(Role.AGENT)
    other = await house.staff_browser(Role.VIEWER)
    page = (await here.get("/staff/account")).text
    assert page.count("from 198.51.100.2") == 2
    [reference] = re.findall(r'name="reference" value="([0-9a-f]{16})"', page)
    await submit(other, "/staff/account", "/staff/account/sessions/end", reference=reference)
    assert (await elsewhere.get("/staff/account")).status_code == 200
    await submit(here, "/staff/account", "/staff/account/sessions/end", reference=reference)
    assert (await elsewhere.get("/staff/account")).status_code == 303
    third = await house.staff_browser(Role.AGENT)
    await submit(here, "/staff/account", "/staff/account/sessions/end")
    assert [(await each.get("/staff/account")).status_code for each in (here, third, other)] == [200, 303, 200]


async def test_who_was_invited_and_set_no_password_signs_in_with_none(house: House) -> None:
    admin = await house.staff_browser(Role.ADMIN)
    await submit(admin, "/staff/people", "/staff/people", email=EMAIL, name="Ann", role="agent")
    for password in ("", " ", PASSWORD):
        assert await sign_in(house, password) == 401
    assert timedelta(minutes=30) == password_links.LIVES["reset"]
