"""Every order of return, webhook and poll gives one end; late truth is booked; a debit comes back and everything follows."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import httpx
import pytest
from temporalio.client import ScheduleOverlapPolicy

from domain.methods import MethodKind
from tests.processes.house import House, until
from wiring import PROVIDER

DEBIT = {"kind": MethodKind.US_BANK_ACCOUNT}


async def test_a_declined_card_ends_the_hold_and_takes_nothing(house: House) -> None:
    customer_id, (invoice_id,) = await house.customer()
    method_id = await house.saved_method(customer_id, use="card_charge_declined")
    request = house.request(customer_id, [(invoice_id, 10_000)], method_id=method_id)

    answer = await house.pay(request)

    assert answer.state == "declined"
    assert await house.charges(request.payment_id) == []
    row = await house.one("SELECT shown, held FROM invoice_states WHERE id = :id", id=invoice_id)
    assert (row.shown, row.held) == ("open", 0)


async def test_a_debit_settles_and_a_debit_that_is_returned_opens_the_invoice_and_is_reversed_once(house: House) -> None:
    customer_id, (good, bad) = await house.customer(invoices=(10_000, 20_000))
    good_method = await house.saved_method(customer_id, use="us_bank_account_6789", kind="us_bank_account")
    bad_method = await house.saved_method(customer_id, use="us_bank_account_2227", kind="us_bank_account")
    settles = house.request(customer_id, [(good, 10_000)], method_id=good_method, **DEBIT)
    returns = house.request(customer_id, [(bad, 20_000)], method_id=bad_method, **DEBIT)
    assert (await house.pay(settles)).state == "processing"
    assert (await house.pay(returns)).state == "processing"
    pending = await house.rows("SELECT shown FROM invoice_states WHERE customer_id = :id", id=customer_id)
    assert [row.shown for row in pending] == ["payment_pending", "payment_pending"]

    await house.advance(timedelta(days=2, hours=1))
    await house.reaches(settles.payment_id, "captured")
    await house.reaches(returns.payment_id, "captured")
    await house.is_posted(returns.payment_id)
    await house.advance(timedelta(days=5))

    await house.reaches(settles.payment_id, "settled")
    await house.reaches(returns.payment_id, "returned")
    await house.is_posted(returns.payment_id, postings=2)
    assert len(await house.documents(f"{returns.payment_id}-captured")) == 1
    assert len(await house.documents(f"{returns.payment_id}-returned")) == 1
    assert await house.trial_balance() == 0

    async def open_again() -> bool:
        row = await house.one("SELECT shown, open FROM invoice_states WHERE id = :id", id=bad)
        return (row.shown, row.open) == ("open", 20_000)

    await until(open_again, what="the invoice being open again")
    paid = await house.one("SELECT shown FROM invoice_states WHERE id = :id", id=good)
    assert paid.shown == "paid"


@pytest.mark.parametrize("order", ["return", "webhook", "both", "many", "late"])
async def test_a_payment_page_ends_the_same_whoever_tells_first(house: House, order: str) -> None:
    customer_id, (invoice_id,) = await house.customer()
    request = house.request(customer_id, [(invoice_id, 10_000)], method_id=None)
    if order in {"return", "late"}:
        await house.provider_post("/v1/test/webhooks", {"mode": "hold"})
    if order == "many":
        await house.provider_post("/v1/test/webhooks", {"duplicates": 3})
    try:
        answer = await house.pay(request)
        assert answer.redirect_url is not None
        await house.fill_in(answer.redirect_url, "card_ok")
        if order != "webhook":
            for _ in range(3 if order == "many" else 1):
                # A forged query: nothing in it is believed, it only wakes.
                async with httpx.AsyncClient(base_url=house.base_url, trust_env=False) as visitor:
                    back = await visitor.get(
                        f"/payments/{request.payment_id}/return", params={"status": "failed", "amount": "1"}
                    )
                    assert back.status_code in {200, 303}
        await house.reaches(request.payment_id, "captured", within_seconds=30)
    finally:
        await house.provider_post("/v1/test/webhooks", {"mode": "deliver", "duplicates": 0})
        await house.provider_post("/v1/test/webhooks/release", {})
    await house.is_posted(request.payment_id)
    assert len(await house.charges(request.payment_id)) == 1
    methods = await house.rows("SELECT 1 FROM payment_methods WHERE customer_id = :id", id=customer_id)
    assert methods == []  # nobody agreed to keep it
    row = await house.payment(request.payment_id)
    assert (row.state, row.captured) == ("captured", 10_000)


async def test_a_page_whose_method_is_kept_with_consent_keeps_it(house: House) -> None:
    customer_id, (invoice_id,) = await house.customer()
    request = house.request(
        customer_id, [(invoice_id, 10_000)], method_id=None, save=True, consent_wording="Keep this card for later."
    )
    answer = await house.pay(request)
    assert answer.redirect_url is not None
    await house.fill_in(answer.redirect_url, "card_ok")
    await house.processes.hint(f"payment/{request.payment_id}", "return")
    await house.reaches(request.payment_id, "captured")
    kept = await house.one("SELECT last4, is_default FROM payment_methods WHERE customer_id = :id", id=customer_id)
    assert (kept.last4, kept.is_default) == ("4242", True)
    row = await house.payment(request.payment_id)
    assert row.consent_wording == "Keep this card for later."


async def test_three_d_secure_redirects_and_captures_after_the_banks_question(house: House) -> None:
    customer_id, (invoice_id,) = await house.customer()
    method_id = await house.saved_method(customer_id, use="card_challenge_always")
    request = house.request(customer_id, [(invoice_id, 10_000)], method_id=method_id)
    answer = await house.pay(request)
    assert answer.redirect_url is not None
    await house.approve(answer.redirect_url)
    await house.processes.hint(f"payment/{request.payment_id}", "return")
    await house.reaches(request.payment_id, "captured")
    assert len(await house.charges(request.payment_id)) == 1


async def test_the_same_form_twice_is_one_payment_and_another_body_is_refused(house: House) -> None:
    customer_id, (invoice_id,) = await house.customer()
    method_id = await house.saved_method(customer_id)
    request = house.request(customer_id, [(invoice_id, 10_000)], method_id=method_id)
    answers = await asyncio.gather(*(house.pay(request) for _ in range(3)))
    assert {answer.state for answer in answers} == {"captured"}
    assert len(await house.charges(request.payment_id)) == 1


async def test_a_forgotten_workflow_charges_nothing_again(house: House) -> None:
    customer_id, (invoice_id,) = await house.customer()
    method_id = await house.saved_method(customer_id)
    request = house.request(customer_id, [(invoice_id, 10_000)], method_id=method_id)
    await house.pay(request)
    await house.reaches(request.payment_id, "captured")
    await house.forget(f"payment/{request.payment_id}")

    again = await house.pay(request)

    assert again.state == "captured"
    assert len(await house.attempts(request.payment_id)) == 1


async def test_a_payment_in_flight_whose_workflow_is_gone_is_taken_up_and_never_charged_again(house: House) -> None:
    customer_id, (invoice_id,) = await house.customer()
    request = house.request(customer_id, [(invoice_id, 10_000)], method_id=None)
    answer = await house.pay(request)
    assert answer.redirect_url is not None
    await house.forget(f"payment/{request.payment_id}")
    await house.fill_in(answer.redirect_url, "card_ok")
    await house.pay(request)
    await house.reaches(request.payment_id, "captured", within_seconds=40)
    assert len(await house.charges(request.payment_id)) == 1


async def test_the_sweep_takes_up_what_is_in_flight_without_a_workflow_and_asks_before_anything(house: House) -> None:
    """Nobody comes back and nobody asks: a payment and a set-up whose processes are gone are found by themselves."""
    customer_id, (invoice_id,) = await house.customer()
    request = house.request(customer_id, [(invoice_id, 10_000)], method_id=None)
    answer = await house.pay(request)
    assert answer.redirect_url is not None
    setup_id, page_url = await house.opened_setup(customer_id)
    await house.forget(f"payment/{request.payment_id}")
    await house.forget(f"setup/{setup_id}")
    # The webhooks of what the customer does would start a process of their own: the sweep is to find these by the rows.
    await house.provider_post("/v1/test/webhooks", {"mode": "drop"})
    try:
        await house.fill_in(answer.redirect_url, "card_ok")
        await house.fill_in(page_url, "mastercard_ok")
        async with house.admin.begin("test") as tx:
            for table, process_id in (("payments", request.payment_id), ("method_setups", setup_id)):
                await tx.run(
                    f"UPDATE {table} SET opened_at = opened_at - interval '3 minutes' WHERE id = :id", id=process_id
                )
        await house.client.get_schedule_handle("sweep").trigger(overlap=ScheduleOverlapPolicy.BUFFER_ONE)
        await house.reaches(request.payment_id, "captured", within_seconds=60)
        method_id = await house.completed_setup(setup_id)
    finally:
        await house.provider_post("/v1/test/webhooks", {"mode": "deliver"})
    assert len(await house.charges(request.payment_id)) == 1
    kept = await house.rows("SELECT id FROM payment_methods WHERE customer_id = :id", id=customer_id)
    assert [row.id for row in kept] == [method_id]


async def test_the_sweep_hears_events_whose_process_is_gone_and_closes_what_was_heard_long_ago(house: House) -> None:
    """One woke a process that was terminated before it asked; the other's own process has come to its end already."""
    customer_id, (first, second) = await house.customer(invoices=(10_000, 10_000))
    method_id = await house.saved_method(customer_id)
    payments = [house.request(customer_id, [(each, 10_000)], method_id=method_id) for each in (first, second)]
    for request in payments:
        await house.pay(request)
        await house.is_posted(request.payment_id)
    lost, heard = (f"{each.payment_id}-1" for each in payments)
    async with house.admin.begin("test") as tx:
        [late] = [row.id for row in await tx.rows("SELECT id FROM inbox WHERE our_ref = :ref", ref=heard)]
    await house.client.execute_workflow("LateEvent", late, id=f"late/{late}", task_queue="duly")
    async with house.admin.begin("test") as tx:
        await tx.run(
            """UPDATE inbox SET state = 'delivered', received_at = received_at - interval '3 minutes'
               WHERE our_ref IN (:lost, :heard)""",
            lost=lost,
            heard=heard,
        )
    await house.client.get_schedule_handle("sweep").trigger(overlap=ScheduleOverlapPolicy.BUFFER_ONE)

    async def both_are_done_with() -> bool:
        rows = await house.rows("SELECT state FROM inbox WHERE our_ref IN (:lost, :heard)", lost=lost, heard=heard)
        return {row.state for row in rows} <= {"handled", "stale"}

    await until(both_are_done_with, within_seconds=60, what="the sweep's look at both events")


