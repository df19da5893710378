"""Staff at work: find a customer, hand over, send and revoke links, set up a method, read what became of a payment."""

from __future__ import annotations

import re

from playwright.async_api import expect

from tests.browser.visiting import (
    Newcomer,
    Visit,
    answer_provider,
    come_in,
    email_of,
    mails_to,
    member_of_staff,
    name_of,
    sign_in,
)
from tests.processes.house import House


async def test_a_customer_is_found_and_a_link_is_made_used_and_revoked(
    house: House, visit: Visit, newcomer: Newcomer
) -> None:
    customer_id, _ = newcomer()
    known = await house.one("SELECT number, name FROM customers WHERE id = :id", id=customer_id)
    staff = await visit()
    await sign_in(house, staff, await member_of_staff(house))
    await staff.keyboard.press("/")
    await staff.keyboard.type(known.number)
    await staff.keyboard.press("Enter")
    await staff.get_by_role("link", name=known.name).click()
    await expect(staff.get_by_role("heading", name=known.name)).to_be_visible()
    await expect(staff.locator("main")).to_contain_text("US$100.00")

    await staff.get_by_role("button", name="Create a link").click()
    link = await staff.get_by_role("textbox", name="Portal link").input_value()
    customer = await visit()
    await customer.goto(link)
    await customer.get_by_role("button", name="Continue").click()
    await expect(customer.locator("#account")).to_be_visible()

    await staff.goto(f"{house.base_url}/staff/customers/{customer_id}")
    assert link not in await staff.content()
    await expect(staff.locator("section", has=staff.locator("#h-links"))).to_contain_text("last used")
    await staff.get_by_role("button", name="Revoke all links").click()
    await expect(staff.locator("section", has=staff.locator("#h-links"))).to_contain_text("Revoked")
    await customer.goto(f"{house.base_url}/payments")
    await expect(customer.get_by_role("heading")).to_contain_text("not open here")
    await customer.goto(link)
    await expect(customer.get_by_role("heading", name="This link no longer opens your account")).to_be_visible()


async def test_a_link_is_mailed_and_works(house: House, visit: Visit, newcomer: Newcomer) -> None:
    customer_id, _ = newcomer()
    staff = await visit()
    await sign_in(house, staff, await member_of_staff(house), f"/staff/customers/{customer_id}")
    await staff.get_by_role("button", name="Send to the chosen contacts").click()
    await expect(staff.get_by_role("heading", name="Portal links sent")).to_be_visible()
    await expect(staff.locator("#progress")).to_contain_text("1 of 1")
    [mail] = await mails_to(house, await email_of(house, customer_id), "")
    found = re.search(rf"{re.escape(house.base_url)}/l/[\w-]{{43}}", mail["plain"])
    assert found is not None, mail["plain"]
    customer = await visit()
    await customer.goto(found[0])
    await customer.get_by_role("button", name="Continue").click()
    await expect(customer.locator(".who-name")).to_have_text(await name_of(house, customer_id))


async def test_staff_set_up_a_method_with_the_customer_on_the_phone(house: House, visit: Visit, newcomer: Newcomer) -> None:
    customer_id, _ = newcomer()
    staff = await visit()
    await sign_in(house, staff, await member_of_staff(house), f"/staff/customers/{customer_id}")
    await staff.get_by_role("link", name="Add a payment method").click()
    await staff.get_by_role("radio", name="Card").check()
    await staff.locator('input[name="agreed"]').check()
    await staff.get_by_role("button", name="Continue to the provider").click()
    await answer_provider(staff, "card_ok")
    await staff.wait_for_url(f"{house.base_url}/staff/setups/**")
    await expect(staff.get_by_role("heading", name="Card for")).to_contain_text("Saved")
    await staff.goto(f"{house.base_url}/staff/customers/{customer_id}")
    await expect(staff.locator("section", has=staff.locator("#h-methods"))).to_contain_text("ending 4242")


async def test_a_payments_whole_story_is_on_one_page(house: House, visit: Visit, newcomer: Newcomer) -> None:
    customer_id, (invoice,) = newcomer()
    method_id = await house.saved_method(customer_id)
    request = house.request(customer_id, [(invoice, 10_000)], method_id=method_id)
    await house.pay(request)
    await house.is_posted(request.payment_id)
    await mails_to(house, await email_of(house, customer_id), "receipt")
    staff = await visit()
    await sign_in(house, staff, await member_of_staff(house), f"/staff/customers/{customer_id}")
    await staff.locator("section", has=staff.locator("#h-payments")).get_by_role("link").click()
    await staff.wait_for_url(f"{house.base_url}/staff/payments/{request.payment_id}")
    [document] = await house.documents(f"{request.payment_id}-captured")
    main = staff.locator("main")
    for words in ("US$100.00", "Money taken", document["number"], f"payment/{request.payment_id}", "Receipt to"):
        await expect(main).to_contain_text(words)
    moments = await staff.locator(".telling time").evaluate_all("all => all.map(each => each.dateTime)")
    assert len(moments) >= 4
    assert moments == sorted(moments)


async def test_a_session_that_signed_out_is_over(house: House, visit: Visit, newcomer: Newcomer) -> None:
    staff = await visit()
    await sign_in(house, staff, await member_of_staff(house))
    await staff.locator(".me summary").click()
    await staff.get_by_role("button", name="Sign out").click()
    await staff.goto(f"{house.base_url}/staff/customers")
    await expect(staff.get_by_role("heading", name="Sign in")).to_be_visible()
    customer_id, _ = newcomer()
    await come_in(house, staff, customer_id)
    await staff.goto(f"{house.base_url}/staff/customers/{customer_id}")
    await expect(staff.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_a_clerk_takes_up_what_the_erp_refused_and_sends_it_again(
    house: House, visit: Visit, newcomer: Newcomer
) -> None:
    customer_id, (invoice_id, *_) = newcomer()
    card = await house.saved_method(customer_id)
    posting_id = await house.refused_posting(customer_id, invoice_id, 10_000, method_id=card)
    page = await visit()
    await sign_in(house, page, await member_of_staff(house), "/staff/inbox")
    # By keyboard alone: down the list, in, and to the buttons.
    mine = page.locator(f'a.row-link[href="/staff/inbox/{posting_id}"]')
    await expect(mine).to_contain_text("The period is closed.")
    while not await mine.evaluate("link => link === document.activeElement"):
        await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="The ERP refused")).to_be_visible()
    await page.keyboard.press("t")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Give it back")).to_be_visible()
    await page.keyboard.press("a")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="This waits for nobody any more")).to_be_visible()
    await house.is_posted(posting_id.removesuffix("-captured"))
    assert len(await house.documents(posting_id)) == 1
    await page.get_by_role("article").get_by_role("link", name="pay_").click()
    await expect(page.locator(".telling")).to_contain_text("Sent to the ERP again by a person")
