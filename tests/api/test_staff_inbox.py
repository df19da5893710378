"""The inbox: what waits for a person, whoever it belongs to, and what a member of staff can do about it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
import pytest_asyncio
from temporalio.client import Client
from temporalio.service import RPCError

from store.identity import fresh_id
from store.staff_accounts import Role
from tests import machine
from tests.api.house import House, open_house, statements, token_on
from workflows import ids


@pytest_asyncio.fixture
async def house(database: machine.Database, temporal_client: Client, task_queue: str) -> AsyncIterator[House]:
    async with open_house(database, temporal_client, task_queue=task_queue) as opened:
        opened.accounts.provider()
        yield opened


def unknown(house: House, name: str) -> str:
    customer = house.accounts.customer(name)
    lines = {house.accounts.invoice(customer, 88_000): 88_000}
    return house.accounts.payment(
        customer, lines, state="unknown", unknown_since=house.clock() - timedelta(minutes=4), check_note="time-out"
    )


def refused(house: House, name: str, *, hours: int = 1, attempts: int = 1) -> str:
    customer = house.accounts.customer(name)
    payment = house.accounts.payment(customer, {house.accounts.invoice(customer, 231_000): 231_000}, state="captured")
    house.accounts.run(
        """INSERT INTO postings (id, connection_id, kind, payment_id, customer_id, docs, amount, state, attempts, sent_at,
               error_code, error_text, queued_at)
           VALUES (%s, 'demo', 'payment', %s, %s, '{}', 231000, 'refused', %s, %s,
                   'PERIOD_CLOSED', 'October is closed.', %s)""",
        [f"{payment}-captured", payment, customer, attempts, house.clock() - timedelta(hours=hours), house.clock()],
    )
    return f"{payment}-captured"


def parked(house: House) -> str:
    event = fresh_id("evt")
    house.accounts.run(
        """INSERT INTO inbox (id, connection_id, dedupe_key, event_id, kind, subject, our_ref, state, received_at)
           VALUES (%s, 'sandbox', %s, 'sbe_1', 'charge.captured', 'charge', 'an order of another shop', 'parked', %s)""",
        [event, event, house.clock() - timedelta(days=3)],
    )
    return event


def differs(house: House, name: str) -> str:
    customer, difference = house.accounts.customer(name), fresh_id("dif")
    house.accounts.run(
        """INSERT INTO differences (id, kind, customer_id, amount, currency, opened_at)
           VALUES (%s, 'edited_in_erp', %s, 41520, 'EUR', %s)""",
        [difference, customer, house.clock() - timedelta(hours=30)],
    )
    return difference


async def act(visitor: httpx.AsyncClient, item: str, what: str, **fields: str) -> httpx.Response:
    page = f"/staff/inbox/{item}"
    return await visitor.post(f"{page}/{what}", data={"csrf": await token_on(visitor, page), **fields})


def order_of(page: str, *names: str) -> list[str]:
    return sorted((name for name in names if name in page), key=page.index)


async def test_everything_that_waits_stands_in_one_list_the_longest_first(house: House) -> None:
    unknown(house, "Kestrel Foods")
    refused(house, "Brightwater")
    parked(house)
    differs(house, "Marlow & Sons")
    visitor = await house.staff_browser(Role.VIEWER)
    with statements(house.services.staff) as asked:
        page = (await visitor.get("/staff/inbox")).text
    names = ("Kestrel Foods", "Brightwater", "Nobody&#39;s", "Marlow &amp; Sons")
    assert order_of(page, *names) == ["Nobody&#39;s", "Marlow &amp; Sons", "Brightwater", "Kestrel Foods"]
    for words in ("All 4", "Mine 0", "Late 2", "4<span", "£880.00", "£2,310.00", "€415.20", "October is closed.", "4 min"):
        assert words in page, words
    # The session, the list and its counts: as many statements for four hundred as for four.
    assert len(asked) <= 3, asked
    late = (await visitor.get("/staff/inbox?show=late")).text
    assert order_of(late, *names) == ["Nobody&#39;s", "Marlow &amp; Sons"]
    found = (await visitor.get("/staff/inbox?q=october")).text
    assert order_of(found, *names) == ["Brightwater"]


async def test_what_a_bank_asks_for_or_took_back_waits_with_its_reason(house: House) -> None:
    customer = house.accounts.customer("Lantern Supply")
    lines = {house.accounts.invoice(customer, 50_000): 50_000}
    disputed = house.accounts.payment(customer, lines, state="disputed", captured=50_000)
    taken = house.accounts.payment(
        customer, lines, state="returned", captured=50_000, returned=50_000, failure_code="fraudulent"
    )
    visitor = await house.staff_browser(Role.AGENT)
    asked = (await visitor.get(f"/staff/inbox/{disputed}")).text
    assert "The bank asks for" in asked
    assert "Nothing is booked until it is decided" in asked
    back = (await visitor.get(f"/staff/inbox/{taken}")).text
    assert "went back to the customer" in back
    assert "fraudulent" in back


async def test_a_difference_about_a_payment_stands_there_once(house: House) -> None:
    payment = unknown(house, "Kestrel Foods")
    customer = house.accounts.rows("SELECT customer_id FROM payments")[0][0]
    house.accounts.run(
        """INSERT INTO differences (id, kind, process_id, customer_id, amount, currency, opened_at)
           VALUES ('dif_1', 'another_amount', %s, %s, -100, 'GBP', %s)""",
        [payment, customer, house.clock()],
    )
    page = (await (await house.staff_browser(Role.AGENT)).get("/staff/inbox")).text
    assert "All 1" in page
    assert "another amount" in page


async def test_a_list_longer_than_a_page_goes_on_and_shows_each_once(house: House) -> None:
    for number in range(55):
        refused(house, f"Customer {number:02}", hours=number + 1)
    visitor = await house.staff_browser(Role.AGENT)
    first = (await visitor.get("/staff/inbox")).text
    onward = first.partition('href="/staff/inbox?after=')[2].partition('"')[0].replace("&amp;", "&")
    second = (await visitor.get(f"/staff/inbox?after={onward}")).text
    seen = [f"Customer {n:02}" for n in range(55) for page in (first, second) if f"Customer {n:02}" in page]
    assert sorted(seen) == [f"Customer {n:02}" for n in range(55)]


async def test_what_somebody_takes_is_his_until_he_gives_it_back_or_another_takes_it_over(house: House) -> None:
    item = refused(house, "Brightwater")
    ann, ben = await house.staff_browser(Role.AGENT), await house.staff_browser(Role.APPROVER)
    assert (await act(ann, item, "take")).status_code == 303
    assert "Mine 1" in (await ann.get("/staff/inbox")).text
    assert "Mine 0" in (await ben.get("/staff/inbox")).text
    assert "Take it over" in (await ben.get(f"/staff/inbox/{item}")).text
    await act(ben, item, "take")
    assert (await act(ann, item, "release")).status_code == 303, "what is not one's own stays as it is"
    assert "Mine 1" in (await ben.get("/staff/inbox")).text
    await act(ben, item, "release")
    assert house.accounts.rows("SELECT 1 FROM inbox_owners") == []
    assert house.accounts.rows("SELECT action FROM access_log WHERE object_id = %s ORDER BY seq", [item]) == [
        ("inbox_taken",), ("inbox_taken",), ("inbox_released",),
    ]  # fmt: skip


async def test_a_refused_posting_is_sent_again_by_a_process_of_its_own_and_written_down(
    house: House, temporal_client: Client
) -> None:
    item = refused(house, "Brightwater", attempts=3)
    agent = await house.staff_browser(Role.AGENT)
    assert "Send to the ERP again" in (await agent.get(f"/staff/inbox/{item}")).text
    answer = await act(agent, item, "again", attempts="3")  # no worker is there to answer
    assert (answer.status_code, answer.headers["location"]) == (303, f"/staff/inbox/{item}")
    handle = temporal_client.get_workflow_handle(ids.posting_again(item, 3))
    assert (await handle.describe()).workflow_type == "SendPostingAgain"
    assert house.accounts.rows("SELECT action FROM access_log WHERE object_id = %s", [item]) == [("posting_sent_again",)]


@pytest.mark.parametrize(("how", "needs_a_reason"), [("today", False), ("on_account", True), ("ignore", True)])
async def test_a_refused_posting_is_decided_otherwise_with_a_reason_where_money_moves(
    house: House, temporal_client: Client, how: str, needs_a_reason: bool
) -> None:
    item = refused(house, "Brightwater")
    agent = await house.staff_browser(Role.AGENT)
    silent = await act(agent, item, "again", attempts="1", how=how)
    assert silent.status_code == (422 if needs_a_reason else 303)
    answer = await act(agent, item, "again", attempts="1", how=how, reason="October stays closed")
    assert answer.status_code == 303
    handle = temporal_client.get_workflow_handle(ids.posting_again(item, 1, how))
    assert (await handle.describe()).workflow_type == "SendPostingAgain"
    assert (await act(agent, item, "again", attempts="1", how="delete it")).status_code == 404


async def test_what_was_decided_meanwhile_or_never_refused_starts_nothing(house: House, temporal_client: Client) -> None:
    item, charge = refused(house, "Brightwater", attempts=2), unknown(house, "Kestrel Foods")
    agent = await house.staff_browser(Role.AGENT)
    for waits, attempts in ((item, 1), (charge, 1)):  # a page of yesterday's; not the ERP's at all
        answer = await act(agent, waits, "again", attempts=str(attempts))
        assert answer.status_code == 409
        assert "decided by somebody else" in answer.text
        with pytest.raises(RPCError):
            await temporal_client.get_workflow_handle(ids.posting_again(waits, attempts)).describe()
    token = await token_on(agent, "/staff/inbox")
    nobodys = await agent.post("/staff/inbox/anything/again", data={"csrf": token, "attempts": "1"})
    assert nobodys.status_code == 404
    assert house.accounts.rows("SELECT 1 FROM access_log WHERE action = 'posting_sent_again'") == []


async def test_what_waits_no_longer_says_so_and_what_never_was_is_a_404(house: House) -> None:
    item = refused(house, "Brightwater")
    house.accounts.run("UPDATE postings SET state = 'queued'")
    agent = await house.staff_browser(Role.AGENT)
    page = await agent.get(f"/staff/inbox/{item}")
    assert page.status_code == 200
    assert "This waits for nobody any more" in page.text
    assert item.removesuffix("-captured") in page.text
    assert (await agent.get("/staff/inbox/pay_nothing")).status_code == 404
    token = await token_on(agent, "/staff/inbox")
    assert (await agent.post("/staff/inbox/pay_nothing/take", data={"csrf": token})).status_code == 404


async def test_an_empty_inbox_says_that_nothing_waits(house: House) -> None:
    page = (await (await house.staff_browser(Role.VIEWER)).get("/staff/inbox")).text
    assert "Nothing waits for a person" in page
    assert "how-many" not in page


@pytest.mark.parametrize(
    ("minutes", "words"), [(0, "0 min"), (59, "59 min"), (60, "1 h"), (47 * 60, "47 h"), (50 * 60, "2 d")]
)
async def test_an_age_is_told_in_the_unit_that_fits(house: House, minutes: int, words: str) -> None:
    item = refused(house, "Brightwater")
    house.accounts.run("UPDATE postings SET sent_at = %s", [house.clock() - timedelta(minutes=minutes)])
    assert f"({words})" in (await (await house.staff_browser(Role.VIEWER)).get(f"/staff/inbox/{item}")).text
