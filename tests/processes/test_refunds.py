"""Refunds through the real programs: one at the provider and one at the ERP, whatever happens to the answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import ScheduleOverlapPolicy

from activities.requests import RefundDecision, RefundRequest
from store import refunds
from tests.processes.house import House, until
from tests.processes.refunding import ask, ledger, limit, open_now, paid, reaches, told_to_the_erp, wish


async def test_several_partial_refunds_go_back_reopen_their_invoice_and_are_told_to_the_erp(house: House) -> None:
    payment_id, invoice_id = await paid(house)
    for number in (1, 2):
        request = wish(payment_id, 3_000, [(invoice_id, 3_000)])
        assert (await ask(house, request)).state == "refunded"
        assert await open_now(house, invoice_id) == 3_000 * number
        (refund,) = await ledger(house, request.refund_id)
        assert (refund["status"], refund["amount"]["minor"]) == ("succeeded", 3_000)
        (document,) = await told_to_the_erp(house, payment_id, "refunded", request.refund_id)
        assert (document["kind"], document["amount"]) == ("Refund", 3_000)
    too_much = await ask(house, wish(payment_id, 4_001, [(invoice_id, 4_001)]))
    assert (too_much.state, too_much.rule) == ("refused", "refund_above_captured")
    assert await open_now(house, invoice_id) == 6_000
    assert await house.trial_balance() == 0


@pytest.mark.parametrize("fault", ["drop_after", "status_500_after", "malformed_after", "unknown_status"])
async def test_an_answer_that_was_not_read_is_asked_for_and_one_refund_goes_back(house: House, fault: str) -> None:
    payment_id, invoice_id = await paid(house)
    request = wish(payment_id, 3_000, [(invoice_id, 3_000)])
    await house.provider_fault("refund", fault, our_ref=request.refund_id)
    first = await ask(house, request)
    assert first.state in {"unknown", "processing", "refunded"}
    # Nobody may be told that it failed, and nobody may ask for the same money meanwhile.
    second = await ask(house, wish(payment_id, 8_000, [(invoice_id, 8_000)]))
    assert second.rule == "refund_above_captured"
    await house.processes.hint(f"refund/{request.refund_id}", "look")
    await reaches(house, request.refund_id, "refunded")
    assert len(await ledger(house, request.refund_id)) == 1
    assert len(await told_to_the_erp(house, payment_id, "refunded", request.refund_id)) == 1
    assert await house.trial_balance() == 0


async def test_a_refund_that_takes_days_moves_nothing_until_its_event_says_where_to_look(house: House) -> None:
    payment_id, invoice_id = await paid(house)
    request = wish(payment_id, 3_000, [(invoice_id, 3_000)])
    await house.provider_post("/v1/test/settings", {"refund_path": "stays_pending"})
    try:
        assert (await ask(house, request)).state == "processing"
    finally:
        await house.provider_post("/v1/test/settings", {"refund_path": "succeeds"})
    assert await open_now(house, invoice_id) == 0
    assert not await house.rows("SELECT 1 FROM postings WHERE payment_id = :id AND kind = 'refund'", id=payment_id)
    await house.provider_post("/v1/test/refunds/move", {"our_ref": request.refund_id, "status": "succeeded"})
    await reaches(house, request.refund_id, "refunded")
    assert await open_now(house, invoice_id) == 3_000


async def test_a_refund_that_fails_leaves_everything_as_it_was_and_another_may_be_tried(house: House) -> None:
    payment_id, invoice_id = await paid(house)
    request = wish(payment_id, 10_000, [(invoice_id, 10_000)])
    await house.provider_post("/v1/test/settings", {"refund_path": "fails"})
    try:
        assert (await ask(house, request)).state == "failed"
    finally:
        await house.provider_post("/v1/test/settings", {"refund_path": "succeeds"})
    assert await open_now(house, invoice_id) == 0
    again = wish(payment_id, 10_000, [(invoice_id, 10_000)])
    assert (await ask(house, again)).state == "refunded"
    assert await open_now(house, invoice_id) == 10_000


async def test_a_refund_that_fails_after_success_is_booked_back_here_and_at_the_erp(house: House) -> None:
    payment_id, invoice_id = await paid(house)
    request = wish(payment_id, 3_000, [(invoice_id, 3_000)])
    assert (await ask(house, request)).state == "refunded"
    await told_to_the_erp(house, payment_id, "refunded", request.refund_id)
    assert await open_now(house, invoice_id) == 3_000
    await house.provider_post("/v1/test/refunds/move", {"our_ref": request.refund_id, "status": "failed"})
    await reaches(house, request.refund_id, "failed")
    assert await open_now(house, invoice_id) == 0
    (document,) = await told_to_the_erp(house, payment_id, "refund_came_back", request.refund_id)
    assert (document["kind"], document["amount"]) == ("Refund reversal", 3_000)
    assert await house.trial_balance() == 0


async def test_a_second_person_lets_it_leave_and_another_form_of_the_same_id_is_refused(house: House) -> None:
    await limit(house, 50_000)
    payment_id, invoice_id = await paid(house, minor=60_000)
    request = wish(payment_id, 50_001, [(invoice_id, 50_001)])
    assert (await ask(house, request)).state == "awaiting_second"
    assert not await ledger(house, request.refund_id)
    mine = RefundDecision(refund_id=request.refund_id, version=1, agrees=True, by="stf_ann")
    assert (await house.processes.decide_refund(mine)).rule == "second_person_needed"
    # The process is lost meanwhile: whoever decides takes it up again.
    await house.client.get_workflow_handle(f"refund/{request.refund_id}").terminate()
    theirs = RefundDecision(refund_id=request.refund_id, version=1, agrees=True, by="stf_bob")
    assert (await house.processes.decide_refund(theirs)).state == "requested"
    await reaches(house, request.refund_id, "refunded")
    assert len(await ledger(house, request.refund_id)) == 1
    other = await ask(house, wish(payment_id, 1, [(invoice_id, 1)]))
    assert other.state == "refunded"


async def test_a_word_of_the_second_person_whose_answer_was_lost_is_heard_when_it_is_said_again(house: House) -> None:
    """The worker wrote it down and died: the row has it and the process does not."""
    request = await _agreed_to_unheard(house)
    again = RefundDecision(refund_id=request.refund_id, version=1, agrees=True, by="stf_bob")
    assert (await house.processes.decide_refund(again)).state == "requested"
    other = RefundDecision(refund_id=request.refund_id, version=1, agrees=False, by="stf_bob")
    assert (await house.processes.decide_refund(other)).rule == "refund_moved_on"
    await reaches(house, request.refund_id, "refunded")
    assert len(await ledger(house, request.refund_id)) == 1


async def test_a_word_of_the_second_person_that_nobody_says_again_is_heard_by_the_sweep(house: House) -> None:
    request = await _agreed_to_unheard(house)
    await house.client.get_schedule_handle("sweep").trigger(overlap=ScheduleOverlapPolicy.BUFFER_ONE)
    await reaches(house, request.refund_id, "refunded", within_seconds=60)
    assert len(await ledger(house, request.refund_id)) == 1


async def _agreed_to_unheard(house: House) -> RefundRequest:
    """A refund that waits for its second person, whose word stands in the row since three minutes."""
    await limit(house, 50_000)
    payment_id, invoice_id = await paid(house, minor=60_000)
    request = wish(payment_id, 50_001, [(invoice_id, 50_001)])
    assert (await ask(house, request)).state == "awaiting_second"
    at = datetime.now(UTC) - timedelta(minutes=3)
    async with house.database.begin("test") as tx:
        assert await refunds.approve(tx, request.refund_id, version=1, by="stf_bob", at=at)
    return request


async def test_a_lost_process_is_taken_up_and_sends_nothing_a_second_time(house: House) -> None:
    payment_id, invoice_id = await paid(house)
    request = wish(payment_id, 3_000, [(invoice_id, 3_000)])
    await house.provider_post("/v1/test/settings", {"refund_path": "stays_pending"})
    try:
        assert (await ask(house, request)).state == "processing"
    finally:
        await house.provider_post("/v1/test/settings", {"refund_path": "succeeds"})
    await house.client.get_workflow_handle(f"refund/{request.refund_id}").terminate()
    await house.provider_post("/v1/test/refunds/move", {"our_ref": request.refund_id, "status": "succeeded"})

    async def is_refunded() -> bool:
        return bool(await house.rows("SELECT 1 FROM refunds WHERE id = :id AND state = 'refunded'", id=request.refund_id))

    await until(is_refunded, within_seconds=40, what="the event's own process")
    assert len(await ledger(house, request.refund_id)) == 1
    assert await open_now(house, invoice_id) == 3_000