async def test_a_return_that_no_webhook_told_is_found_by_the_daily_look(house: House) -> None:
    customer_id, (invoice_id,) = await house.customer()
    method_id = await house.saved_method(customer_id, use="us_bank_account_2227", kind="us_bank_account")
    request = house.request(customer_id, [(invoice_id, 10_000)], method_id=method_id, **DEBIT)
    await house.pay(request)
    await house.advance(timedelta(days=2, hours=1))
    await house.reaches(request.payment_id, "captured")
    await house.is_posted(request.payment_id)
    await house.provider_post("/v1/test/webhooks", {"mode": "drop"})
    try:
        await house.advance(timedelta(days=5))
        await house.client.get_schedule_handle(f"events/{PROVIDER}").trigger(overlap=ScheduleOverlapPolicy.BUFFER_ONE)
        await house.reaches(request.payment_id, "returned")
    finally:
        await house.provider_post("/v1/test/webhooks", {"mode": "deliver"})
    await house.is_posted(request.payment_id, postings=2)
    assert len(await house.documents(f"{request.payment_id}-returned")) == 1
    row = await house.one(
        "SELECT deliveries FROM inbox WHERE our_ref = :ref AND claims = 'returned'", ref=f"{request.payment_id}-1"
    )
    assert row.deliveries == 1


