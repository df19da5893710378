"""Asking that a credit be applied: what the pages show, and what they refuse. No worker runs here, so nobody answers."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from html import unescape

import httpx
import pytest
import pytest_asyncio
from temporalio.client import Client

from domain.preview import application_hash
from store import erp_credits, invoices
from store.identity import fresh_id
from store.staff_accounts import Role
from tests import machine
from tests.api.house import House, open_house, token_on
from workflows import ids


@pytest_asyncio.fixture
async def house(database: machine.Database, temporal_client: Client, task_queue: str) -> AsyncIterator[House]:
    async with open_house(database, temporal_client, task_queue=task_queue) as opened:
        yield opened


def fields_of(page: str) -> dict[str, str]:
    """Every input of a page with its value."""
    tags = (dict(re.findall(r'([\w-]+)="([^"]*)"', tag)) for tag in re.findall(r"<input[^>]*>", page))
    return {known["name"]: unescape(known.get("value", "")) for known in tags if "name" in known}


async def checked(visitor: httpx.AsyncClient, credit: str) -> dict[str, str]:
    """The form of the double-check, as the page offers it."""
    choosing = fields_of((await visitor.get(f"/credits/{credit}/apply")).text)
    page = await visitor.post(f"/credits/{credit}/apply", data=choosing)
    assert page.status_code == 200, page.text
    return fields_of(page.text)


async def runs(client: Client, request_id: str) -> int:
    return len([each async for each in client.list_workflows(f"WorkflowId = '{ids.apply_request(request_id)}'")])


async def test_the_check_offers_the_oldest_first_and_carries_the_fingerprint_of_the_process(house: House) -> None:
    customer = house.accounts.customer()
    first, second = (house.accounts.invoice(customer, total) for total in (3_000, 9_000))
    credit = house.accounts.credit(customer, 5_000)
    visitor = await house.customer_browser(customer)
    form = await checked(visitor, credit)
    assert {form[first], form[second]} == {"30.00", "20.00"}
    async with house.services.staff.begin("test") as tx:
        found = await erp_credits.facts(tx, credit, [customer])
        facts = await invoices.facts(tx, [first, second], [customer])
    assert found is not None
    assert form["facts_hash"] == application_hash(found, facts.values())
    assert house.accounts.rows("SELECT 1 FROM apply_requests") == []


async def test_a_form_that_was_not_drawn_for_this_session_starts_nothing(house: House, temporal_client: Client) -> None:
    customer = house.accounts.customer()
    house.accounts.invoice(customer, 3_000)
    credit = house.accounts.credit(customer, 5_000)
    drawn_for_another = await checked(await house.customer_browser(customer), credit)
    visitor = await house.customer_browser(customer)
    form = await checked(visitor, credit) | {"request": drawn_for_another["request"]}
    answer = await visitor.post("/requests", data=form)
    assert answer.headers.get("x-refusal", "") == "form_expired"
    assert await runs(temporal_client, form["request"].partition(".")[0]) == 0


async def test_more_than_there_is_is_told_beside_what_was_typed(house: House) -> None:
    customer = house.accounts.customer()
    invoice = house.accounts.invoice(customer, 9_000)
    credit = house.accounts.credit(customer, 5_000)
    visitor = await house.customer_browser(customer)
    form = fields_of((await visitor.get(f"/credits/{credit}/apply")).text) | {invoice: "50.01"}
    answer = await visitor.post(f"/credits/{credit}/apply", data=form)
    assert answer.status_code == 422
    assert "50.00 GBP left" in unescape(answer.text)
    assert 'value="50.01"' in answer.text


@pytest.mark.parametrize(
    ("setting", "kind"), [("requests_credit_notes", "credit_note"), ("requests_prepayments", "prepayment")]
)
async def test_a_switch_that_is_off_leaves_no_button_and_refuses_the_address(house: House, setting: str, kind: str) -> None:
    customer = house.accounts.customer()
    house.accounts.invoice(customer, 9_000)
    credit = house.accounts.credit(customer, 5_000, kind=kind)
    visitor = await house.customer_browser(customer)
    assert "Apply to invoices" in (await visitor.get(f"/credits/{credit}")).text
    house.accounts.setting(setting, False)
    page = (await visitor.get(f"/credits/{credit}")).text
    assert "Apply to invoices" not in page
    assert "credits_not_requested" in page
    refused = await visitor.get(f"/credits/{credit}/apply")
    assert refused.headers["x-refusal"] == "credits_not_requested"


async def test_a_list_that_is_off_is_on_no_menu_and_at_no_address(house: House) -> None:
    customer = house.accounts.customer()
    note, payment = house.accounts.credit(customer, 5_000), house.accounts.credit(customer, 700, used=700, kind="payment")
    visitor = await house.customer_browser(customer)
    listed = (await visitor.get("/credits")).text
    assert (note in listed, payment in listed) == (True, False)
    assert payment in (await visitor.get("/payments")).text
    house.accounts.setting("show_credits", False)
    assert 'href="/credits"' not in (await visitor.get("/")).text
    for address, status in (("/credits", 404), (f"/credits/{note}", 404), (f"/credits/{payment}", 200)):
        assert (await visitor.get(address)).status_code == status, address


async def test_staff_decide_what_they_saw_and_a_viewer_nothing(house: House) -> None:
    customer = house.accounts.customer()
    invoice, credit = house.accounts.invoice(customer, 9_000), house.accounts.credit(customer, 5_000)
    request = house.accounts.apply_request(customer, credit, {invoice: 4_000})
    page = f"/staff/requests/{request}"
    viewer, agent = await house.staff_browser(Role.VIEWER), await house.staff_browser(Role.AGENT)
    assert "decision_id" in (await agent.get(page)).text
    assert "data-key" not in (await viewer.get(page)).text
    order = {"action": "approve", "version": "1", "decision_id": "chg_nothing"}

    async def decide(visitor: httpx.AsyncClient, **changes: str) -> httpx.Response:
        token = await token_on(visitor, page)
        return await visitor.post(f"{page}/decide", data={"csrf": token, **order, **changes})

    assert (await decide(viewer)).headers["x-refusal"] == "not_allowed"
    assert (await decide(agent)).status_code == 404
    form = fields_of((await agent.get(page)).text)
    told = await decide(agent, decision_id=form["decision_id"], **{invoice: "nonsense"})
    assert (told.status_code, "amount_unreadable" in told.text) == (422, True)
    assert house.accounts.rows("SELECT state FROM apply_requests") == [("submitted",)]


async def test_a_strangers_request_answers_as_one_that_does_not_exist(house: House) -> None:
    stranger = house.accounts.customer("Another Ltd")
    invoice, credit = house.accounts.invoice(stranger, 9_000), house.accounts.credit(stranger, 5_000)
    request = house.accounts.apply_request(stranger, credit, {invoice: 4_000}, state="asked", question="Which site?")
    customer = house.accounts.customer()
    mine, paper = house.accounts.invoice(customer, 9_000), house.accounts.credit(customer, 100)
    own = house.accounts.apply_request(customer, paper, {mine: 100}, state="asked", question="Which?")
    visitor = await house.customer_browser(customer)
    form = fields_of((await visitor.get(f"/requests/{own}")).text)
    nobodys = fresh_id("req")

    async def told(request_id: str, act: str) -> tuple[int, str]:
        path = f"/requests/{request_id}{act}"
        data = {"csrf": form["csrf"], "decision": form["decision"], "text": "The one in Leeds"}
        answer = await (visitor.post(path, data=data) if act else visitor.get(path))
        return answer.status_code, re.sub(r"req_\w{26}|[0-9a-f]{32,}", "…", answer.text)

    for act in ("", "/withdraw", "/answer"):
        seen = await told(request, act)
        assert seen == await told(nobodys, act), act
        assert seen[0] == 404, act
    assert house.accounts.rows("SELECT state, version FROM apply_requests WHERE id = %s", [request]) == [("asked", 1)]


async def test_a_withdrawal_and_an_answer_reach_the_process_and_a_foreign_form_does_not(
    house: House, temporal_client: Client
) -> None:
    customer = house.accounts.customer()
    invoice, credit = house.accounts.invoice(customer, 9_000), house.accounts.credit(customer, 9_000)
    request = house.accounts.apply_request(customer, credit, {invoice: 4_000}, state="asked", question="Which site?")
    visitor, other = await house.customer_browser(customer), await house.customer_browser(customer)
    foreign = fields_of((await other.get(f"/requests/{request}")).text)["decision"]
    form = fields_of((await visitor.get(f"/requests/{request}")).text)
    for act in ("withdraw", "answer"):
        refused = await visitor.post(f"/requests/{request}/{act}", data={**form, "decision": foreign, "text": "Leeds"})
        assert refused.headers["x-refusal"] == "form_expired", act
    assert await runs(temporal_client, request) == 0
    for act in ("withdraw", "answer"):
        sent = await visitor.post(f"/requests/{request}/{act}", data={**form, "text": "Leeds"})
        assert (sent.status_code, sent.headers["location"]) == (303, f"/requests/{request}"), act


@pytest.mark.parametrize("act", ["withdraw", "answer"])
async def test_what_was_decided_meanwhile_is_neither_withdrawn_nor_answered_and_what_was_typed_stays(
    house: House, temporal_client: Client, act: str
) -> None:
    customer = house.accounts.customer()
    invoice, credit = house.accounts.invoice(customer, 9_000), house.accounts.credit(customer, 9_000)
    request = house.accounts.apply_request(customer, credit, {invoice: 4_000}, state="asked", question="Which site?")
    visitor = await house.customer_browser(customer)
    form = fields_of((await visitor.get(f"/requests/{request}")).text)
    house.accounts.run("UPDATE apply_requests SET state = 'rejected', reason = 'Another site', version = 2")
    late = await visitor.post(f"/requests/{request}/{act}", data={**form, "text": "Leeds"})
    assert (late.status_code, "request_moved_on" in late.text) == (409, True)
    assert await runs(temporal_client, request) == 0


async def test_the_second_of_two_who_decide_about_one_version_is_told_what_it_is_now(house: House) -> None:
    customer = house.accounts.customer()
    invoice, credit = house.accounts.invoice(customer, 9_000), house.accounts.credit(customer, 5_000)
    request = house.accounts.apply_request(customer, credit, {invoice: 4_000})
    page = f"/staff/requests/{request}"
    agent = await house.staff_browser(Role.AGENT)
    form = fields_of((await agent.get(page)).text)
    house.accounts.run("UPDATE apply_requests SET state = 'posting', version = 2")
    house.accounts.event(request, customer, "approved", by="stf_first")
    late = await agent.post(f"{page}/decide", data={**form, "action": "reject", "text": "Not this one"})
    assert (late.status_code, "request_moved_on" in late.text) == (409, True)
    assert "stf_first" in late.text
    assert house.accounts.rows("SELECT state, reason FROM apply_requests") == [("posting", None)]
