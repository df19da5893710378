"""Whatever was done at a far side behind our back is found by the next comparison: once, and as what it is."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest

from activities.requests import CloseOrder
from tests.processes.house import House, until


async def compared(house: House) -> Any:
    """Let it run; its row once it is over. One that runs already may have passed what this test did: the next one counts."""
    before = {row.id for row in await house.rows("SELECT id FROM reconciliations")}

    async def over() -> Any:
        rows = await house.rows(
            "SELECT * FROM reconciliations WHERE finished_at IS NOT NULL ORDER BY started_at DESC LIMIT 1"
        )
        if rows and rows[0].id not in before:
            return rows[0]
        await house.processes.reconcile()
        return None

    return await until(over, within_seconds=60, what="the end of a comparison")


async def paid(house: House, *totals: int) -> tuple[str, str, str]:
    """A payment over an invoice each, which the ERP has: its id, its customer's, the last invoice's id at the ERP."""
    customer, invoices = await house.customer(invoices=totals)
    method = await house.saved_method(customer)
    request = house.request(customer, list(zip(invoices, totals, strict=True)), method_id=method)
    await house.pay(request)
    await house.is_posted(request.payment_id)
    erp_id = (await house.one("SELECT erp_id FROM invoices WHERE id = :id", id=invoices[-1])).erp_id
    return request.payment_id, customer, erp_id


async def told(house: House, customer: str) -> list[tuple[str, int]]:
    """What is open about a customer, as the inbox tells it: no word about an invoice whose payment is the word."""
    await house.sync()
    rows = await house.rows(
        """SELECT kind, amount FROM differences WHERE customer_id = :id AND closed_at IS NULL AND kind <> 'edited_in_erp'
           ORDER BY kind""",
        id=customer,
    )
    return [(row.kind, row.amount) for row in rows]


async def act(house: House, what: str, **facts: Any) -> None:
    await house.far.erp_post("/test/act", {"act": what, **facts})
    await house.sync()


async def test_what_a_person_did_to_a_payments_document_is_one_difference_of_its_class(house: House) -> None:
    deleted, deleted_of, _ = await paid(house, 1_000, 2_000)
    edited, edited_of, invoice = await paid(house, 4_000)
    _, fine_of, _ = await paid(house, 7_000)
    await act(house, "delete_payment", reference=f"{deleted}-captured")
    await act(house, "edit_payment", reference=f"{edited}-captured", invoice_id=invoice, amount=3_900)
    run = await compared(house)
    assert not run.is_equal
    assert run.sides["demo"]["looked_at"] >= 2
    assert await told(house, deleted_of) == [("deleted_in_erp", -3_000)]
    assert await told(house, edited_of) == [("amount_in_erp", -100)]
    assert await told(house, fine_of) == []
    await compared(house)
    assert await told(house, deleted_of) == [("deleted_in_erp", -3_000)], "found again, it is the same one"

    # A figure is put right there: it ends by itself. What was deleted ends for a reason, and stays ended.
    await act(house, "edit_payment", reference=f"{edited}-captured", invoice_id=invoice, amount=4_000)
    difference = await house.one(
        "SELECT id FROM differences WHERE process_id = :id AND kind = 'deleted_in_erp' AND closed_at IS NULL", id=deleted
    )
    order = CloseOrder(difference_id=difference.id, reason="paid in cash instead", by="stf_ann")
    assert (await house.processes.close_difference(order)).state == "closed"
    late = await house.processes.close_difference(CloseOrder(difference_id=difference.id, reason="no idea", by="stf_ben"))
    assert late.rule == "difference_moved_on"
    await compared(house)
    assert await told(house, edited_of) == []
    assert await told(house, deleted_of) == []
    assert (await house.one("SELECT closed_by FROM differences WHERE id = :id", id=difference.id)).closed_by == "stf_ann"


async def test_a_document_that_is_there_twice_is_found_and_ends_when_one_is_gone(house: House) -> None:
    payment, customer, _ = await paid(house, 5_000)
    erp_customer = (await house.one("SELECT erp_id FROM customers WHERE id = :id", id=customer)).erp_id
    again = {
        "external_reference": f"{payment}-captured", "customer_id": erp_customer, "currency": "USD", "amount": 5_000,
        "received_on": "2026-11-20",
    }  # fmt: skip
    await house.far.erp_post("/payments", again)
    await compared(house)
    assert await told(house, customer) == [("duplicate_in_erp", 5_000)]
    await act(house, "delete_payment", reference=f"{payment}-captured")
    # Somebody at the desk was faster: what is asked for on yesterday's page takes nothing back, since one stands alone.
    found = await house.one("SELECT id, facts FROM differences WHERE process_id = :id AND closed_at IS NULL", id=payment)
    order = CloseOrder(difference_id=found.id, reason="", by="stf_ann", take_back=found.facts["surplus"])
    assert (await house.processes.close_difference(order)).state == "queued"

    async def refused() -> bool:
        row = await house.one("SELECT state FROM postings WHERE payment_id = :id AND kind = 'surplus'", id=payment)
        return bool(row.state == "canceled")

    await until(refused, what="the refusal")
    await compared(house)
    assert [kind for kind, _ in await told(house, customer)] == []
    states = sorted(each["state"] for each in await house.documents(f"{payment}-captured"))
    assert states == ["Deleted", "Posted"]


async def test_two_people_have_the_surplus_one_of_two_documents_taken_back_once(house: House) -> None:
    """Counted at the ERP: one reversal, of the document that is not ours, and our own still pays its invoice."""
    payment, customer, invoice = await paid(house, 5_000)
    reference = f"{payment}-captured"
    erp_customer = (await house.one("SELECT erp_id FROM customers WHERE id = :id", id=customer)).erp_id
    ours = (await house.one("SELECT erp_id FROM postings WHERE id = :id", id=reference)).erp_id
    again = {
        "external_reference": reference, "customer_id": erp_customer, "currency": "USD", "amount": 5_000,
        "received_on": "2026-11-20",
    }  # fmt: skip
    await house.far.erp_post("/payments", again)
    await compared(house)
    found = await house.one("SELECT id, facts FROM differences WHERE process_id = :id AND closed_at IS NULL", id=payment)
    surplus = found.facts["surplus"]
    assert surplus != ours
    wrong = CloseOrder(difference_id=found.id, reason="", by="stf_eve", take_back=ours)
    assert (await house.processes.close_difference(wrong)).rule == "difference_moved_on", (
        "it is not the one that is too much"
    )
    order = CloseOrder(difference_id=found.id, reason="", by="stf_ann", take_back=surplus)
    answers = await asyncio.gather(
        house.processes.close_difference(order),
        house.processes.close_difference(dataclasses.replace(order, by="stf_ben")),
    )
    assert [each.state for each in answers] == ["queued", "queued"]

    async def through() -> bool:
        row = await house.one("SELECT state FROM postings WHERE payment_id = :id AND kind = 'surplus'", id=payment)
        return bool(row.state == "confirmed")

    await until(through, what="the reversal")
    assert (await house.processes.close_difference(order)).state == "queued", "asked for once more, it is the same"
    await compared(house)
    assert await told(house, customer) == []
    documents = {each["id"]: each["state"] for each in await house.documents(reference)}
    assert documents == {ours: "Posted", surplus: "Reversed"}
    mends = await house.rows("SELECT id, state FROM postings WHERE payment_id = :id AND kind = 'surplus'", id=payment)
    assert [(each.state, len(await house.documents(each.id))) for each in mends] == [("confirmed", 1)]
    shown = await house.one(
        "SELECT s.shown FROM invoice_states s JOIN invoices i USING (id) WHERE i.erp_id = :id", id=invoice
    )
    assert shown.shown == "paid"


async def test_a_voided_invoice_that_was_paid_and_a_payment_by_hand_are_told_once(house: House) -> None:
    _, void_of, invoice = await paid(house, 6_000)
    await act(house, "void", invoice_id=invoice)
    customer, (open_invoice,) = await house.customer(invoices=(8_000,))
    erp_id = (await house.one("SELECT erp_id FROM invoices WHERE id = :id", id=open_invoice)).erp_id
    await act(house, "pay_by_hand", invoice_id=erp_id, amount=8_000)
    await compared(house)
    kinds = [kind for kind, _ in await told(house, void_of)]
    assert kinds.count("paid_then_void") == 1
    assert await told(house, customer) == [], "it counts in what is open, and waits for nobody"
    shown = await house.one("SELECT shown FROM invoice_states WHERE id = :id", id=open_invoice)
    assert shown.shown == "paid"


async def test_an_erp_that_is_down_makes_the_comparison_unequal_and_keeps_the_providers_from_nothing(house: House) -> None:
    await paid(house, 1_500)
    await house.knobs(down=True)
    try:
        run = await compared(house)
        assert not run.is_equal
        assert "problem" in run.sides["demo"] or run.sides["demo"]["looked_at"] == 0
        assert run.sides["sandbox"]["looked_at"] >= 1
    finally:
        await house.knobs(reset=True)


@pytest.mark.parametrize("_again", range(2))
async def test_a_comparison_of_what_agrees_opens_nothing(house: House, _again: int) -> None:
    _, customer, _ = await paid(house, 2_500)
    await compared(house)
    assert await told(house, customer) == []
