"""What people do at a browser: come in by a link, choose invoices, answer the provider's page, read what they are told."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, Final

import httpx
import pyotp
from playwright.async_api import Page, expect

from api.security import passwords
from store import access, staff_accounts
from store.identity import fresh_id
from store.staff_accounts import Role
from tests.processes.house import House, now, until

PATIENCE_MS: Final = 30_000
ON_ITS_WAY: Final = re.compile(r"^On its way · day 1 of \d+$")
PASSWORD: Final = "a password that is long enough"
Visit = Callable[..., Awaitable[Page]]
Newcomer = Callable[[], tuple[str, list[str]]]  # (customer id, ids of its invoices: one, 100.00 USD)


async def portal_link(house: House, customer_id: str) -> str:
    """The address that a customer was sent."""
    async with house.admin.begin("test") as tx:
        link = await access.create_link(tx, customer_id, by="test", at=now(), days=2)
    return f"{house.base_url}/l/{link.token}"


async def come_in(house: House, page: Page, customer_id: str) -> None:
    """Open the link and continue to the account."""
    await page.goto(await portal_link(house, customer_id))
    await page.get_by_role("button", name="Continue").click()
    await page.wait_for_selector("#account")


async def member_of_staff(house: House, role: Role = Role.AGENT) -> str:
    """Somebody who may sign in with PASSWORD; the address."""
    email = f"{fresh_id('stf')[-10:]}@duly.example"
    async with house.admin.begin("test") as tx:
        await staff_accounts.add(
            tx, email=email, name="Robin Agent", role=role, password_hash=passwords.hashed(PASSWORD), at=now()
        )
    return email


async def sign_in(house: House, page: Page, email: str, after: str = "/staff/customers") -> None:
    """Sign in as a member of staff, and go where one wanted to go."""
    await page.goto(f"{house.base_url}{after}")
    await page.get_by_label("E-mail address").fill(email)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(f"{house.base_url}{after}")


async def switch_on_second_factor(page: Page) -> str:
    """Read the secret off the page that shows it once, as a person without a camera does, and confirm it."""
    secret = (await page.locator("[data-secret]").inner_text()).replace(" ", "")
    await page.get_by_label("The six digits that the app shows now").fill(pyotp.TOTP(secret).now())
    await page.get_by_role("button", name="Switch it on").click()
    await expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    return secret


async def look_at_payment(house: House, page: Page, invoices: Sequence[str]) -> None:
    """The pay page of these invoices, as the overview's 'Continue' opens it."""
    await page.goto(f"{house.base_url}/pay?{'&'.join(f'i={each}' for each in invoices)}")


async def press_pay(page: Page) -> None:
    await page.locator("[data-pay]").click()


async def payment_on(page: Page) -> str:
    """The id of the payment whose page is open, once it is.

    Asked again and again rather than waited for as one navigation: the second of two clicks aborts the first's.
    """
    await expect(page).to_have_url(re.compile(r"/payments/pay_\w{26}$"))
    return page.url.rsplit("/", 1)[1]


async def answer_provider(page: Page, use: str) -> None:
    """One click on a test number of the provider's page."""
    await page.locator(f'button[name="use"][value="{use}"]').click()


async def is_told(page: Page, badge: str | re.Pattern[str], *words: str) -> None:
    """The page of a payment or a set-up comes to say this, by itself."""
    await expect(page.locator("#live .state-lg")).to_have_text(badge)
    for each in words:
        await expect(page.locator("#live")).to_contain_text(each)


async def opening_choice(page: Page, title: str) -> None:
    """Choose a way to pay or a kind of method."""
    await page.locator("label.way", has_text=title).click()


async def add_method(house: House, page: Page, use: str = "card_ok", kind: str = "A card") -> None:
    """From the list of methods to the provider's page and back: the method is saved."""
    await page.goto(f"{house.base_url}/methods/new")
    await opening_choice(page, kind)
    await page.get_by_role("button", name="Continue to the payment provider").click()
    await answer_provider(page, use)


async def mails_to(house: House, address: str, subject: str) -> list[dict[str, Any]]:
    """The caught mails to an address whose subject has these words, once there is one."""

    async def caught() -> list[dict[str, Any]]:
        address_of_all = f"{house.machine.addresses()['mail']}/api/messages"
        async with httpx.AsyncClient(trust_env=False) as reader:
            found = (await reader.get(address_of_all, params={"to": address})).json()
        return [each for each in found if subject.lower() in each["subject"].lower()]

    mails: list[dict[str, Any]] = await until(caught, within_seconds=30, what=f"a mail to {address} about {subject}")
    return mails


async def email_of(house: House, customer_id: str) -> str:
    return str((await house.one("SELECT email FROM customers WHERE id = :id", id=customer_id)).email)


async def name_of(house: House, customer_id: str) -> str:
    return str((await house.one("SELECT name FROM customers WHERE id = :id", id=customer_id)).name)


async def move_in(house: House, count: int) -> list[tuple[str, list[str]]]:
    """So many customers with one open invoice of 100.00 each, in one sync: (customer id, invoice ids)."""
    prefix = f"N-{fresh_id('cus')[-8:]}"
    numbers = [f"{prefix}-{each:03}" for each in range(count)]
    customers = [
        {"id": number, "number": number, "name": f"Newcomer {number} Ltd", "currency": "USD", "time_zone": "UTC",
         "email": f"{number.lower()}@customer.example"}
        for number in numbers
    ]  # fmt: skip
    invoices = [
        {"id": f"{number}-1", "customer_id": number, "number": f"{number}-1", "currency": "USD", "state": "Posted",
         "issued_on": "2026-09-01", "due_on": "2026-10-01", "total": 10_000}
        for number in numbers
    ]  # fmt: skip
    await house.erp_post("/bulk", {"customers": customers, "invoices": invoices, "documents": []})
    await house.sync()

    async def all_here() -> list[tuple[str, list[str]]]:
        rows = await house.rows(
            "SELECT i.id, i.customer_id FROM invoices i WHERE i.number LIKE :like ORDER BY i.number", like=f"{prefix}-%"
        )
        return [(row.customer_id, [row.id]) for row in rows] if len(rows) == count else []

    here: list[tuple[str, list[str]]] = await until(all_here, within_seconds=60, what="the sync of the newcomers")
    return here


async def paid_by(house: House, customer_id: str) -> list[Any]:
    """Every payment of a customer, the oldest first."""
    return list(await house.rows("SELECT * FROM payments WHERE customer_id = :id ORDER BY opened_at", id=customer_id))


async def charged(house: House, customer_id: str) -> int:
    """How often the provider took or will take money of a customer, as the provider counts."""
    return sum([len(await house.charges(each.id)) for each in await paid_by(house, customer_id)])


async def days_pass(house: House, days: int) -> None:
    """The provider's clock; an hour more, so that what is due on the day is past."""
    await house.advance(timedelta(days=days, hours=1))
