"""Vendors that are played beside the house: each is started where the house expects it, and connected on the staff pages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

import httpx
from playwright.async_api import Page, expect

from store.staff_accounts import Role
from tests.browser.visiting import member_of_staff, sign_in
from tests.processes.house import House
from tests.simulators.running import start


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """One vendor: its connector's name, what its program is told, what staff enter (label → text), the kind of method and
    its currency, how customers are offered it, which test method of its pages is a good one, and the button below it.
    """

    name: str
    environment: Mapping[str, str]
    entered: Mapping[str, str]
    kind: str
    currency: str
    way: str
    good: str
    saves: str = "Save"
    takes_days: bool = False
    short: str = ""
    chosen: Mapping[str, str] = field(default_factory=dict)

    @property
    def connection(self) -> str:
        return f"played-{self.short or self.name}"


STRIPE = Vendor(
    name="stripe",
    environment={
        "STRIPE_SIMULATOR_KEY": "sk_test_of_the_simulated_one",
        "STRIPE_SIMULATOR_SECRET": "whsec_newest_of_the_simulated_one",
    },
    entered={"API key": "sk_test_of_the_simulated_one", "Webhook signing secret": "whsec_newest_of_the_simulated_one"},
    kind="Card",
    currency="USD",
    way="A card",
    good="card ok",
)
GOCARDLESS = Vendor(
    name="gocardless",
    environment={
        "GOCARDLESS_SIMULATOR_TOKEN": "sandbox_of_the_simulated_one",
        "GOCARDLESS_SIMULATOR_SECRET": "a secret of the simulated one",
    },
    entered={"Access token": "sandbox_of_the_simulated_one", "Webhook secret": "a secret of the simulated one"},
    kind="Bacs direct debit",
    currency="GBP",
    way="A bank account by Bacs debit",
    good="A bank account that works",
    saves="Confirm",
    takes_days=True,
)
BY_BANK = replace(
    GOCARDLESS,
    short="by-bank",
    kind="Payment approved at the bank",
    chosen={"Instant bank payments": "In GBP"},
    takes_days=False,
)

ADYEN = Vendor(
    name="adyen",
    environment={
        "ADYEN_SIMULATOR_KEY": "AQE_of_the_simulated_one",
        "ADYEN_SIMULATOR_HMAC": "0f" * 32,
        "ADYEN_SIMULATOR_ACCOUNT": "SimulatedMerchant",
    },
    entered={"API key": "AQE_of_the_simulated_one", "Merchant account": "SimulatedMerchant", "HMAC key": "0f" * 32},
    kind="Card",
    currency="USD",
    way="A card",
    good="Visa that works ····4242",
)


@dataclass(frozen=True, slots=True)
class Played:
    """A vendor that runs and is connected."""

    vendor: Vendor
    url: str
    desk: httpx.AsyncClient

    async def moving(self, our_ref: str) -> int:
        """Charges of a reference that moved or will move money, as the vendor counts them."""
        answer = await self.desk.get("/_test/ledger", params={"our_ref": our_ref})
        counted: int = answer.raise_for_status().json()["moving"]
        return counted

    async def days_pass(self, days: int) -> None:
        """The vendor's clock."""
        (await self.desk.post("/_test/set", json={"advance": days * 86_400})).raise_for_status()


@asynccontextmanager
async def played(house: House, page: Page, vendor: Vendor) -> AsyncIterator[Played]:
    """Start it, connect it as an administrator does, and switch it on; off and gone in the end."""
    url = house.machine.vendors[vendor.name]
    program = start(f"simulators.{vendor.name}", "--port", str(urlsplit(url).port), environment=dict(vendor.environment))
    desk = httpx.AsyncClient(base_url=url, trust_env=False, timeout=20)
    try:
        hook = f"{house.base_url}/webhooks/{vendor.connection}"
        (await desk.post("/_test/set", json={"hook": hook})).raise_for_status()
        await connect(house, page, vendor)
        yield Played(vendor, url, desk)
    finally:
        async with house.admin.begin("test") as tx:
            await tx.run("UPDATE connections SET enabled = false WHERE id = :id", id=vendor.connection)
        await desk.aclose()
        program.stop()


async def connect(house: House, page: Page, vendor: Vendor) -> None:
    """From the list of connections to a connection that is on."""
    await sign_in(house, page, await member_of_staff(house, Role.ADMIN), "/staff/connections")
    await page.get_by_role("link", name=f"Connect {vendor.name}").click()
    await page.get_by_label("Short name").fill(vendor.connection)
    for label, text in vendor.entered.items():
        await page.get_by_label(label).fill(text)
    for label, choice in vendor.chosen.items():
        await page.get_by_label(label).select_option(label=choice)
    await page.get_by_label("Currencies").fill(vendor.currency)
    for box in await page.locator('input[name="kind"]').all():
        await box.uncheck()
    await page.get_by_label(vendor.kind, exact=True).check()
    await page.get_by_label(f"before other connections for {vendor.kind}").check()
    await page.get_by_role("button", name="Save and check").click()
    await expect(page.get_by_role("status").first).to_contain_text("Saved")
    await page.get_by_role("button", name="Switch on").click()
    await expect(page.get_by_role("status").first).to_contain_text("On. Customers are offered it")
