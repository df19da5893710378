"""Hurried, doubtful and divided people: two tabs, double clicks, 'back' and again. One charge, and an answer each time."""

from __future__ import annotations

import asyncio
import re
from urllib.parse import parse_qsl

import pytest
from playwright.async_api import Page, Request, expect

from tests.browser.visiting import (
    ON_ITS_WAY,
    Newcomer,
    Visit,
    charged,
    come_in,
    is_told,
    look_at_payment,
    paid_by,
    payment_on,
    press_pay,
)
from tests.processes.house import House


async def two_tabs(house: House, visit: Visit, customer_id: str) -> tuple[Page, Page]:
    first = await visit(customer_id)
    return first, await first.context.new_page()


async def test_two_tabs_that_pay_the_same_invoice_at_once_charge_once(
    house: House, visit: Visit, newcomer: Newcomer
) -> None:
    customer_id, invoices = newcomer()
    await house.saved_method(customer_id)
    tabs = await two_tabs(house, visit, customer_id)
    for tab in tabs:
        await look_at_payment(house, tab, invoices)
    await asyncio.gather(*(press_pay(tab) for tab in tabs))
    answers = [await answer_of(tab) for tab in tabs]
    assert sorted(badge for badge, _ in answers) == ["Not started", "Paid"]
    [why] = [words for badge, words in answers if badge == "Not started"]
    assert re.search("is already paid|is being paid by|Something changed", why), why
    assert await charged(house, customer_id) == 1


async def answer_of(tab: Page) -> tuple[str, str]:
    """The badge of a payment that has come to its end, and what its page says."""
    await payment_on(tab)
    badge = tab.locator("#live .state-lg")
    await expect(badge).to_have_text(re.compile("^(Paid|Not started)$"))
    return await badge.inner_text(), await tab.locator("#live").inner_text()


async def test_a_tab_that_comes_second_is_told_who_pays_since_when(house: House, visit: Visit, newcomer: Newcomer) -> None:
    customer_id, invoices = newcomer()
    await house.saved_method(customer_id, use="us_bank_account_6789", kind="us_bank_account")
    first, second = await two_tabs(house, visit, customer_id)
    for tab in (first, second):
        await look_at_payment(house, tab, invoices)
    await press_pay(first)
    await payment_on(first)
    await is_told(first, ON_ITS_WAY, "Your bank accepted the debit")
    await press_pay(second)
    await payment_on(second)
    await is_told(second, "Not started", "is being paid by someone with your link since", "Nothing was charged")
    await second.goto(f"{house.base_url}/")
    row = second.locator("tbody tr")
    await expect(row).to_contain_text("being paid by someone with your link since")
    await expect(row.get_by_role("checkbox")).to_be_disabled()
    assert await charged(house, customer_id) == 1


@pytest.mark.parametrize("scripted", [True, False], ids=["with a script", "JavaScript off"])
async def test_a_double_click_on_pay_charges_once(house: House, visit: Visit, newcomer: Newcomer, scripted: bool) -> None:
    customer_id, invoices = newcomer()
    await house.saved_method(customer_id)
    page = await visit(java_script_enabled=scripted)
    await come_in(house, page, customer_id)
    await look_at_payment(house, page, invoices)
    await page.locator("[data-pay]").dblclick(delay=5)
    payment_id = await payment_on(page)
    await is_told(page, "Paid")
    assert [each.id for each in await paid_by(house, customer_id)] == [payment_id]
    assert await charged(house, customer_id) == 1


async def test_back_and_pay_again_gives_the_old_answer_and_charges_nothing(
    house: House, visit: Visit, newcomer: Newcomer
) -> None:
    customer_id, invoices = newcomer()
    await house.saved_method(customer_id)
    page = await visit(customer_id)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(_form_of(request)) if request.method == "POST" else None)
    await look_at_payment(house, page, invoices)
    await press_pay(page)
    payment_id = await payment_on(page)
    await is_told(page, "Paid")

    await page.go_back()
    # Drawn again, or kept by the browser as it was: either way nothing more can be charged.
    if await page.locator("[data-pay]").is_visible():
        await press_pay(page)
    else:
        await expect(page.locator("main")).to_contain_text("is already paid")
    form: dict[str, str | float | bool] = dict(parse_qsl(sent[0]))
    again = await page.context.request.post(
        f"{house.base_url}/payments", form=form, headers={"Sec-Fetch-Site": "same-origin", "Origin": house.base_url}
    )
    assert again.url.endswith(f"/payments/{payment_id}")
    assert "Payment received" in await again.text()
    assert [each.id for each in await paid_by(house, customer_id)] == [payment_id]
    assert await charged(house, customer_id) == 1


def _form_of(request: Request) -> str:
    return request.post_data or ""
