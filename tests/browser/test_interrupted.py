"""Browsers that are closed at the wrong moment: what was begun is finished without them."""

from __future__ import annotations

from playwright.async_api import Page, Route, expect

from tests.browser.visiting import (
    Newcomer,
    Visit,
    answer_provider,
    look_at_payment,
    name_of,
    opening_choice,
    payment_on,
    portal_link,
    press_pay,
)
from tests.processes.house import House, until


async def close_after_filling_in(house: House, page: Page, use: str) -> None:
    """The provider has what was filled in; the way back to us never happens, for the browser is gone."""
    cut: list[str] = []

    async def gone(route: Route) -> None:
        cut.append(route.request.url)
        await route.abort()

    await page.context.route(f"{house.base_url}/**", gone)
    await page.locator(f'button[name="use"][value="{use}"]').click(no_wait_after=True)

    async def left() -> bool:
        return bool(cut)

    await until(left, what="the provider sending the browser back")
    await page.context.close()


async def test_a_browser_closed_on_the_providers_page_and_the_method_still_arrives(
    house: House, visit: Visit, newcomer: Newcomer
) -> None:
    customer_id, _ = newcomer()
    page = await visit(customer_id)
    await page.goto(f"{house.base_url}/methods/new")
    await opening_choice(page, "A card")
    await page.get_by_role("button", name="Continue to the payment provider").click()
    await page.wait_for_url("**/pages/setup/**")
    await close_after_filling_in(house, page, "mastercard_ok")

    async def saved() -> bool:
        return bool(await house.rows("SELECT 1 FROM payment_methods WHERE customer_id = :id", id=customer_id))

    await until(saved, what="the method, told by the provider's webhook")
    later = await visit(customer_id)
    await later.goto(f"{house.base_url}/methods")
    await expect(later.get_by_role("link", name="Mastercard ending 4444")).to_be_visible()


async def test_a_browser_closed_while_paying_and_the_payment_still_arrives(
    house: House, visit: Visit, newcomer: Newcomer
) -> None:
    customer_id, invoices = newcomer()
    page = await visit(customer_id)
    await look_at_payment(house, page, invoices)
    await opening_choice(page, "A new card")
    await press_pay(page)
    await page.wait_for_url("**/pages/pay/**")
    await close_after_filling_in(house, page, "card_ok")
    [payment] = await house.rows("SELECT id FROM payments WHERE customer_id = :id", id=customer_id)
    await house.reaches(payment.id, "captured")
    later = await visit(customer_id)
    await later.goto(f"{house.base_url}/payments")
    await expect(later.locator("main")).to_contain_text("Paid")


async def test_a_browser_without_a_session_comes_back_to_a_page_about_nobody(
    house: House, visit: Visit, newcomer: Newcomer
) -> None:
    customer_id, invoices = newcomer()
    page = await visit(customer_id)
    await look_at_payment(house, page, invoices)
    await opening_choice(page, "A new card")
    await press_pay(page)
    await page.wait_for_url("**/pages/pay/**")
    elsewhere = await visit()
    await elsewhere.goto(page.url)
    await answer_provider(elsewhere, "card_ok")
    await expect(elsewhere.get_by_role("heading", name="You are back, thank you")).to_be_visible()
    assert await name_of(house, customer_id) not in await elsewhere.content()
    await elsewhere.goto(await portal_link(house, customer_id))
    await elsewhere.get_by_role("button", name="Continue").click()
    await elsewhere.get_by_role("link", name="Payments", exact=True).click()
    await elsewhere.locator("a.row-link").first.click()
    await house.reaches(await payment_on(elsewhere), "captured")
