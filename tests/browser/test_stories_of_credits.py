"""A credit at the browser: asked for, approved, rejected, withdrawn; two who decide at once; what was paid meanwhile."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from store.staff_accounts import Role
from tests.browser.visiting import Visit, come_in, is_told, member_of_staff, sign_in
from tests.processes import refunding
from tests.processes.house import House, until
from tests.processes.requesting import Case, Requests


async def ask(house: House, page: Page, case: Case, amount: str) -> str:
    """From the credit over the double-check to the request's page; its id."""
    await page.goto(f"{house.base_url}/credits/{case.credit_id}")
    await page.get_by_role("link", name="Apply to invoices").click()
    await page.locator(f'input[name="{case.invoice_ids[0]}"]').fill(amount)
    await page.get_by_role("button", name="Check before sending").click()
    await expect(page.locator("main")).to_contain_text("To be applied")
    await page.get_by_role("button", name="Send the request").click()
    await page.wait_for_url("**/requests/req_*")
    await is_told(page, "Requested")
    return page.url.rsplit("/", 1)[1]


async def decider(house: House, visit: Visit, request_id: str, role: Role = Role.AGENT) -> Page:
    """Somebody of staff before a request."""
    page = await visit()
    await sign_in(house, page, await member_of_staff(house, role), f"/staff/requests/{request_id}")
    return page


async def press(page: Page, name: str, text: str = "") -> None:
    if text:
        await page.locator("#text").fill(text)
    await page.get_by_role("button", name=name).click()


async def test_a_credit_is_asked_for_asked_about_and_approved_without_a_script_and_then_is_in_the_erp(
    house: House, visit: Visit
) -> None:
    requests = Requests(house)
    case = await requests.case()
    customer = await visit(java_script_enabled=False)
    await come_in(house, customer, case.customer_id)
    request_id = await ask(house, customer, case, "40.00")
    agent = await decider(house, visit, request_id)
    await expect(agent.locator(".deciding")).to_contain_text("US$60.00")
    await press(agent, "Ask the customer", "Which delivery was it?")
    await expect(agent.locator("main")).to_contain_text("No answer yet")
    await customer.reload()
    await customer.get_by_label("Your answer").fill("The one of <b>May</b>")
    await customer.get_by_role("button", name="Send the answer").click()
    await is_told(customer, "Requested", "You answered: The one of <b>May</b>")
    await agent.reload()
    await expect(agent.locator("main")).to_contain_text("The one of <b>May</b>")
    await press(agent, "Approve")
    await requests.reaches(request_id, "applied")
    assert await requests.at_the_erp(case) == (2_000, [((await erp_id(house, case)), 4_000)])
    await customer.goto(f"{house.base_url}/requests/{request_id}")
    await is_told(customer, "Applied", "Entered in the books of")
    await customer.goto(f"{house.base_url}/credits/{case.credit_id}")
    await expect(customer.locator("main")).to_contain_text("US$20.00")
    async with agent.expect_download() as file:
        await agent.get_by_role("link", name="Export as PDF").click()
    assert (await file.value).suggested_filename == f"{request_id}.pdf"


@pytest.mark.long
async def test_a_reason_is_read_a_withdrawal_leaves_nothing_held_and_what_was_paid_meanwhile_is_not_applied(
    house: House, visit: Visit
) -> None:
    requests = Requests(house)
    case = await requests.case()
    customer = await visit(case.customer_id)
    first = await ask(house, customer, case, "40.00")
    agent = await decider(house, visit, first)
    await press(agent, "Reject")
    await expect(agent.get_by_role("alert")).to_contain_text("reason_needed")
    await press(agent, "Reject", "This credit is for another site")
    await is_told(customer, "Not approved", "This credit is for another site")
    assert (await requests.left(case), await requests.open(case)) == ((6_000, 0), [(10_000, 0)])

    second = await ask(house, customer, case, "40.00")
    await customer.get_by_role("button", name="Withdraw the request").click()
    await is_told(customer, "Withdrawn", "Everything is as it was")
    assert (await requests.row(second)).state == "withdrawn"
    assert (await requests.left(case), await requests.open(case)) == ((6_000, 0), [(10_000, 0)])

    third = await ask(house, customer, case, "40.00")
    await agent.goto(f"{house.base_url}/staff/requests/{third}")
    await house.erp_post(
        "/bulk",
        {
            "customers": [],
            "invoices": [],
            "documents": [
                {
                    "kind": "Payment",
                    "customer_id": await owner(house, case),
                    "currency": "USD",
                    "amount": 8_000,
                    "on": "2026-09-20",
                    "lines": [{"invoice_id": await erp_id(house, case), "amount": 8_000}],
                }
            ],
        },
    )
    await house.sync()

    async def is_read() -> bool:
        return [each for each, _ in await requests.open(case)] == [2_000]

    await until(is_read, within_seconds=30, what="the sync of what was paid elsewhere")
    await press(agent, "Approve")
    await expect(agent.get_by_role("alert")).to_be_visible()
    await expect(agent.locator(".deciding")).to_contain_text("US$20.00")
    assert (await requests.row(third)).state == "submitted"
    await requests.is_sound()


@pytest.mark.long
async def test_of_two_who_decide_at_once_one_wins_and_above_the_limit_a_second_person_must_agree(
    house: House, visit: Visit
) -> None:
    requests = Requests(house)
    case = await requests.case()
    customer = await visit(case.customer_id)
    request_id = await ask(house, customer, case, "10.00")
    winner, loser = await decider(house, visit, request_id), await decider(house, visit, request_id)
    await press(winner, "Approve")
    await requests.reaches(request_id, "applied")
    await press(loser, "Reject", "I had not seen it")
    await expect(loser.get_by_role("alert")).to_contain_text("request_moved_on")
    await expect(loser.locator(".telling")).to_contain_text("Approved")
    assert (await requests.row(request_id)).reason is None

    await refunding.limit(house, 1_000)
    try:
        above = await ask(house, customer, case, "20.00")
        await winner.goto(f"{house.base_url}/staff/requests/{above}")
        await press(winner, "Approve as the first of two")
        await expect(winner.locator("main")).to_contain_text("A second one is needed above the limit")
        await expect(winner.get_by_role("button", name="Approve")).to_have_count(0)
        await loser.goto(winner.url)
        await expect(loser.locator("#decide")).to_contain_text("approver_needed")
        approver = await decider(house, visit, above, Role.APPROVER)
        await press(approver, "Approve")
        await requests.reaches(above, "applied")
    finally:
        await refunding.limit(house, 10**9)
    await is_told(customer, "Applied")
    assert (await requests.at_the_erp(case))[0] == 3_000


async def erp_id(house: House, case: Case) -> str:
    return str((await house.one("SELECT erp_id FROM invoices WHERE id = :id", id=case.invoice_ids[0])).erp_id)


async def owner(house: House, case: Case) -> str:
    return str((await house.one("SELECT erp_id FROM customers WHERE id = :id", id=case.customer_id)).erp_id)
