"""A credit is asked for, decided about and put on invoices at a real ERP: through its bad days, and counted there."""

from __future__ import annotations

import asyncio

import pytest
import pytest_asyncio
from temporalio.client import ScheduleOverlapPolicy

from api.processes import Sight
from tests.processes.house import House, until
from tests.processes.requesting import ANN, BEN, Requests


@pytest_asyncio.fixture(scope="session")
async def requests(house: House) -> Requests:
    return Requests(house)


async def test_an_approved_credit_is_one_document_in_the_erp_and_both_sides_are_read_back(requests: Requests) -> None:
    case = await requests.case(invoices=(3_000, 10_000), credit=6_000)
    first, second = case.invoice_ids
    request_id = await requests.ask(case, (first, 3_000), (second, 1_000))
    assert await requests.left(case) == (6_000, 4_000)
    assert await requests.open(case) == [(3_000, 3_000), (10_000, 1_000)]
    assert await requests.at_the_erp(case) == (6_000, [])
    assert (await requests.decide(request_id, "approve")).state == "posting"
    await requests.reaches(request_id, "applied")
    assert await requests.documents(f"{request_id}-applied-1") == 1
    left, standing = await requests.at_the_erp(case)
    assert (left, [amount for _, amount in standing]) == (2_000, [3_000, 1_000])
    await requests.is_read_back(case)
    assert await requests.left(case) == (2_000, 0)
    assert await requests.open(case) == [(0, 0), (9_000, 0)]
    await requests.ends(request_id)
    await requests.is_sound()


@pytest.mark.parametrize(("action", "state"), [("reject", "rejected"), ("withdraw", "withdrawn")])
async def test_what_is_rejected_or_withdrawn_never_reaches_the_erp(requests: Requests, action: str, state: str) -> None:
    case = await requests.case()
    request_id = await requests.ask(case)
    assert (await requests.decide(request_id, action, text="Not this one")).state == state
    await requests.ends(request_id)
    assert await requests.left(case) == (6_000, 0)
    assert await requests.open(case) == [(10_000, 0)]
    assert await requests.documents(f"{request_id}-applied-1") == 0
    assert await requests.at_the_erp(case) == (6_000, [])


async def test_what_the_erp_refuses_is_with_staff_again_in_its_words_and_is_approved_again(requests: Requests) -> None:
    case = await requests.case()
    request_id = await requests.ask(case)
    await requests.refuses(case)
    try:
        await requests.decide(request_id, "approve")
        await requests.reaches(request_id, "posting_failed")
    finally:
        await requests.refuses(case, stops=True)
    assert (await requests.row(request_id)).erp_words == "The period is closed."
    assert await requests.left(case) == (6_000, 4_000)
    assert await requests.open(case) == [(10_000, 4_000)]
    assert (await requests.decide(request_id, "approve", BEN)).state == "posting"
    await requests.reaches(request_id, "applied")
    assert [await requests.documents(f"{request_id}-applied-{number}") for number in (1, 2)] == [0, 1]
    await requests.is_read_back(case)
    assert await requests.open(case) == [(6_000, 0)]
    await requests.is_sound()


async def test_while_the_erp_is_down_an_approval_stands_and_after_its_return_one_document_follows(
    requests: Requests,
) -> None:
    case = await requests.case()
    request_id = await requests.ask(case)
    await requests.house.knobs(down=True)
    try:
        assert (await requests.decide(request_id, "approve")).state == "posting"
        assert await requests.left(case) == (2_000, 0)
        assert await requests.open(case) == [(6_000, 0)]

        async def tried() -> bool:
            return bool(
                (await requests.house.one("SELECT error_text FROM postings WHERE request_id = :id", id=request_id))[0]
            )

        await until(tried, what="the first try")
        assert (await requests.decide(request_id, "withdraw")).rule == "request_moved_on"
        assert (await requests.row(request_id)).state == "posting"
    finally:
        await requests.house.knobs(reset=True)
    await requests.reaches(request_id, "applied")
    assert await requests.documents(f"{request_id}-applied-1") == 1
    await requests.is_read_back(case)


