"""Portal links at the door (H2)."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from temporalio.client import Client

from api.security.logs import keep_secrets_out
from tests import machine
from tests.api.house import House, open_house, submit, token_on
from workflows import ids


@pytest_asyncio.fixture
async def house(database: machine.Database, temporal_client: Client, task_queue: str) -> AsyncIterator[House]:
    async with open_house(database, temporal_client, task_queue=task_queue) as opened:
        yield opened


async def test_a_mail_scanners_hundred_looks_consume_and_mark_nothing(house: House) -> None:
    house.accounts.setting("business_name", "Brightwater & Sons")
    link = await house.link(house.accounts.customer())
    before = house.accounts.rows("SELECT * FROM portal_links")
    scanner = house.browser()
    for look in range(100):
        answer = await (scanner.get if look % 2 else scanner.head)(f"/l/{link.token}")
        assert answer.status_code == 200
    page = (await scanner.get(f"/l/{link.token}")).text
    assert "Brightwater &amp; Sons" in page
    assert "Continue" in page
    assert house.accounts.rows("SELECT * FROM portal_links") == before
    assert house.accounts.rows("SELECT 1 FROM sessions") == []
    assert (await house.browser().post(f"/l/{link.token}")).status_code == 303


async def test_continue_opens_a_session_of_a_day_at_an_address_without_the_token(house: House) -> None:
    customer = house.accounts.customer()
    link = await house.link(customer)
    visitor = house.browser()
    answer = await submit(visitor, f"/l/{link.token}", f"/l/{link.token}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    cookie = next(each for each in answer.headers.get_list("set-cookie") if each.startswith("duly_portal"))
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    assert "Max-Age=86400" in cookie
    assert link.token not in cookie
    assert house.accounts.rows("SELECT actor, action, customer_id FROM access_log") == [
        (f"portal/{link.id}", "session_opened", customer)
    ]
    assert (await visitor.get("/")).status_code == 200
    house.clock.move(hours=24)
    assert (await visitor.get("/")).status_code == 401


async def test_a_link_to_one_invoice_opens_there(house: House) -> None:
    customer = house.accounts.customer()
    invoice = house.accounts.invoice(customer, 1000)
    link = await house.link(customer, invoice_id=invoice)
    answer = await house.browser().post(f"/l/{link.token}")
    assert answer.headers["location"] == f"/invoices/{invoice}"


async def test_each_way_in_gives_a_fresh_session_and_ends_the_one_before(house: House) -> None:
    customer = house.accounts.customer()
    visitor = await house.customer_browser(customer)
    first = visitor.cookies["duly_portal_8600"]
    assert (await visitor.post(f"/l/{(await house.link(customer)).token}")).status_code == 303
    assert visitor.cookies["duly_portal_8600"] != first
    thief = house.browser()
    thief.cookies.set("duly_portal_8600", first)
    assert (await thief.get("/")).status_code == 401


async def test_ways_in_at_the_same_moment_are_as_many_sessions_with_tokens_of_their_own(house: House) -> None:
    link = await house.link(house.accounts.customer())
    answers = await asyncio.gather(*(house.browser(address=f"10.0.0.{n}").post(f"/l/{link.token}") for n in range(40)))
    assert {answer.status_code for answer in answers} == {303}
    assert house.accounts.rows("SELECT count(DISTINCT token_hash) FROM sessions") == [(40,)]


@pytest.mark.parametrize("how", ["unknown", "expired", "revoked"])
async def test_a_link_that_opens_nothing_shows_the_same_page_whatever_the_reason(house: House, how: str) -> None:
    customer = house.accounts.customer("A name that nobody may read here")
    link = await house.link(customer)
    token = link.token if how != "unknown" else "A" * 43
    if how == "expired":
        house.clock.move(days=90)
    if how == "revoked":
        house.accounts.run("UPDATE portal_links SET revoked_at = now()")
    for answer in (await house.browser().get(f"/l/{token}"), await house.browser().post(f"/l/{token}")):
        assert answer.status_code == 410
        assert "no longer opens" in answer.text
        assert 'name="email"' in answer.text
        assert "A name that nobody" not in answer.text
        assert "duly_portal" not in str(answer.headers.get_list("set-cookie"))


async def test_revoked_links_end_sessions_at_the_next_request(house: House) -> None:
    visitor = await house.customer_browser(house.accounts.customer())
    assert (await visitor.get("/")).status_code == 200
    house.accounts.run("UPDATE portal_links SET revoked_at = now()")
    assert (await visitor.get("/")).status_code == 401


async def test_asking_for_a_new_link_gets_one_answer_and_only_known_addresses_a_mail(
    house: House, temporal_client: Client, task_queue: str
) -> None:
    customer = house.accounts.customer(email="Accounts@Brightwater.example")
    known = await submit(house.browser(), "/link-expired", "/link-expired", email="accounts@brightwater.EXAMPLE")
    unknown = await submit(house.browser(), "/link-expired", "/link-expired", email="nobody@brightwater.example")
    assert (known.status_code, unknown.status_code) == (200, 200)
    without_token = [page.text.replace("accounts@", "").replace("nobody@", "") for page in (known, unknown)]
    assert without_token[0] == without_token[1]
    started = [each async for each in temporal_client.list_workflows(f'TaskQueue = "{task_queue}"')]
    for _ in range(50):
        if started:
            break
        await asyncio.sleep(0.1)
        started = [each async for each in temporal_client.list_workflows(f'TaskQueue = "{task_queue}"')]
    assert [(each.workflow_type, each.id.startswith(ids.send_links("bat_"))) for each in started] == [
        ("SendPortalLinks", True)
    ]
    asked = await temporal_client.get_workflow_handle(started[0].id).fetch_history()
    payload = asked.events[0].workflow_execution_started_event_attributes.input.payloads[0].data
    assert customer.encode() in payload


async def test_asking_too_often_is_refused_the_same_way_for_any_address(house: House) -> None:
    house.accounts.customer(email="known@brightwater.example")
    for email in ("known@brightwater.example", "unknown@brightwater.example"):
        answers = [
            await submit(house.browser(address=f"192.0.2.{attempt}"), "/link-expired", "/link-expired", email=email)
            for attempt in range(7)
        ]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 600
    house.clock.move(minutes=10)
    answer = await submit(house.browser(), "/link-expired", "/link-expired", email="known@brightwater.example")
    assert answer.status_code == 200


async def test_one_address_that_asks_for_many_others_is_refused(house: House) -> None:
    visitor = house.browser()
    codes = [
        (await submit(visitor, "/link-expired", "/link-expired", email=f"guess{n}@example.com")).status_code
        for n in range(6)
    ]
    assert codes == [200] * 5 + [429]


async def test_signing_out_ends_the_session_and_leaves_the_link_good(house: House) -> None:
    link = await house.link(house.accounts.customer())
    visitor = house.browser()
    await visitor.post(f"/l/{link.token}")
    cookie = visitor.cookies["duly_portal_8600"]
    answer = await submit(visitor, "/", "/sign-out")
    assert answer.headers["location"] == "/link-expired"
    visitor.cookies.set("duly_portal_8600", cookie)
    assert (await visitor.get("/")).status_code == 401
    assert (await house.browser().post(f"/l/{link.token}")).status_code == 303


def test_no_log_of_the_server_holds_a_link(caplog: pytest.LogCaptureFixture) -> None:
    keep_secrets_out()
    keep_secrets_out()
    token = "Zk3" * 14 + "Z"
    with caplog.at_level(logging.INFO, logger="uvicorn.access"):
        logger = logging.getLogger("uvicorn.access")
        logger.info('%s - "%s %s HTTP/%s" %d', "127.0.0.1:1", "GET", f"/l/{token}?x=1", "1.1", 200)
        logger.info(f'"POST /l/{token}" 303')
    assert token not in caplog.text
    assert caplog.text.count("/l/…") == 2
    assert len(logging.getLogger("uvicorn.access").filters) == 1


async def test_the_page_of_a_link_sends_no_referrer(house: House) -> None:
    link = await house.link(house.accounts.customer())
    answer = await house.browser().get(f"/l/{link.token}")
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert 'name="referrer" content="same-origin"' not in answer.text
    assert link.token not in answer.text.replace(f'action="/l/{link.token}"', "")
    assert await token_on(house.browser(), f"/l/{link.token}")
