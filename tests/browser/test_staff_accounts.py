"""Staff and their accounts: sign in with a second factor, set a password by mail, be interrupted, look as a customer."""

from __future__ import annotations

import re
import time

import pyotp
from playwright.async_api import Page, expect

from store.staff_accounts import Role
from tests.browser.visiting import (
    PASSWORD,
    Newcomer,
    Visit,
    mails_to,
    member_of_staff,
    name_of,
    sign_in,
    switch_on_second_factor,
)
from tests.processes.house import House, now


async def give_password(house: House, page: Page, email: str, password: str = PASSWORD) -> None:
    await page.goto(f"{house.base_url}/staff/customers")
    await page.get_by_label("E-mail address").fill(email)
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Sign in").click()


async def test_a_second_factor_is_set_up_and_asked_for_and_a_recovery_code_opens_too(house: House, visit: Visit) -> None:
    email = await member_of_staff(house)
    page = await visit()
    await sign_in(house, page, email)
    await page.locator(".me summary").click()
    await page.get_by_role("link", name="Your account").click()
    await page.get_by_role("link", name="Set up a second factor").click()
    await page.get_by_role("button", name="Set it up").click()
    await expect(page.locator(".qr svg")).to_be_visible()
    secret = await switch_on_second_factor(page)
    [recovery, *_] = await page.locator(".codes li").all_inner_texts()

    elsewhere = await visit()
    await give_password(house, elsewhere, email)
    # The step after this one: a telephone may be that much ahead, and the code of now was used to switch it on.
    await elsewhere.get_by_label("Six digits").fill(pyotp.TOTP(secret).at(int(time.time()) + 30))
    await elsewhere.get_by_role("button", name="Continue").click()
    await elsewhere.wait_for_url(f"{house.base_url}/staff/customers")

    third = await visit()
    await give_password(house, third, email)
    await third.get_by_label("Six digits").fill(recovery)
    await third.get_by_role("button", name="Continue").click()
    await third.wait_for_url(f"{house.base_url}/staff/customers")


async def test_a_forgotten_password_is_set_by_the_link_in_the_mail(house: House, visit: Visit) -> None:
    email = await member_of_staff(house)
    page = await visit()
    await page.goto(f"{house.base_url}/staff/sign-in")
    await page.get_by_role("link", name="Forgot your password?").click()
    await page.get_by_label("E-mail address").fill(email)
    await page.get_by_role("button", name="Send me a link").click()
    await expect(page.get_by_role("heading", name="Look at your mail")).to_be_visible()
    [mail] = await mails_to(house, email, "Set a new password")
    found = re.search(rf"{re.escape(house.base_url)}/staff/set-password/[\w-]{{43}}", mail["plain"])
    assert found is not None, mail["plain"]
    assert found[0] in mail["html"]
    await page.goto(found[0])
    await page.get_by_label("New password").fill("a new password of my own")
    await page.get_by_label("The same again").fill("a new password of my own")
    await page.get_by_role("button", name="Set the password").click()
    await expect(page.get_by_role("status").first).to_contain_text("Your password is set")
    await give_password(house, page, email, "a new password of my own")
    await page.wait_for_url(f"{house.base_url}/staff/customers")
    await page.goto(found[0])
    await expect(page.get_by_role("heading", name="This link no longer works")).to_be_visible()


async def test_what_was_typed_is_there_again_after_the_session_ended(house: House, visit: Visit) -> None:
    email = await member_of_staff(house, Role.ADMIN)
    page = await visit()
    await sign_in(house, page, email, "/staff/people")
    await page.get_by_label("Name", exact=True).fill("Ann Interrupted")
    await page.get_by_label("E-mail address").fill(f"ann-{email}")
    async with house.admin.begin("test") as tx:
        await tx.run("UPDATE sessions SET ended_at = :at WHERE person = :email", at=now(), email=email)
    await page.get_by_role("button", name="Send an invitation").click()
    await expect(page.get_by_role("status").first).to_contain_text("Nothing that you typed is lost")
    await page.get_by_label("E-mail address").fill(email)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("heading", name="You are back")).to_be_visible()
    await expect(page.locator("main")).to_contain_text("Ann Interrupted")
    await page.get_by_role("button", name="Send it now").click()
    await expect(page.locator("main")).to_contain_text("An invitation is on its way")
    [mail] = await mails_to(house, f"ann-{email}", "You may sign in")
    assert "/staff/set-password/" in mail["plain"]


async def test_staff_look_as_the_customer_change_nothing_and_leave(house: House, visit: Visit, newcomer: Newcomer) -> None:
    customer_id, (invoice_id,) = newcomer()
    page = await visit()
    await sign_in(house, page, await member_of_staff(house), f"/staff/customers/{customer_id}")
    await page.get_by_role("button", name="View as customer").click()
    banner = page.get_by_role("region", name="You are viewing as the customer")
    await expect(banner).to_contain_text(await name_of(house, customer_id))
    await expect(page.locator("#account")).to_contain_text("100.00")
    await page.goto(f"{house.base_url}/pay?i={invoice_id}")
    await expect(banner).to_be_visible()
    await page.goto(f"{house.base_url}/methods/new")
    await page.locator("label.way", has_text="A card").click()
    await page.get_by_role("button", name="Continue to the payment provider").click()
    await expect(page.locator("main")).to_contain_text("Nothing can be changed from here")
    await expect(banner).to_be_visible()
    await page.get_by_role("button", name="Leave").click()
    await page.wait_for_url(f"{house.base_url}/staff/customers/{customer_id}")
    await expect(page.locator("main")).to_contain_text("Stopped viewing as the customer")
    await page.goto(f"{house.base_url}/payments")
    await expect(page.get_by_role("heading")).to_contain_text("not open here")
    assert await house.rows("SELECT 1 FROM method_setups WHERE customer_id = :id", id=customer_id) == []