async def test_a_dispute_books_nothing_until_it_is_lost_and_is_then_reversed_in_the_erp_once(house: House) -> None:
    customer_id, (won, lost) = await house.customer(invoices=(10_000, 20_000))
    method_id = await house.saved_method(customer_id)
    payments = {}
    for invoice_id, minor in ((won, 10_000), (lost, 20_000)):
        request = house.request(customer_id, [(invoice_id, minor)], method_id=method_id)
        await house.pay(request)
        await house.is_posted(request.payment_id)
        payments[invoice_id] = request.payment_id

    async def bank_says(payment_id: str, status: str) -> None:
        moved = await house.provider_post("/v1/test/charges/move", {"our_ref": f"{payment_id}-1", "status": status})
        assert moved["moved"] == 1
        await house.reaches(payment_id, status)

    for payment_id in payments.values():
        await bank_says(payment_id, "disputed")
    await bank_says(payments[won], "settled")
    await bank_says(payments[lost], "returned")
    await house.is_posted(payments[lost], postings=2)
    assert [len(await house.documents(f"{each}-returned")) for each in payments.values()] == [0, 1]
    assert await house.trial_balance() == 0

    async def shown() -> bool:
        rows = await house.rows("SELECT id, shown FROM invoice_states WHERE customer_id = :id", id=customer_id)
        return {row.id: row.shown for row in rows} == {won: "paid", lost: "open"}

    await until(shown, what="the one invoice being paid and the other open")

    async def is_written_to() -> bool:
        rows = await house.rows("SELECT process_id FROM outbox WHERE template = 'payment_returned' AND state = 'sent'")
        return payments[lost] in {row.process_id for row in rows} and payments[won] not in {row.process_id for row in rows}

    await until(is_written_to, what="the mail to whose bank took it back")


