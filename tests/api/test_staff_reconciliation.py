"""Reconciliation on the staff's pages: whether all is equal, what differs, how it ended, and the two buttons."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
import pytest_asyncio
from temporalio.client import Client

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


def run(house: House, *, hours_ago: int, is_equal: bool | None, differing: int = 0, problem: str | None = None) -> None:
    at = house.clock() - timedelta(hours=hours_ago)
    side = {"looked_at": 12, "differing": differing, **({} if problem is None else {"problem": problem})}
    house.accounts.run(
        """INSERT INTO reconciliations (id, asked_by, started_at, finished_at, sides, differing, is_equal)
           VALUES (%s, 'schedule', %s, %s, %s, %s, %s)""",
        [fresh_id("bat"), at, None if is_equal is None else at, json.dumps({"demo": side}), differing, is_equal],
    )


def differs(house: House, kind: str = "deleted_in_erp", *, settles: bool = False, process: str | None = None) -> str:
    customer, difference, at = house.accounts.customer("Marlow & Sons"), fresh_id("dif"), house.clock()
    house.accounts.run(
        """INSERT INTO differences (id, kind, item, process_id, connection_id, customer_id, amount, currency, facts,
               opened_at, last_seen_at, tell_at)
           VALUES (%s, %s, %s, %s, 'demo', %s, -41520, 'EUR', '{"shown": "P-7 415.20 EUR"}', %s, %s, %s)""",
        [difference, kind, difference, process, customer, at, at, at + timedelta(minutes=15 if settles else 0)],
    )
    return difference


async def page_of(visitor: httpx.AsyncClient) -> str:
    return (await visitor.get("/staff/reconciliation")).text


async def test_the_badge_says_since_when_all_is_equal_and_nothing_before_the_first_comparison(house: House) -> None:
    visitor = await house.staff_browser(Role.VIEWER)
    assert "Not compared yet" in await page_of(visitor)
    run(house, hours_ago=70, is_equal=True)
    run(house, hours_ago=50, is_equal=False, differing=2)
    run(house, hours_ago=26, is_equal=True)
    run(house, hours_ago=2, is_equal=True)
    with statements(house.services.staff) as asked:
        page = await page_of(visitor)
    assert "Equal since" in page
    assert "2 differ" in page
    assert "Compare now" not in page, "a viewer looks"
    assert len(asked) <= 7, asked
    run(house, hours_ago=1, is_equal=False, problem="it is down")
    page = await page_of(visitor)
    assert "Not everybody could be asked" in page
    assert "it is down" in page


async def test_a_run_that_goes_on_is_said_and_looked_at_again(house: House) -> None:
    run(house, hours_ago=2, is_equal=True)
    run(house, hours_ago=0, is_equal=None)
    page = await page_of(await house.staff_browser(Role.AGENT))
    assert "Comparing since" in page
    assert 'hx-trigger="every 3s"' in page


async def test_a_difference_that_may_settle_waits_for_nobody_yet(house: House) -> None:
    settling, certain = differs(house, "missing_in_erp", settles=True), differs(house)
    visitor = await house.staff_browser(Role.AGENT)
    assert "may settle by itself" in await page_of(visitor)
    inbox = (await visitor.get("/staff/inbox")).text
    assert certain in inbox
    assert settling not in inbox
    house.clock.move(minutes=16)
    assert settling in (await (await house.staff_browser(Role.APPROVER)).get("/staff/inbox")).text


async def test_an_invoice_whose_payment_differs_as_a_whole_is_not_told_beside_it(house: House) -> None:
    customer = house.accounts.customer("Brightwater")
    invoice = house.accounts.invoice(customer, 1_000)
    payment = house.accounts.payment(customer, {invoice: 1_000}, state="captured")
    posting = f"{payment}-captured"
    house.accounts.run(
        """INSERT INTO postings (id, connection_id, kind, payment_id, customer_id, docs, amount, queued_at)
           VALUES (%s, 'demo', 'payment', %s, %s, '{}', 1000, %s)""",
        [posting, payment, customer, house.clock()],
    )
    house.accounts.run(
        """INSERT INTO allocations (id, payment_id, invoice_id, customer_id, amount, posting_id, allocated_at)
           VALUES ('a', %s, %s, %s, 1000, %s, %s)""",
        [payment, invoice, customer, posting, house.clock()],
    )
    house.accounts.run(
        """INSERT INTO differences (id, kind, invoice_id, customer_id, amount, currency, opened_at)
           VALUES ('dif_edited', 'edited_in_erp', %s, %s, 1000, 'EUR', %s)""",
        [invoice, customer, house.clock()],
    )
    visitor = await house.staff_browser(Role.AGENT)
    assert "All 1" in (await visitor.get("/staff/inbox")).text
    differs(house, process=payment)
    page = (await visitor.get("/staff/inbox")).text
    assert "All 1" in page
    assert "was deleted in the ERP" in page


async def test_a_difference_shows_its_evidence_and_is_closed_for_a_reason_by_a_process_of_its_own(
    house: House, temporal_client: Client
) -> None:
    item = differs(house)
    agent = await house.staff_browser(Role.AGENT)
    page = (await agent.get(f"/staff/inbox/{item}")).text
    for words in ("D09", "P-7 415.20 EUR", "Close the difference", "give the money back"):
        assert words in page, words
    assert "Close the difference" not in (await (await house.staff_browser(Role.VIEWER)).get(f"/staff/inbox/{item}")).text
    token = await token_on(agent, f"/staff/inbox/{item}")
    silent = await agent.post(f"/staff/inbox/{item}/close", data={"csrf": token, "reason": "  "})
    assert silent.status_code == 422
    answer = await agent.post(f"/staff/inbox/{item}/close", data={"csrf": token, "reason": "restored there"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/staff/inbox/{item}")
    begun = temporal_client.list_workflows(f"WorkflowId STARTS_WITH '{ids.difference(item, '')}'")
    assert [each.workflow_type async for each in begun] == ["CloseDifference"]
    assert house.accounts.rows("SELECT action FROM access_log WHERE object_id = %s", [item]) == [("difference_closed",)]
    assert (await agent.post("/staff/inbox/dif_0/close", data={"csrf": token, "reason": "x"})).status_code == 404


@pytest.mark.parametrize("kind", ["overpaid", "edited_in_erp"])
async def test_what_ends_by_itself_has_no_button(house: House, kind: str) -> None:
    page = (await (await house.staff_browser(Role.AGENT)).get(f"/staff/inbox/{differs(house, kind)}")).text
    assert "Close the difference" not in page
    assert "ends by itself" in page


async def test_compare_now_is_written_down_and_no_schedule_is_no_failure(house: House) -> None:
    agent = await house.staff_browser(Role.AGENT)
    token = await token_on(agent, "/staff/reconciliation")
    answer = await agent.post("/staff/reconciliation", data={"csrf": token})
    assert (answer.status_code, answer.headers["location"]) == (303, "/staff/reconciliation?asked=unanswered")
    assert "Nobody has answered yet" in (await agent.get(answer.headers["location"])).text
    assert house.accounts.rows("SELECT action FROM access_log WHERE action = 'comparison_asked'") == [("comparison_asked",)]
