"""The main job over a vendor in the sandbox's place: connected on the staff pages, a card saved on its pages, paid with."""

from __future__ import annotations

import contextlib

import pytest
from playwright.async_api import expect

from launch.drill.ground import NotInTime
from store import business
from tests.browser.vendors import ADYEN, BY_BANK, GOCARDLESS, STRIPE, Vendor, played
from tests.browser.visiting import (
    ON_ITS_WAY,
    Visit,
    email_of,
    is_told,
    mails_to,
    opening_choice,
    payment_on,
    portal_link,
    press_pay,
)
from tests.processes.house import House, now, until


async def queues_of(house: House, workflow_id: str, activity: str) -> set[str]:
    """The task queues on which a workflow put an activity."""
    history = await house.client.get_workflow_handle(workflow_id).fetch_history()
    scheduled = [each.activity_task_scheduled_event_attributes for each in history.events]
    return {each.task_queue.name for each in scheduled if each.activity_type.name == activity}


@pytest.mark.parametrize(
    "vendor",
    [STRIPE, pytest.param(GOCARDLESS, marks=pytest.mark.long), pytest.param(ADYEN, marks=pytest.mark.long)],
    ids=lambda each: each.name,
)
async def test_from_the_link_over_a_saved_card_to_the_erp_and_the_receipt(
    house: House, visit: Visit, vendor: Vendor
) -> None:
    customer_id, invoices = await house.customer(invoices=(12_000, 34_050, 5_000, 99_900), currency=vendor.currency)
    async with played(house, await visit(), vendor) as far:
        page = await visit()
        await page.goto(await portal_link(house, customer_id))
        await page.get_by_role("button", name="Continue").click()
        await page.get_by_role("navigation", name="Main").get_by_role("link", name="Payment methods").click()
        await page.get_by_role("link", name="Add a method").click()
        await opening_choice(page, vendor.way)
        await page.get_by_role("button", name="Continue to the payment provider").click()
        await page.wait_for_url(f"{far.url}/**")
        await page.get_by_label(vendor.good, exact=True).check()
        await page.get_by_role("button", name=vendor.saves).click()
        await is_told(page, "Saved")
        await page.get_by_role("link", name="Pay invoices").click()

        for invoice in invoices[:3]:
            await page.locator(f'input[name="i"][value="{invoice}"]').check()
        await page.get_by_role("button", name="Continue").click()
        await expect(page.locator("label.way", has=page.locator(":checked"))).to_contain_text("ending")
        await press_pay(page)
        payment_id = await payment_on(page)
        if vendor.takes_days:
            await is_told(page, ON_ITS_WAY)
            await far.days_pass(5)
            await house.reaches(payment_id, "settled")
            await house.is_posted(payment_id)
            await page.reload()
        await is_told(page, "Paid and settled" if vendor.takes_days else "Paid", "Payment received", "Entered in")

        assert await far.moving(f"{payment_id}-1") == 1
        [document] = await house.documents(f"{payment_id}-captured")
        assert document["amount"] == 51_050
        assert sorted(each["amount"] for each in document["applied"]) == [5_000, 12_000, 34_050]
        [receipt] = await mails_to(house, await email_of(house, customer_id), "receipt")
        assert "510.50" in receipt["plain"]
        row = await house.payment(payment_id)
        assert row.connection_id == vendor.connection
        assert await house.trial_balance() == 0

        queue = f"duly/{vendor.connection}" if vendor.is_limited else "duly"
        assert await queues_of(house, f"payment/{payment_id}", "charge") == {queue}

        async def unheard() -> list[str]:
            rows = await house.rows("SELECT kind, state FROM inbox WHERE connection_id = :id", id=vendor.connection)
            assert rows
            return [f"{each.kind} is {each.state}" for each in rows if each.state not in {"handled", "stale"}]

        async def heard() -> bool:
            return not await unheard()

        with contextlib.suppress(NotInTime):  # a wake that is lost under load waits for the sweep after the next
            await until(heard, within_seconds=90, what="the vendor's events being done with")
        assert await unheard() == []


async def test_one_click_pays_the_account_by_bank_and_the_return_alone_pays_nothing(house: House, visit: Visit) -> None:
    customer_id, _ = await house.customer(invoices=(12_000, 34_050), currency="GBP")
    async with house.admin.begin("test") as tx:
        await tx.run("UPDATE customers SET country = 'GB' WHERE id = :id", id=customer_id)
        await business.change(tx, "bank_account", "GB33 BUKB 2020 1555 5555 55", by="test", at=now())
    async with played(house, await visit(), BY_BANK) as far:
        page = await visit(customer_id)
        await page.get_by_role("button", name="Pay £460.50 by bank").click()
        await page.wait_for_url(f"{far.url}/**")
        await expect(page.get_by_role("heading")).to_contain_text("46050 GBP")
        await page.get_by_role("link", name="Leave without doing anything").click()
        payment_id = await payment_on(page)
        assert (await house.payment(payment_id)).state == "awaiting_customer"
        assert await far.moving(f"{payment_id}-1") == 0
        await page.go_back()
        await page.get_by_label(BY_BANK.good, exact=True).check()
        await page.get_by_role("button", name=BY_BANK.saves).click()
        await is_told(page, "Paid", "Payment received", "Entered in")
        assert await far.moving(f"{payment_id}-1") == 1
        [document] = await house.documents(f"{payment_id}-captured")
        assert document["amount"] == 46_050
        assert await house.trial_balance() == 0
    async with house.admin.begin("test") as tx:
        await business.change(tx, "bank_account", "", by="test", at=now())