async def test_an_event_for_nobody_is_parked_and_a_stale_one_is_marked_so(house: House) -> None:
    customer_id, (invoice_id,) = await house.customer()
    method_id = await house.saved_method(customer_id)
    request = house.request(customer_id, [(invoice_id, 10_000)], method_id=method_id)
    await house.pay(request)

    async def told() -> bool:
        rows = await house.rows(
            "SELECT state FROM inbox WHERE our_ref = :ref AND state IN ('stale', 'handled', 'delivered')",
            ref=f"{request.payment_id}-1",
        )
        return bool(rows)

    await until(told, what="the event of the capture")


async def test_a_charge_that_was_acknowledged_is_never_taken_for_unsent(house: House) -> None:
    """A provider that does not show it (another account's key, a replica that lags) ends no hold and frees no invoice."""
    customer_id, (invoice_id,) = await house.customer()
    method_id = await house.saved_method(customer_id, use="us_bank_account_6789", kind="us_bank_account")
    request = house.request(customer_id, [(invoice_id, 10_000)], method_id=method_id, **DEBIT)
    assert (await house.pay(request)).state == "processing"
    await house.rows(
        """UPDATE payments SET provider_ref = 'chg_of_another_account', attempt = 7, sent_at = sent_at - interval '9 days'
           WHERE id = :id RETURNING id""",
        id=request.payment_id,
    )
    await house.processes.hint(f"payment/{request.payment_id}", "return")
    await house.reaches(request.payment_id, "unknown")
    held = await house.one("SELECT held FROM balances WHERE id = :id", id=invoice_id)
    assert held.held == 10_000
