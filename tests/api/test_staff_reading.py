"""Sync status of an ERP: each stream with its last success, its error in plain words, its next try; and the button."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest_asyncio

from store.staff_accounts import Role
from tests import machine
from tests.api.house import House, absent_temporal, open_house, statements, submit

PAGE = "/staff/connections/books/reading"


@pytest_asyncio.fixture
async def house(database: machine.Database) -> AsyncIterator[House]:
    async with open_house(database, await absent_temporal()) as opened:
        opened.accounts.run(
            """INSERT INTO connections (id, role, connector, mode, title, is_managed, changed_at)
               VALUES ('books', 'erp', 'demo', 'sandbox', 'Books of the North', true, now())"""
        )
        yield opened


def stream(house: House, entity: str, **columns: object) -> None:
    told = {"connection_id": "books", "entity": entity, "cursor": "7", **columns}
    house.accounts.run(
        f"INSERT INTO sync_cursors ({', '.join(told)}) VALUES ({', '.join(['%s'] * len(told))})", list(told.values())
    )


async def test_each_stream_says_how_it_is_getting_on(house: House) -> None:
    at = house.clock()
    stream(house, "invoices", rows_read=250_000, expected=1_000_000, last_run_at=at)
    stream(house, "customers", rows_read=1_200, last_run_at=at, last_ok_at=at, loaded_at=at)
    stream(
        house, "quotes", last_run_at=at, last_error="The ERP did not answer a read.", failed_at=at, failures=3,
        next_try_at=at + timedelta(seconds=15),
    )  # fmt: skip
    viewer = await house.staff_browser(Role.VIEWER)
    with statements(house.services.staff) as asked:
        page = (await viewer.get(PAGE)).text
    assert len(asked) <= 4, asked  # the session, and two of the page
    assert page.index("Customers") < page.index("Invoices") < page.index("Quotes"), "in the order in which they are read"
    assert "250,000 rows of 1,000,000" in page
    assert '<progress max="100" value="25"' in page
    assert "1,200 rows</span>" in page
    assert "The ERP did not answer a read." in page
    assert "Failed 3 times in a row. Tried again" in page
    assert 'hx-trigger="every 3s"' in page, "a first load is looked at again by itself"
    assert "Read now" not in page, "a viewer looks"


async def test_read_now_ends_the_waiting_and_says_so_where_nobody_answers(house: House) -> None:
    at = house.clock()
    stream(house, "quotes", last_error="?", failures=9, failed_at=at, next_try_at=at + timedelta(days=1), loaded_at=at)
    agent = await house.staff_browser(Role.AGENT)
    assert (await submit(agent, PAGE, PAGE)).headers["location"] == f"{PAGE}?asked=unanswered"
    assert house.accounts.rows("SELECT next_try_at FROM sync_cursors") == [(None,)]
    page = (await agent.get(f"{PAGE}?asked=unanswered")).text
    assert "It is read by itself once the workers are back." in page
    assert "Tried again at once." in page
    acts = house.accounts.rows("SELECT object_id FROM access_log WHERE action = 'reading_asked'")
    assert acts == [("books",)]


async def test_an_erp_that_is_off_or_unknown_is_not_read(house: House) -> None:
    agent = await house.staff_browser(Role.AGENT)
    house.accounts.run("UPDATE connections SET enabled = false WHERE id = 'books'")
    page = (await agent.get(PAGE)).text
    assert "switched off, so nothing is read" in page
    assert "Read now" not in page
    assert (await agent.get("/staff/connections/sandbox/reading")).status_code == 404


async def test_the_page_of_connections_leads_to_it(house: House) -> None:
    admin = await house.staff_browser(Role.ADMIN)
    listed = (await admin.get("/staff/connections")).text
    assert f'href="{PAGE}">Sync status of Books of the North' in listed
    assert f'href="{PAGE}">Sync status' in (await admin.get("/staff/connections/books")).text


def queued(house: House, *, state: str) -> None:
    customer = house.accounts.customer()
    payment = house.accounts.payment(customer, {house.accounts.invoice(customer, 900): 900}, state="captured", captured=900)
    house.accounts.run(
        """INSERT INTO postings (id, connection_id, kind, payment_id, customer_id, docs, amount, state, queued_at)
           VALUES (%s, 'books', 'payment', %s, %s, '{}', 900, %s, %s)""",
        [f"{payment}-captured", payment, customer, state, house.clock()],
    )


async def test_above_every_page_stands_which_erp_cannot_be_read_since_when_and_how_much_waits_for_it(house: House) -> None:
    at = house.clock()
    stream(house, "customers", failures=2, failed_at=at, last_error="Down.", last_ok_at=at - timedelta(hours=3))
    for state in ("queued", "unknown", "refused"):
        queued(house, state=state)
    viewer = await house.staff_browser(Role.VIEWER)
    assert "could not be read" not in (await viewer.get("/staff/inbox")).text, "a hiccup is no news"
    house.accounts.run("UPDATE sync_cursors SET failures = 3")
    with statements(house.services.staff) as asked:
        page = (await viewer.get("/staff/inbox")).text
    told = " ".join(re.sub("<[^>]+>", " ", page).split())
    assert "Books of the North could not be read since 09:00. 2 documents wait for it and follow by themselves" in told
    assert 'href="/staff/connections/books/reading"' in page
    away = len(asked)
    house.accounts.run("UPDATE sync_cursors SET failures = 0")
    with statements(house.services.staff) as asked:
        assert "could not be read" not in (await viewer.get("/staff/inbox")).text
    assert len(asked) == away, "it costs no statement of its own"
    house.accounts.run("UPDATE sync_cursors SET failures = 9")
    house.accounts.run("UPDATE connections SET enabled = false")
    assert "could not be read" not in (await viewer.get("/staff/inbox")).text, "it is off: nobody expects it to be read"
