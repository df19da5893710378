"""A refund at the browser: twice in part, over the rest refused, with a second person, and one that came back."""

from __future__ import annotations

from playwright.async_api import Page, expect

from store.staff_accounts import Role
from tests.browser.visiting import Newcomer, Visit, come_in, member_of_staff, sign_in
from tests.processes import refunding
from tests.processes.house import House


async def refund(page: Page, payment_url: str, amount: str) -> None:
    """From the payment's page through the form, with what it offers."""
    await page.goto(f"{payment_url}/refund")
    await page.get_by_label("Amount in USD").fill(amount)
    await page.get_by_role("button", name="Go on").click()
    await page.get_by_label("Why").select_option("Agreed with the customer")
    await page.get_by_role("button", name="Refund US$").click()


async def test_a_payment_goes_back_in_parts_and_not_beyond_what_was_taken(
    house: House, visit: Visit, newcomer: Newcomer
) -> None:
    customer_id, (invoice_id,) = newcomer()
    method_id = await house.saved_method(customer_id)
    request = house.request(customer_id, [(invoice_id, 10_000)], method_id=method_id)
    await house.pay(request)
    await house.is_posted(request.payment_id)
    agent, approver, customer = await visit(), await visit(), await visit()
    payment_url = f"{house.base_url}/staff/payments/{request.payment_id}"
    await sign_in(house, agent, await member_of_staff(house), f"/staff/payments/{request.payment_id}")

    await agent.get_by_role("link", name="Refund", exact=True).click()
    await agent.get_by_label("Amount in USD").fill("30.00")
    await agent.get_by_role("button", name="Go on").click()
    await expect(agent.locator("tbody")).to_contain_text("US$30.00")
    await expect(agent.locator("main")).to_contain_text("Left of the payment afterwards: US$70.00")
    await agent.get_by_label("Why").select_option("Wrong amount")
    await agent.get_by_role("button", name="Refund US$30.00").click()
    await expect(agent.locator("#refunds")).to_contain_text("Refunded")
    await refund(agent, payment_url, "20.00")
    await expect(agent.locator("#refunds li")).to_have_count(2)
    await refund(agent, payment_url, "50.01")
    await expect(agent.get_by_role("alert")).to_contain_text("refund_above_captured")

    await come_in(house, customer, customer_id)
    await customer.goto(f"{house.base_url}/payments/{request.payment_id}")
    await expect(customer.locator("#live")).to_contain_text("Partly refunded")
    await customer.goto(f"{house.base_url}/")
    await expect(customer.locator("#account")).to_contain_text("US$50.00")

    await refunding.limit(house, 1_000)
    try:
        await refund(agent, payment_url, "50.00")
        await expect(agent.locator("#refunds")).to_contain_text("Waits for a second person")
        await sign_in(house, approver, await member_of_staff(house, Role.APPROVER), f"/staff/payments/{request.payment_id}")
        await approver.get_by_role("button", name="Approve the refund of US$50.00").click()
        await expect(approver.locator("#refunds")).to_contain_text("approved by")
    finally:
        await refunding.limit(house, 10**9)
    row = await house.one("SELECT id FROM refunds WHERE payment_id = :id AND amount = 5000", id=request.payment_id)
    await refunding.reaches(house, row.id, "refunded")
    await refunding.told_to_the_erp(house, request.payment_id, "refunded", row.id)

    await house.provider_post("/v1/test/refunds/move", {"our_ref": row.id, "status": "failed"})
    await refunding.reaches(house, row.id, "failed")
    await agent.goto(payment_url)
    await expect(agent.locator("#refunds")).to_contain_text("It failed (account closed)")
    await expect(agent.locator(".telling")).to_contain_text("The refund came back after it had succeeded")
    assert await refunding.open_now(house, invoice_id) == 5_000
    assert await house.trial_balance() == 0
