"""Programs ask for a credit to be applied and decide about it, through every part that runs: whose key counts as whose."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest_asyncio

from store import api_keys
from store.api_keys import Scope
from store.identity import fresh_id
from tests.processes import refunding
from tests.processes.house import House, until
from tests.processes.requesting import Requests

CLERK = (Scope.REQUESTS_READ, Scope.REQUESTS_WRITE, Scope.REQUESTS_DECIDE)


@pytest_asyncio.fixture(scope="session")
async def requests(house: House) -> Requests:
    return Requests(house)


@asynccontextmanager
async def program(house: House, *scopes: Scope) -> AsyncIterator[tuple[httpx.AsyncClient, str]]:
    """A program with a key of these scopes, and the key's id."""
    async with house.admin.begin("test") as tx:
        made = await api_keys.create(tx, label="Clerk", scopes=scopes, by="test", at=datetime.now(UTC))
    headers = {"Authorization": f"Bearer {made.key}"}
    async with httpx.AsyncClient(base_url=f"{house.base_url}/v1", headers=headers, trust_env=False, timeout=60) as opened:
        yield opened, made.id


async def post(client: httpx.AsyncClient, path: str, body: Any = None) -> httpx.Response:
    """Until somebody answers: the same wish each time."""
    key = fresh_id("chg")

    async def answered() -> httpx.Response | None:
        answer = await client.post(path, json=body, headers={"Idempotency-Key": key})
        return None if answer.status_code == 202 else answer

    answer = await until(answered, within_seconds=60, what=f"an answer to {path}")
    assert answer is not None
    return answer


async def test_a_program_asks_and_another_key_with_the_scope_is_the_second_person(requests: Requests) -> None:
    house = requests.house
    case = await requests.case()
    body = {
        "customer_id": case.customer_id,
        "credit_id": case.credit_id,
        "invoices": [{"invoice_id": case.invoice_ids[0], "amount": 4_000}],
    }
    await refunding.limit(house, 1_000)
    try:
        async with (
            program(house, *CLERK) as (clerk, clerk_id),
            program(house, *CLERK) as (other, _),
            program(house, Scope.REQUESTS_DECIDE, Scope.REQUESTS_APPROVE) as (approver, approver_id),
        ):
            made = await post(clerk, "/apply-requests", body)
            assert made.status_code == 201, made.text
            request = made.json()["id"]
            path = f"/apply-requests/{request}/approve"
            shown = {"version": made.json()["version"], "fingerprint": made.json()["fingerprint"]}
            moved = await post(clerk, path, {**shown, "fingerprint": "0" * 64})
            assert (moved.status_code, moved.json()["rule"]) == (409, "facts_moved")
            first = await post(clerk, path, shown)
            assert (first.json()["state"], first.json()["first_by"]) == ("second", clerk_id), first.text
            shown = {"version": first.json()["version"]}
            assert (await post(clerk, path, shown)).json()["rule"] == "second_person_needed"
            assert (await post(other, path, shown)).json()["rule"] == "approver_needed"
            more = {**shown, "invoices": [{"invoice_id": case.invoice_ids[0], "amount": 3_999}]}
            assert (await post(approver, path, more)).json()["rule"] == "lines_differ"
            second = await post(approver, path, shown)
            assert second.json()["second_by"] == approver_id, second.text
            late = await post(other, f"/apply-requests/{request}/reject", {**shown, "reason": "Too late"})
            assert late.json()["rule"] == "request_moved_on"
            await requests.reaches(request, "applied")
            applied = (await clerk.get(f"/apply-requests/{request}")).json()
            undone = await post(
                clerk, f"/apply-requests/{request}/undo", {"version": applied["version"], "reason": "The wrong invoice"}
            )
            assert undone.status_code == 200, undone.text
            await requests.reaches(request, "undone")
    finally:
        await refunding.limit(house, 10**9)
    await requests.is_read_back(case)
    assert await requests.at_the_erp(case) == (6_000, [])
    await requests.is_sound()


async def test_a_program_approves_in_part_asks_and_rejects_and_its_refusals_are_the_pages_own(requests: Requests) -> None:
    house = requests.house
    case = await requests.case()
    invoice = case.invoice_ids[0]
    body = {"customer_id": case.customer_id, "credit_id": case.credit_id}
    async with program(house, *CLERK) as (clerk, _):

        async def ask_for(minor: int) -> httpx.Response:
            return await post(clerk, "/apply-requests", {**body, "invoices": [{"invoice_id": invoice, "amount": minor}]})

        above = await ask_for(6_001)
        assert (above.status_code, above.json()["rule"]) == (409, "amount_exceeds_credit")
        path = f"/apply-requests/{(await ask_for(4_000)).json()['id']}"
        blank = await post(clerk, f"{path}/ask", {"version": 1, "question": " "})
        assert blank.json()["rule"] == "question_needed"
        question = await post(clerk, f"{path}/ask", {"version": 1, "question": "Which site?"})
        assert (question.json()["state"], question.json()["question"]) == ("asked", "Which site?")
        stale = await post(clerk, f"{path}/reject", {"version": 1, "reason": "No"})
        assert stale.json()["rule"] == "request_moved_on"
        unheard = await post(clerk, f"{path}/answer", {"version": 1, "answer": "Leeds"})
        assert unheard.json()["rule"] == "request_moved_on", "an answer to a question that was not read"
        blank = await post(clerk, f"{path}/answer", {"version": question.json()["version"], "answer": " "})
        assert blank.json()["rule"] == "answer_needed"
        question = await post(clerk, f"{path}/answer", {"version": question.json()["version"], "answer": "Leeds"})
        assert (question.json()["state"], question.json()["answer"]) == ("submitted", "Leeds"), question.text
        part = [{"invoice_id": invoice, "amount": 1_500}]
        approved = await post(clerk, f"{path}/approve", {"version": question.json()["version"], "invoices": part})
        assert [each["approved"] for each in approved.json()["invoices"]] == [1_500], approved.text
        other = f"/apply-requests/{(await ask_for(100)).json()['id']}"
        rejected = await post(clerk, f"{other}/reject", {"version": 1, "reason": "Not this one"})
        assert (rejected.json()["state"], rejected.json()["reason"]) == ("rejected", "Not this one")
        third = f"/apply-requests/{(await ask_for(200)).json()['id']}"
        assert (await post(clerk, f"{third}/withdraw")).json()["state"] == "withdrawn"
        await requests.reaches(path.rpartition("/")[2], "applied")
    assert await requests.left(case) == (4_500, 0)
