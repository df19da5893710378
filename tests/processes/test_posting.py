"""Posting to the ERP through its bad days: down for ten payments, a refusal, an answer lost, two posters."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal

import pytest

from activities.requests import SendAgain
from tests.processes.house import House, until


async def test_while_the_erp_is_down_customers_finish_and_after_its_return_ten_documents_follow(house: House) -> None:
    customers = [await house.customer() for _ in range(10)]
    methods = [await house.saved_method(customer_id) for customer_id, _ in customers]
    await house.knobs(down=True)
    try:
        requests = [
            house.request(customer_id, [(invoices[0], 10_000)], method_id=method_id)
            for (customer_id, invoices), method_id in zip(customers, methods, strict=True)
        ]
        answers = [await house.pay(request) for request in requests]
        assert {answer.state for answer in answers} == {"captured"}
        shown = [
            (await house.one("SELECT shown FROM invoice_states WHERE id = :id", id=invoices[0])).shown
            for _, invoices in customers
        ]
        assert set(shown) == {"paid"}
    finally:
        await house.knobs(reset=True)
    for request in requests:
        await house.is_posted(request.payment_id, within_seconds=60)
        assert len(await house.documents(f"{request.payment_id}-captured")) == 1
    assert await house.trial_balance() == 0


async def test_what_shares_an_invoice_is_posted_in_the_order_in_which_it_was_paid(house: House) -> None:
    customer_id, (invoice_id,) = await house.customer()
    method_id = await house.saved_method(customer_id)
    await house.knobs(down=True)
    try:
        requests = [house.request(customer_id, [(invoice_id, 2_500)], method_id=method_id) for _ in range(4)]
        for request in requests:
            assert (await house.pay(request)).state == "captured"
    finally:
        await house.knobs(reset=True)
    for request in requests:
        await house.is_posted(request.payment_id, within_seconds=60)
    rows = await house.rows("SELECT payment_id FROM postings WHERE customer_id = :id ORDER BY confirmed_seq", id=customer_id)
    assert [row.payment_id for row in rows] == [request.payment_id for request in requests]


async def test_a_refused_posting_holds_up_its_own_documents_only(house: House) -> None:
    blocked_customer, blocked_invoices = await house.customer(invoices=(10_000, 10_000))
    free_customer, free_invoices = await house.customer()
    blocked_method = await house.saved_method(blocked_customer)
    free_method = await house.saved_method(free_customer)
    erp_id = (await house.one("SELECT erp_id FROM invoices WHERE id = :id", id=blocked_invoices[0])).erp_id
    await house.knobs(refuse=[{"invoice_id": erp_id, "code": "PERIOD_CLOSED", "message": "October is closed."}])
    try:
        refused = house.request(blocked_customer, [(blocked_invoices[0], 4_000)], method_id=blocked_method)
        waits = house.request(blocked_customer, [(blocked_invoices[0], 6_000)], method_id=blocked_method)
        goes = house.request(blocked_customer, [(blocked_invoices[1], 10_000)], method_id=blocked_method)
        other = house.request(free_customer, [(free_invoices[0], 10_000)], method_id=free_method)
        for request in (refused, waits, goes, other):
            assert (await house.pay(request)).state == "captured"
        await house.is_posted(goes.payment_id)
        await house.is_posted(other.payment_id)
        row = await house.one("SELECT * FROM postings WHERE payment_id = :id", id=refused.payment_id)
        assert (row.state, row.error_code, row.error_text) == ("refused", "PERIOD_CLOSED", "October is closed.")
        behind = await house.one("SELECT state FROM postings WHERE payment_id = :id", id=waits.payment_id)
        assert behind.state == "queued"
    finally:
        await house.knobs(reset=True)


async def test_what_the_erp_refused_is_sent_again_once_whoever_decides_it(house: House) -> None:
    """Two people press at once, and one of them again later: one document, and what waited behind it goes on."""
    customer_id, (invoice_id,) = await house.customer()
    method_id = await house.saved_method(customer_id)
    posting_id = await house.refused_posting(customer_id, invoice_id, 10_000, method_id=method_id)
    payment_id = posting_id.removesuffix("-captured")
    order = SendAgain(posting_id=posting_id, attempts=1, by="stf_ann")
    answers = await asyncio.gather(
        house.processes.send_again(order), house.processes.send_again(dataclasses.replace(order, by="stf_ben"))
    )
    assert [each.state for each in answers] == ["queued", "queued"]
    await house.is_posted(payment_id)
    assert len(await house.documents(posting_id)) == 1
    late = await house.processes.send_again(dataclasses.replace(order, attempts=2))
    assert (late.state, late.rule) == ("refused", "posting_moved_on")
    told = await house.rows(
        "SELECT facts ->> 'by' AS by FROM timeline WHERE process_id = :id AND kind = 'posting_sent_again'",
        id=payment_id,
    )
    assert len(told) == 1


async def test_a_posting_whose_answer_is_lost_is_found_and_not_written_twice(house: House) -> None:
    customer_id, (invoice_id,) = await house.customer()
    method_id = await house.saved_method(customer_id)
    await house.knobs(drop_after=1)
    request = house.request(customer_id, [(invoice_id, 10_000)], method_id=method_id)
    await house.pay(request)
    await house.is_posted(request.payment_id, within_seconds=60)
    assert len(await house.documents(f"{request.payment_id}-captured")) == 1
    await house.knobs(reset=True)


async def test_what_waits_for_an_erp_that_was_down_is_tried_at_once_when_a_person_says_so(house: House) -> None:
    """The poster's pauses grow while it is down; whoever knows that it is back waits for none."""
    customer_id, (invoice_id,) = await house.customer()
    method_id = await house.saved_method(customer_id)
    await house.knobs(down=True)
    try:
        request = house.request(customer_id, [(invoice_id, 10_000)], method_id=method_id)
        assert (await house.pay(request)).state == "captured"
    finally:
        await house.knobs(reset=True)
    order = SendAgain(posting_id=f"{request.payment_id}-captured", attempts=0, by="stf_ann", how="now")

    async def through() -> bool:
        row = await house.one("SELECT state, attempts FROM postings WHERE payment_id = :id", id=request.payment_id)
        if row.state != "confirmed":
            # Pressed by two, and again: as often as people like.
            now = dataclasses.replace(order, attempts=row.attempts)
            await asyncio.gather(house.processes.send_again(now), house.processes.send_again(now))
        return bool(row.state == "confirmed")

    await until(through, within_seconds=10, what="the document")
    assert len(await house.documents(f"{request.payment_id}-captured")) == 1


