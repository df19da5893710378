"""The main job, start to finish, as a customer sees it; what stands in the ERP and in the mailbox at its end."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.visiting import Visit, email_of, is_told, mails_to, payment_on, portal_link, press_pay
from tests.processes.house import House


@pytest.mark.parametrize("scripted", [True, False], ids=["with a script", "JavaScript off"])
async def test_from_the_link_over_a_saved_card_to_the_erp_and_the_receipt(
    house: House, visit: Visit, scripted: bool
) -> None:
    customer_id, invoices = await house.customer(invoices=(12_000, 34_050, 5_000, 99_900), name="Brightwater Facilities")
    page = await visit(java_script_enabled=scripted)

    await page.goto(await portal_link(house, customer_id))
    await page.get_by_role("button", name="Continue").click()
    await expect(page.locator(".tile", has_text="Overdue balance").locator(".tile-figure")).to_have_text("US$1,509.50")

    # A method, by redirect.
    await page.get_by_role("navigation", name="Main").get_by_role("link", name="Payment methods").click()
    await page.get_by_role("link", name="Add a method").click()
    await page.get_by_role("button", name="Continue to the payment provider").click()
    await page.wait_for_url(f"{house.machine.addresses()['provider']}/pages/**")
    await page.get_by_label("Card number").fill("4242 4242 4242 4242")
    await page.get_by_label("Expiry").fill("04/29")
    await page.get_by_label("CVC").fill("123")
    await page.get_by_role("button", name="Save this payment method").click()
    await is_told(page, "Saved", "Your card is saved")
    await page.get_by_role("link", name="Pay invoices").click()

    # Three of four invoices, chosen and looked at.
    for invoice in invoices[:3]:
        await page.locator(f'input[name="i"][value="{invoice}"]').check()
    if not scripted:
        await page.get_by_role("button", name="Work out the total").click()
    await expect(page.locator(".bar-sum strong")).to_have_text("US$510.50")
    await expect(page.locator(".tile", has_text="Invoices to pay").locator("[data-count]")).to_have_text("3")
    await page.get_by_role("button", name="Continue").click()
    await expect(page.locator("label.way", has=page.locator(":checked"))).to_contain_text("ending 4242")
    await expect(page.locator("[data-balance-after]")).to_have_text("US$999.00")
    await expect(page.locator("[data-pay]")).to_have_text("Pay US$510.50")
    await press_pay(page)

    # The page that stays true.
    payment_id = await payment_on(page)
    await is_told(page, "Paid", "Payment received", "Entered in")
    await expect(page.locator("#live")).to_contain_text(await email_of(house, customer_id))

    [document] = await house.documents(f"{payment_id}-captured")
    assert document["amount"] == 51_050
    assert sorted(each["amount"] for each in document["applied"]) == [5_000, 12_000, 34_050]
    assert len(await house.charges(payment_id)) == 1
    [receipt] = await mails_to(house, await email_of(house, customer_id), "receipt")
    assert "510.50" in receipt["plain"]
    await page.get_by_role("link", name="Back to your invoices").click()
    await expect(page.locator(".tile", has_text="Overdue balance").locator(".tile-figure")).to_have_text("US$999.00")
    assert await house.trial_balance() == 0
