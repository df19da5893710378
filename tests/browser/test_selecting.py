"""Choosing what to pay: parents with sites in every state, and more invoices than one payment covers."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from playwright.async_api import Locator, Page, expect

from domain.methods import MethodKind
from tests.browser.visiting import Visit, charged, come_in, is_told, payment_on, press_pay
from tests.processes.house import House, until


async def family(house: House) -> tuple[str, str, dict[str, str]]:
    """A customer whose parent invoice has a paid, a pending and two open sites: customer, parent, sites by name."""
    number = await house.seed_customer(name="Four Sites Ltd", email="sites@customer.example")
    issued = date(2026, 9, 1)
    plain = {"customer_id": number, "currency": "USD", "issued_on": str(issued), "due_on": str(issued + timedelta(days=30))}
    parent = {**plain, "id": f"{number}-P", "number": f"{number}-P", "total": 10_000, "layout": "parent"}
    sites = [
        {**plain, "id": f"{number}-{name}", "number": f"{number}-{name}", "site": name, "total": total, "layout": "leaf",
         "parent_id": f"{number}-P"}
        for name, total in (("Paid", 1_000), ("Pending", 2_000), ("North", 3_000), ("South", 4_000))
    ]  # fmt: skip
    await house.erp_post("/bulk", {"customers": [], "invoices": [parent, *sites], "documents": []})
    await house.sync()

    async def read() -> dict[str, str]:
        rows = await house.rows(
            """SELECT coalesce(i.site, '') AS site, i.id, i.customer_id
               FROM invoices i JOIN customers c ON c.id = i.customer_id WHERE c.number = :number""",
            number=number,
        )
        return {row.site: row.id for row in rows} | {"customer": rows[0].customer_id} if len(rows) == 5 else {}

    known = await until(read, what="the sync of the parent and its sites")
    customer_id = known.pop("customer")
    card = await house.saved_method(customer_id)
    bank = await house.saved_method(customer_id, use="us_bank_account_6789", kind="us_bank_account")
    await house.pay(house.request(customer_id, [(known["Paid"], 1_000)], method_id=card))
    debit = house.request(customer_id, [(known["Pending"], 2_000)], method_id=bank, kind=MethodKind.US_BANK_ACCOUNT)
    assert (await house.pay(debit)).state == "processing"
    return customer_id, known.pop(""), known


async def is_chosen(page: Page, count: int, total: str) -> None:
    await expect(page.locator(".tile [data-count]")).to_have_text(str(count))
    await expect(page.locator(".bar-sum strong")).to_have_text(total)


async def work_out(page: Page, *, scripted: bool) -> None:
    if not scripted:
        await page.get_by_role("button", name="Work out the total").click()


async def set_box(box: Locator, *, on: bool) -> None:
    await (box.check() if on else box.uncheck())


@pytest.mark.parametrize("scripted", [True, False], ids=["with a script", "JavaScript off"])
async def test_all_some_and_none_of_a_parents_sites(house: House, visit: Visit, scripted: bool) -> None:
    customer_id, parent_id, sites = await family(house)
    page = await visit(java_script_enabled=scripted)
    await come_in(house, page, customer_id)
    parent = page.locator(f'[value="{parent_id}"].form-check-input')

    def site(name: str) -> Locator:
        return page.locator(f'input[name="i"][value="{sites[name]}"]')

    await expect(page.locator(".tile", has_text="Invoices to pay").locator("small")).to_have_text("of 2")
    await is_chosen(page, 0, "US$0.00")

    await parent.check()  # all
    await work_out(page, scripted=scripted)
    await is_chosen(page, 2, "US$70.00")
    await expect(parent).to_be_checked()
    await page.locator(".fold input").check()
    for name, ticked in (("Paid", False), ("Pending", False), ("North", True), ("South", True)):
        await expect(site(name)).to_be_checked(checked=ticked)
        await expect(site(name)).to_be_enabled(enabled=ticked)
    await expect(page.locator("tr", has=site("Pending"))).to_contain_text("being paid by A. Cole since")

    await site("South").uncheck()  # some
    await work_out(page, scripted=scripted)
    await is_chosen(page, 1, "US$30.00")
    if scripted:
        assert await parent.evaluate("box => box.indeterminate")
    else:
        await expect(page.get_by_label("(some are)")).not_to_be_checked()

    await parent.check()  # all again, then none
    await work_out(page, scripted=scripted)
    await is_chosen(page, 2, "US$70.00")
    await parent.uncheck()
    await work_out(page, scripted=scripted)
    await is_chosen(page, 0, "US$0.00")

    await parent.check()
    await page.get_by_role("button", name="Continue").click()
    await expect(page.locator("[data-pay]")).to_have_text("Pay US$70.00")
    await expect(page.locator(".sums tbody input[inputmode=decimal]")).to_have_count(2)


async def test_of_450_open_invoices_the_200_oldest_are_chosen_and_paid_at_once(house: House, visit: Visit) -> None:
    customer_id, invoices = await house.customer(invoices=[1_000 + each for each in range(450)], name="Long List plc")
    await house.saved_method(customer_id)
    page = await visit(customer_id)
    await page.get_by_role("button", name="Select all 450").click()
    await expect(page.locator("[data-notice]")).to_have_text(
        "200 of 450: one payment covers at most 200. These are the oldest."
    )
    total = sum(1_000 + each for each in range(200))
    await is_chosen(page, 200, f"US${total // 100:,}.00")
    await page.get_by_role("button", name="Continue").click()
    await expect(page.locator("[data-pay]")).to_have_text(f"Pay US${total // 100:,}.00")
    await press_pay(page)
    payment_id = await payment_on(page)
    await is_told(page, "Paid", "You asked to pay 200 invoices")
    await house.is_posted(payment_id)
    [document] = await house.documents(f"{payment_id}-captured")
    assert (len(document["applied"]), document["amount"], document["unapplied"]) == (200, total, 0)
    assert await charged(house, customer_id) == 1
    left = await house.rows(
        "SELECT id FROM invoice_states WHERE customer_id = :id AND open > 0 ORDER BY issued_on LIMIT 1", id=customer_id
    )
    assert left[0].id == invoices[200]