@pytest.mark.long
async def test_a_stopped_poster_that_wakes_beside_a_new_one_leaves_one_recorded_outcome(house: House) -> None:
    customer_id, (invoice_id,) = await house.customer()
    method_id = await house.saved_method(customer_id)
    await house.knobs(answer_delay_ms=3_000, unique_references=True)
    try:
        request = house.request(customer_id, [(invoice_id, 10_000)], method_id=method_id)
        await house.pay(request)

        async def sent() -> bool:
            rows = await house.rows("SELECT state FROM postings WHERE payment_id = :id", id=request.payment_id)
            return bool(rows) and rows[0].state == "sent"

        await until(sent, what="the claim")
        old = house.workers[0]
        os.kill(old.pid, signal.SIGSTOP)
        house.start_worker()
        await house.is_posted(request.payment_id, within_seconds=90)
        os.kill(old.pid, signal.SIGCONT)
        await asyncio.sleep(4)
        row = await house.one(
            """SELECT count(*) AS postings, count(*) FILTER (WHERE state = 'confirmed') AS confirmed,
                      (SELECT count(*) FROM timeline WHERE process_id = :id AND kind = 'posting_confirmed') AS told
               FROM postings WHERE payment_id = :id""",
            id=request.payment_id,
        )
        assert (row.postings, row.confirmed, row.told) == (1, 1, 1)
        assert len(await house.documents(f"{request.payment_id}-captured")) == 1
    finally:
        await house.knobs(reset=True)
        house.stop_workers()
        house.start_worker()


async def test_every_status_of_the_erp_arrives_and_is_shown_counted_and_selectable_as_its_row_says(house: House) -> None:
    words = {
        "Posted": ("open", True),
        "Disputed": ("in_dispute", True),
        "Instalment plan": ("in_instalments", True),
        "Bad debt": ("written_off", False),
        "Closed": ("closed", False),
    }
    for word, (shown, counted) in words.items():
        customer_id, (invoice_id,) = await house.customer(extra={"state": word})
        row = await house.one("SELECT shown, counted FROM invoice_states WHERE id = :id", id=invoice_id)
        assert (row.shown, row.counted) == (shown, counted), word
        assert customer_id
