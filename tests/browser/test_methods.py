"""Payment methods between two tabs and a provider that says no: one default, and a list that tells the truth."""

from __future__ import annotations

import asyncio

from playwright.async_api import Page, expect

from tests.browser.visiting import Newcomer, Visit, look_at_payment, payment_on, press_pay
from tests.processes.house import House


async def default_of(house: House, customer_id: str) -> list[str]:
    rows = await house.rows("SELECT id FROM payment_methods WHERE customer_id = :id AND is_default", id=customer_id)
    return [row.id for row in rows]


async def open_method(house: House, page: Page, method_id: str) -> None:
    await page.goto(f"{house.base_url}/methods/{method_id}")


async def test_two_tabs_that_choose_different_defaults_at_once_leave_one(
    house: House, visit: Visit, newcomer: Newcomer
) -> None:
    customer_id, _ = newcomer()
    first, *others = [await house.saved_method(customer_id, use) for use in ("card_ok", "mastercard_ok", "card_ok")]
    assert await default_of(house, customer_id) == [first]
    page = await visit(customer_id)
    tabs = [page, await page.context.new_page()]
    for tab, method_id in zip(tabs, others, strict=True):
        await open_method(house, tab, method_id)
    await asyncio.gather(*(tab.get_by_role("button", name="Make this the default").click() for tab in tabs))
    [chosen] = await default_of(house, customer_id)
    assert chosen in others
    await page.goto(f"{house.base_url}/methods")
    await expect(page.locator(".row-link", has_text="Default")).to_have_count(1)
    await expect(page.locator(f'.row-link[href="/methods/{chosen}"]')).to_contain_text("Default")


async def test_a_method_that_pays_something_is_not_deleted_and_says_so(
    house: House, visit: Visit, newcomer: Newcomer
) -> None:
    customer_id, invoices = newcomer()
    method_id = await house.saved_method(customer_id, use="us_bank_account_6789", kind="us_bank_account")
    page = await visit(customer_id)
    await open_method(house, page, method_id)  # before it is in use: this tab still offers to delete it
    other = await page.context.new_page()
    await look_at_payment(house, other, invoices)
    await press_pay(other)
    await payment_on(other)
    await page.get_by_role("button", name="Delete").click()
    await expect(page.get_by_role("alert").first).to_contain_text("is paying something at this moment")
    await page.goto(f"{house.base_url}/methods")
    await expect(page.locator(f'a[href="/methods/{method_id}"]')).to_be_visible()


async def test_a_method_that_the_provider_keeps_stays_listed_and_the_page_says_why(
    house: House, visit: Visit, newcomer: Newcomer
) -> None:
    customer_id, _ = newcomer()
    method_id = await house.saved_method(customer_id)
    page = await visit(customer_id)
    await open_method(house, page, method_id)
    await house.provider_fault("detach", "refuse")
    await page.get_by_role("button", name="Delete").click()
    await expect(page.get_by_role("alert").first).to_contain_text("keeps it")
    await page.goto(f"{house.base_url}/methods")
    await expect(page.locator(f'a[href="/methods/{method_id}"]')).to_be_visible()
    await open_method(house, page, method_id)
    await expect(page.get_by_role("alert").first).to_contain_text("It is still listed and can still be charged")

    await page.get_by_role("button", name="Delete").click()
    await expect(page.get_by_role("heading", name="No payment methods yet")).to_be_visible()
    ledger = (await house.provider.get("/v1/test/ledger")).json()
    assert [each for each in ledger["methods"] if method_id in str(each)] == []


async def test_deleting_the_default_names_the_next_one(house: House, visit: Visit, newcomer: Newcomer) -> None:
    customer_id, _ = newcomer()
    first, second, third = [await house.saved_method(customer_id, use) for use in ("card_ok", "mastercard_ok", "card_ok")]
    page = await visit(customer_id)
    await open_method(house, page, first)
    await page.get_by_label("Which one is the default next?").select_option(third)
    await page.get_by_role("button", name="Delete").click()
    await expect(page.locator(f'a[href="/methods/{first}"]')).to_have_count(0)
    await expect(page.locator(f'a[href="/methods/{third}"]')).to_contain_text("Default")
    assert await default_of(house, customer_id) == [third]
    assert second != third