async def test_an_application_whose_answer_is_lost_is_looked_up_and_not_written_twice(requests: Requests) -> None:
    case = await requests.case()
    request_id = await requests.ask(case)
    await requests.house.knobs(drop_after=1)
    try:
        await requests.decide(request_id, "approve")
        await requests.reaches(request_id, "applied")
    finally:
        await requests.house.knobs(reset=True)
    assert await requests.documents(f"{request_id}-applied-1") == 1
    assert (await requests.at_the_erp(case))[0] == 2_000
    await requests.is_read_back(case)
    assert await requests.open(case) == [(6_000, 0)]


async def test_taken_off_again_nothing_stands_on_the_invoice_and_the_credit_is_whole(requests: Requests) -> None:
    case = await requests.case()
    request_id = await requests.applied(case)
    assert (await requests.decide(request_id, "undo", text="The wrong invoice")).state == "undoing"
    await requests.reaches(request_id, "undone")
    await requests.is_read_back(case)
    assert await requests.at_the_erp(case) == (6_000, [])
    assert [await requests.documents(f"{request_id}-{each}") for each in ("applied-1", "undone-2")] == [1, 1]
    assert await requests.left(case) == (6_000, 0)
    assert await requests.open(case) == [(10_000, 0)]
    await requests.is_sound()


@pytest.mark.parametrize(("first", "second"), [("approve", "reject"), ("reject", "approve"), ("approve", "approve")])
async def test_of_two_who_decide_at_once_one_is_told_that_the_request_has_moved_on(
    requests: Requests, first: str, second: str
) -> None:
    case = await requests.case()
    request_id = await requests.ask(case)
    answers = await asyncio.gather(
        requests.decide(request_id, first, ANN, version=1, text="So be it"),
        requests.decide(request_id, second, BEN, version=1, text="So be it"),
    )
    assert sorted(each.rule or "" for each in answers) == ["", "request_moved_on"]
    done = {"posting": "applied", "rejected": "rejected"}[next(each.state for each in answers if each.rule is None)]
    await requests.reaches(request_id, done)
    assert await requests.documents(f"{request_id}-applied-1") == (1 if done == "applied" else 0)
    assert await requests.left(case) == (2_000 if done == "applied" else 6_000, 0)


async def test_the_same_form_sent_many_times_is_one_request(requests: Requests) -> None:
    case = await requests.case()
    order = requests.order(case, (case.invoice_ids[0], 4_000))
    processes = requests.house.processes
    answers = await asyncio.gather(*(processes.request_application(order) for _ in range(8)))
    assert {each.state for each in answers} == {"submitted"}
    assert await requests.left(case) == (6_000, 4_000)
    await requests.decide(order.request_id, "withdraw")


@pytest.mark.parametrize("state", ["submitted", "posting"])
async def test_a_request_whose_process_was_terminated_is_taken_up_by_the_sweep(requests: Requests, state: str) -> None:
    house = requests.house
    case = await requests.case()
    request_id = await requests.ask(case)
    if state == "posting":
        await house.knobs(down=True)
    try:
        if state == "posting":
            await requests.decide(request_id, "approve")
        await house.client.get_workflow_handle(f"apply/{request_id}").terminate("by mistake")
        async with house.admin.begin("test") as tx:
            await tx.run(
                "UPDATE apply_requests SET opened_at = opened_at - interval '3 minutes' WHERE id = :id", id=request_id
            )
        await house.client.get_schedule_handle("sweep").trigger(overlap=ScheduleOverlapPolicy.BUFFER_ONE)

        async def runs() -> bool:
            return await house.processes.describe(f"apply/{request_id}") is Sight.RUNNING

        await until(runs, within_seconds=60, what="the request being taken up")
        assert (await requests.row(request_id)).state == state
    finally:
        await house.knobs(reset=True)
    if state == "submitted":
        assert (await requests.decide(request_id, "approve")).state == "posting"
    await requests.reaches(request_id, "applied")
    await requests.ends(request_id)
    assert await requests.documents(f"{request_id}-applied-1") == 1
