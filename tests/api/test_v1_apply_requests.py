"""Programs read credits, ask for them to be applied, and decide: no worker runs here, so nobody answers in time."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from temporalio.client import Client

from api.v1 import answers, credit_answers
from store.api_keys import Scope
from store.identity import fresh_id
from tests import machine
from tests.api.accounts import TODAY
from tests.api.house import House, open_house
from workflows import ids


@pytest_asyncio.fixture
async def house(database: machine.Database, temporal_client: Client, task_queue: str) -> AsyncIterator[House]:
    async with open_house(database, temporal_client, task_queue=task_queue) as opened:
        yield opened


def asked(house: House, **more: Any) -> tuple[str, str, str]:
    """A request of a customer for 40.00 of 60.00: (customer, credit, request)."""
    customer = house.accounts.customer()
    credit, invoice = house.accounts.credit(customer, 6_000), house.accounts.invoice(customer, 10_000)
    return customer, credit, house.accounts.apply_request(customer, credit, {invoice: 4_000}, **more)


async def post(program: httpx.AsyncClient, path: str, body: Any = None, key: str = "") -> httpx.Response:
    return await program.post(path, json=body, headers={"Idempotency-Key": key or fresh_id("chg")})


async def test_credits_are_listed_by_date_and_one_says_what_is_left_held_and_asked(house: House) -> None:
    customer, credit, request = asked(house)
    newer = house.accounts.credit(customer, 500, used=200, issued_on=TODAY, kind="overpayment")
    house.accounts.credit(customer, 900, deleted=True)
    stranger = house.accounts.credit(house.accounts.customer("Other"), 700)
    program = await house.program(Scope.CREDITS_READ)
    first = credit_answers.Credits.model_validate_json(
        (await program.get(f"/credits?customer_id={customer}&limit=1")).content
    )
    assert [(each.id, each.unapplied, each.available) for each in first.credits] == [(newer, 300, 300)]
    second = await program.get(f"/credits?customer_id={customer}&limit=1&cursor={first.next_cursor}")
    told = credit_answers.Credits.model_validate_json(second.content)
    assert [(each.id, each.held, each.available) for each in told.credits] == [(credit, 4_000, 2_000)]
    assert told.next_cursor is None
    assert {each["id"] for each in (await program.get("/credits")).json()["credits"]} == {credit, newer, stranger}
    one = credit_answers.CreditWithUses.model_validate_json((await program.get(f"/credits/{credit}")).content)
    assert [(each.id, each.state, each.amount) for each in one.requests] == [(request, "submitted", 4_000)]
    nothing = await program.get(f"/credits/{fresh_id('crd')}")
    assert (nothing.status_code, nothing.json()["rule"]) == (404, "credit_not_found")
    foreign = await program.get(f"/credits?cursor={first.next_cursor}")
    assert foreign.json()["rule"] == "cursor_unknown", "a cursor goes on with its own filter"


async def test_requests_are_listed_by_customer_by_state_and_all_that_wait(house: House) -> None:
    customer, _, waits = asked(house)
    _, _, question = asked(house, state="asked")
    _, _, ended = asked(house, state="rejected")
    program = await house.program(Scope.REQUESTS_READ)

    async def listed(query: str) -> set[str]:
        answer = await program.get(f"/apply-requests{query}")
        return {each.id for each in credit_answers.ApplyRequests.model_validate_json(answer.content).apply_requests}

    assert await listed("") == {waits, question, ended}
    assert await listed("?state=open") == {waits, question}
    assert await listed("?state=rejected") == {ended}
    assert await listed(f"?customer_id={customer}") == {waits}
    assert (await program.get("/apply-requests?state=everything")).json()["rule"] == "request_invalid"
    one = credit_answers.ApplyRequest.model_validate_json((await program.get(f"/apply-requests/{waits}")).content)
    assert (one.state, one.version, [each.asked for each in one.invoices]) == ("submitted", 1, [4_000])
    assert (await program.get(f"/apply-requests/{fresh_id('req')}")).json()["rule"] == "request_not_found"


async def test_a_request_that_nobody_answers_is_pending_then_its_row_is_the_answer_that_is_kept(house: House) -> None:
    customer = house.accounts.customer()
    credit, invoice = house.accounts.credit(customer, 6_000), house.accounts.invoice(customer, 10_000)
    program = await house.program()
    body = {"customer_id": customer, "credit_id": credit, "invoices": [{"invoice_id": invoice, "amount": 4_000}]}
    first, second = await post(program, "/apply-requests", body, "k"), await post(program, "/apply-requests", body, "k")
    assert (first.status_code, first.json()) == (second.status_code, second.json()) == (202, first.json())
    request = answers.Pending.model_validate_json(first.content).id
    assert (await program.get(f"/apply-requests/{request}")).json()["state"] == "starting"
    house.accounts.apply_request(customer, credit, {invoice: 4_000}, request_id=request)
    told = await post(program, "/apply-requests", body, "k")
    assert told.status_code == 201, told.text
    credit_answers.ApplyRequest.model_validate_json(told.content)
    house.accounts.run("UPDATE apply_requests SET state = 'withdrawn'")
    assert (await post(program, "/apply-requests", body, "k")).content == told.content
    assert house.accounts.rows("SELECT action, object_id FROM access_log") == [("request_asked_for", request)]
    other = await post(program, "/apply-requests", {**body, "invoices": [{"invoice_id": invoice, "amount": 1}]}, "k")
    assert other.json()["rule"] == "idempotency_key_reused"
    nobody = await post(program, "/apply-requests", {**body, "customer_id": fresh_id("cus")})
    assert (nobody.status_code, nobody.json()["rule"]) == (404, "customer_not_found")


DECISIONS: list[tuple[str, dict[str, Any] | None]] = [
    ("withdraw", None),
    ("approve", {"version": 1}),
    ("reject", {"version": 1, "reason": "Not this one"}),
    ("ask", {"version": 1, "question": "Which site?"}),
    ("answer", {"version": 1, "answer": "The one in Leeds"}),
    ("undo", {"version": 1, "reason": "The wrong invoice"}),
]


@pytest.mark.parametrize(("action", "body"), DECISIONS)
async def test_a_decision_is_pending_taken_or_too_late_as_the_rows_tell(
    house: House, action: str, body: dict[str, Any] | None, temporal_client: Client
) -> None:
    _, _, request = asked(house, state="applied" if action == "undo" else "submitted")
    program = await house.program()
    path = f"/apply-requests/{request}/{action}"
    first = await post(program, path, body, "k")
    assert (first.status_code, first.json()["id"]) == (202, request), first.text
    ((decision, act),) = house.accounts.rows(
        "SELECT r.object_id, a.action FROM idempotent_requests r JOIN access_log a ON a.object_id = r.object_id"
    )
    assert act == f"request_{action}"
    workflow = ids.undo_application(request, decision) if action == "undo" else ids.apply_request(request)
    assert (await temporal_client.get_workflow_handle(workflow).describe()).workflow_type
    # The process took it although nobody heard of it; then the same key is answered with that for ever.
    taken = f"{request}/decided/{decision}"
    house.accounts.run("UPDATE apply_requests SET version = 2, state = 'rejected'")
    other = await post(program, path, body)
    assert (other.status_code, other.json()["rule"]) == (409, "request_moved_on"), other.text
    house.accounts.run(
        "INSERT INTO timeline (id, process_id, customer_id, kind, facts, at) SELECT %s, id, customer_id, 'decided', '{}', %s"
        " FROM apply_requests",
        [taken, house.clock()],
    )
    told = await post(program, path, body, "k")
    assert told.status_code == 200, told.text
    assert credit_answers.ApplyRequest.model_validate_json(told.content).version == 2


@pytest.mark.parametrize(("action", "body"), DECISIONS)
async def test_a_decision_about_nothing_or_about_what_has_ended_starts_no_process(
    house: House, action: str, body: dict[str, Any] | None
) -> None:
    _, _, request = asked(house, state="withdrawn")
    program = await house.program()
    late = await post(program, f"/apply-requests/{request}/{action}", body)
    assert (late.status_code, late.json()["rule"]) == (409, "request_moved_on")
    nothing = await post(program, f"/apply-requests/{fresh_id('req')}/{action}", body)
    assert (nothing.status_code, nothing.json()["rule"]) == (404, "request_not_found")
    sight = await house.services.processes.describe(ids.apply_request(request))
    assert sight == "missing"
