"""An admin decides, and the customer sees it at the next page; with a script and without."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import asdict

import pytest
import pytest_asyncio
from playwright.async_api import expect

from store import business
from store.staff_accounts import Role
from tests.browser.visiting import Visit, look_at_payment, member_of_staff, sign_in
from tests.machine import AXE_SCRIPT
from tests.processes.house import House, now


@pytest_asyncio.fixture(autouse=True)
async def as_it_was(house: House) -> AsyncIterator[None]:
    """The house is everybody's: what a story decides is put back."""
    async with house.admin.begin("test") as tx:
        before = asdict(await business.load(tx))
    yield
    async with house.admin.begin("test") as tx:
        after = asdict(await business.load(tx))
        for name in before:
            if after[name] != before[name]:
                await business.change(tx, name, before[name], by="test", at=now())


@pytest.mark.long
@pytest.mark.parametrize("script", [True, False], ids=["with a script", "without"])
async def test_an_admin_chooses_columns_and_a_card_limit_and_the_customer_sees_it(
    house: House, visit: Visit, script: bool
) -> None:
    customer_id, invoices = await house.customer(currency="EUR", invoices=(50_000,))
    customer = await visit(customer_id, java_script_enabled=script)
    heads = customer.locator("table.invoices thead th[scope=col]")
    await expect(heads).to_have_text(["Invoice", "Issued ↑, sorted ascending", "Due", "Status", "Total", "To pay"])

    admin = await visit(java_script_enabled=script)
    await sign_in(house, admin, await member_of_staff(house, Role.ADMIN))
    await admin.get_by_role("link", name="Settings").click()
    await admin.get_by_role("link", name="What customers see").click()
    await admin.get_by_role("checkbox", name="Issued").uncheck()
    await admin.get_by_role("button", name="Move To pay up").click()
    await admin.get_by_role("button", name="Move To pay up").click()
    await expect(admin.get_by_role("checkbox", name="Issued")).not_to_be_checked()
    await admin.get_by_role("button", name="Save", exact=True).click()
    await expect(admin.get_by_role("status").filter(has_text="Saved.")).to_be_visible()
    await customer.reload()
    await expect(heads).to_have_text(["Invoice", "Due", "To pay", "Status", "Total"])

    await admin.get_by_role("link", name="Paying").click()
    await admin.get_by_role("button", name="Add a currency to Largest payment by card").click()
    await admin.get_by_label("Currency of Largest payment by card, line 1").fill("EUR")
    await admin.get_by_label("Amount of Largest payment by card, line 1").fill("a hundred")
    await admin.get_by_role("button", name="Save", exact=True).click()
    await expect(admin.locator("#card_limit")).to_contain_text("is not an amount")
    if script:
        await admin.evaluate(AXE_SCRIPT.read_text())
        wrong = "axe.run().then(r => r.violations.map(v => [v.id, v.nodes.map(n => n.html)]))"
        assert await admin.evaluate(wrong) == []
    await admin.get_by_label("Amount of Largest payment by card, line 1").fill("100,00")
    await admin.get_by_role("button", name="Save", exact=True).click()
    await expect(admin.get_by_role("status").filter(has_text="Saved.")).to_be_visible()
    await look_at_payment(house, customer, invoices)
    await expect(customer.locator("main")).to_contain_text("Cards are for payments up to 100.00 EUR")

    await admin.locator("#card_limit summary").click()
    await admin.get_by_role("button", name="Put back to No limit as Largest payment by card was").first.click()
    await expect(admin.get_by_role("status").filter(has_text="Put back.")).to_be_visible()
    await customer.reload()
    await expect(customer.locator("main")).not_to_contain_text("Cards are for payments")
