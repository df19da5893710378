"""What banks and cards do to a payment, and how the customer is told: questions, refusals, days of waiting, returns."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.browser.visiting import (
    ON_ITS_WAY,
    Newcomer,
    Visit,
    add_method,
    answer_provider,
    charged,
    days_pass,
    is_told,
    look_at_payment,
    opening_choice,
    paid_by,
    payment_on,
    press_pay,
)
from tests.processes.house import House, until


async def may_select(house: House, page: Page, invoice: str) -> None:
    """The overview comes to offer this invoice."""

    async def open_again() -> bool:
        row = await house.one("SELECT shown FROM invoice_states WHERE id = :id", id=invoice)
        return bool(row.shown == "open")

    await until(open_again, what="the invoice being open again")
    await page.goto(f"{house.base_url}/")
    await expect(page.locator(f'input[name="i"][value="{invoice}"]')).to_be_enabled()


async def test_the_bank_asks_and_is_answered_at_the_set_up_and_at_each_payment(
    house: House, visit: Visit, newcomer: Newcomer
) -> None:
    customer_id, invoices = newcomer()
    page = await visit(customer_id)
    await add_method(house, page, "card_challenge_always")
    await page.get_by_role("button", name="Yes, approve").click()
    await is_told(page, "Saved")
    await look_at_payment(house, page, invoices)
    await press_pay(page)
    await expect(page.get_by_role("heading", name="Is this you")).to_be_visible()
    await page.get_by_role("button", name="Yes, approve").click()
    await payment_on(page)
    await is_told(page, "Paid", "You were sent to the payment provider's page", "Payment received")
    assert await charged(house, customer_id) == 1


@pytest.mark.long
async def test_who_refuses_at_the_bank_is_charged_nothing(house: House, visit: Visit, newcomer: Newcomer) -> None:
    customer_id, invoices = newcomer()
    page = await visit(customer_id)
    await add_method(house, page, "card_challenge_always")
    await page.get_by_role("button", name="Yes, approve").click()
    await is_told(page, "Saved")
    await look_at_payment(house, page, invoices)
    await press_pay(page)
    await page.get_by_role("button", name="No, refuse").click()
    await payment_on(page)
    await expect(page.locator("#live")).to_contain_text("Nothing was charged. The invoices are open again.")
    assert await charged(house, customer_id) == 0


async def test_a_declined_card_is_told_why_and_the_invoice_can_be_paid_another_way(
    house: House, visit: Visit, newcomer: Newcomer
) -> None:
    customer_id, invoices = newcomer()
    page = await visit(customer_id)
    await add_method(house, page, "card_charge_declined")
    await is_told(page, "Saved")
    await look_at_payment(house, page, invoices)
    await press_pay(page)
    await payment_on(page)
    await is_told(page, "Declined", "Declined: ", "Nothing was charged. The invoices are open again.")
    await page.get_by_role("link", name="Pay another way").click()
    await opening_choice(page, "A new card")
    await press_pay(page)
    await answer_provider(page, "card_ok")
    await payment_on(page)
    await is_told(page, "Paid")
    assert [each.state for each in await paid_by(house, customer_id)] == ["declined", "captured"]
    assert await charged(house, customer_id) == 1


@pytest.mark.parametrize("agrees", [pytest.param(False, marks=pytest.mark.long), True], ids=["once", "with consent"])
async def test_a_new_card_is_kept_only_with_consent(house: House, visit: Visit, newcomer: Newcomer, agrees: bool) -> None:
    customer_id, invoices = newcomer()
    page = await visit(customer_id)
    await look_at_payment(house, page, invoices)
    await opening_choice(page, "A new card")
    consent = page.get_by_role("checkbox", name="Save this card for future payments")
    await expect(consent).not_to_be_checked()
    wording = " ".join((await page.locator("label.consent", has=consent).inner_text()).split())
    if agrees:
        await consent.check()
    await press_pay(page)
    await answer_provider(page, "card_ok")
    payment_id = await payment_on(page)
    await is_told(page, "Paid")
    kept = await house.rows("SELECT * FROM payment_methods WHERE customer_id = :id", id=customer_id)
    ledger = (await house.provider.get("/v1/test/ledger", params={"our_ref": f"{payment_id}-1"})).json()
    assert len(kept) == len(ledger["methods"]) == int(agrees)
    await page.get_by_role("link", name="Payment methods").click()
    if agrees:
        assert (await house.payment(payment_id)).consent_wording == wording
        await expect(page.get_by_role("link", name="Visa ending 4242")).to_be_visible()
    else:
        await expect(page.get_by_role("heading", name="No payment methods yet")).to_be_visible()


async def pay_from_bank(house: House, page: Page, invoices: list[str], use: str) -> str:
    """Add a US bank account, pay with it, and see that the bank has accepted."""
    await add_method(house, page, use, "A US bank account")
    await is_told(page, "Saved")
    await look_at_payment(house, page, invoices)
    await press_pay(page)
    payment_id = await payment_on(page)
    await is_told(page, ON_ITS_WAY, "Your bank accepted the debit", "Waiting for your bank to send the money")
    return payment_id


@pytest.mark.long
async def test_a_bank_debit_is_on_its_way_for_days_and_settles(house: House, visit: Visit, newcomer: Newcomer) -> None:
    customer_id, invoices = newcomer()
    page = await visit(customer_id)
    payment_id = await pay_from_bank(house, page, invoices, "us_bank_account_6789")
    assert await house.documents(f"{payment_id}-captured") == []
    await days_pass(house, 2)
    await house.reaches(payment_id, "captured")
    await page.reload()
    await is_told(page, "Paid", "Payment received")
    await days_pass(house, 5)
    await house.reaches(payment_id, "settled")
    await page.reload()
    await is_told(page, "Paid and settled")
    assert await charged(house, customer_id) == 1


@pytest.mark.long
async def test_a_returned_debit_opens_the_invoice_again_and_is_reversed_once(
    house: House, visit: Visit, newcomer: Newcomer
) -> None:
    customer_id, invoices = newcomer()
    page = await visit(customer_id)
    payment_id = await pay_from_bank(house, page, invoices, "us_bank_account_2227")
    await days_pass(house, 2)
    await house.reaches(payment_id, "captured")
    await house.is_posted(payment_id)
    await days_pass(house, 5)
    await house.reaches(payment_id, "returned")
    await page.reload()
    await is_told(page, "Returned", "Your bank took the money back: ", "The invoices are open again.")
    await expect(page.get_by_role("link", name="Pay another way")).to_be_visible()
    await house.is_posted(payment_id, postings=2)
    assert len(await house.documents(f"{payment_id}-captured")) == 1
    [reversal] = await house.documents(f"{payment_id}-returned")
    assert (reversal["kind"], reversal["amount"]) == ("Reversal", 10_000)
    await may_select(house, page, invoices[0])
    assert await house.trial_balance() == 0
