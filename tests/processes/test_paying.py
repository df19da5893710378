"""A payment from the click to the ERP, with the real programs: one charge, one document, books in balance."""

from __future__ import annotations

from tests.processes.house import House


async def test_a_saved_card_pays_two_invoices_and_the_erp_has_it_once(house: House) -> None:
    customer_id, (first, second) = await house.customer(invoices=(10_000, 5_000))
    method_id = await house.saved_method(customer_id)
    request = house.request(customer_id, [(first, 10_000), (second, 2_500)], method_id=method_id)

    answer = await house.pay(request)

    assert answer.state == "captured"
    await house.is_posted(request.payment_id)
    assert len(await house.charges(request.payment_id)) == 1
    documents = await house.documents(f"{request.payment_id}-captured")
    assert len(documents) == 1
    assert await house.trial_balance() == 0
    states = await house.rows(
        "SELECT shown, open FROM invoice_states WHERE customer_id = :id ORDER BY issued_on", id=customer_id
    )
    assert [(row.shown, row.open) for row in states] == [("paid", 0), ("partially_paid", 2_500)]
