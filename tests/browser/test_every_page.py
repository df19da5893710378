"""Every page there is, for customers, staff and nobody: axe finds nothing in light, dark and on a phone; nothing scrolls
sideways. Pages are taken from the router, so that one that nobody listed here fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import pytest
import pytest_asyncio
from fastapi.routing import iter_route_contexts
from playwright.async_api import Page, expect

from api.app import create_app
from api.processes import Processes
from api.services import Services
from domain.methods import MethodKind
from store.staff_accounts import Role
from tests.api.house import connected
from tests.browser.visiting import Visit, member_of_staff, portal_link, sign_in, switch_on_second_factor
from tests.machine import AXE_SCRIPT
from tests.processes.house import House, now
from tests.processes.requesting import Case, Requests
from tests.processes.test_reconciling import compared

NO_PAGES: Final = {
    "/health",
    "/static/brand/{colour}.css",
    "/static",
    "/staff/log.csv",
    "/statements/file",
    "/documents.zip",
    "/invoices/{invoice_id}.pdf",
    "/credits/{credit_id}.pdf",
    "/staff/customers/{customer_id}/statement/file",
    "/staff/exports/{name}",
    "/staff/timeline/{process_id}.json",
    "/staff/timeline/{process_id}.pdf",
}
DESK: Final = {"width": 1280, "height": 800}
PHONE: Final = {"width": 375, "height": 800}
LOOKS: Final = (("light", DESK), ("dark", DESK), ("light", PHONE))


def listed_pages(house: House) -> set[str]:
    """The path of every GET route of the application, as its router knows them."""
    services = Services(
        portal=house.database,
        staff=house.database,
        processes=Processes(house.client, task_queue="nobody", answer_within=timedelta(seconds=1)),
        clock=now,
        base_url=house.base_url,
        form_keys=(b"a key of thirty-two bytes, or so.",),
        connected=connected(house.database),
    )
    routes = iter_route_contexts(create_app(services=services).routes)
    found = {str(each.path) for each in routes if "GET" in (getattr(each, "methods", None) or ())}
    assert len(found) > 15
    return found - NO_PAGES


async def look_at(page: Page, address: str) -> None:
    """What axe finds wrong with a page, whichever way it is looked at. (Reduced motion: no colour is on its way.)"""
    await page.goto(address)
    await inspect(page, address)


async def inspect(page: Page, address: str) -> None:
    """The same of the page that is open; `address` names it."""
    await page.evaluate(AXE_SCRIPT.read_text())
    for scheme, size in LOOKS:
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        await page.set_viewport_size(size)  # type: ignore[arg-type]
        # In the dark only colours differ.
        rules = {"runOnly": ["color-contrast", "link-in-text-block"]} if scheme == "dark" else {}
        found = await page.evaluate(
            "rules => axe.run(rules).then(r => r.violations.map(v => [v.id, v.nodes.map(n => n.html)]))",
            {"resultTypes": ["violations"], **rules},
        )
        assert found == [], (address, scheme, size)
        wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not await page.evaluate(wide), (address, size)


@pytest_asyncio.fixture(scope="module")
async def lived_in(house: House) -> dict[str, str]:
    """A customer to whom everything happened: the ids that addresses need."""
    totals = (10_000, 20_000, 30_000, 40_000)
    customer_id, invoices = await house.customer(invoices=totals, name="Lived-in Interiors & Sons Ltd")
    card = await house.saved_method(customer_id)
    bank = await house.saved_method(customer_id, use="us_bank_account_6789", kind="us_bank_account")
    paid = house.request(customer_id, [(invoices[0], 10_000)], method_id=card)
    await house.pay(paid)
    await house.pay(house.request(customer_id, [(invoices[1], 20_000)], method_id=bank, kind=MethodKind.US_BANK_ACCOUNT))
    setup = await house.one(
        "SELECT id FROM method_setups WHERE customer_id = :id AND method_id = :m", id=customer_id, m=card
    )
    requests = Requests(house)
    credit_id, credit_erp_id = await requests.credit(customer_id, 9_000)
    request_id = await requests.ask(Case(customer_id, invoices, credit_id, credit_erp_id), (invoices[2], 4_000))
    await house.far.provider_post("/v1/test/payouts", {})
    await compared(house)
    payout = await house.one(
        "SELECT payout_id FROM payout_items WHERE payment_id = :id AND kind = 'charge'", id=paid.payment_id
    )
    return {
        "payout_id": payout.payout_id,
        "credit_id": credit_id,
        "request_id": request_id,
        "customer_id": customer_id,
        "invoice_id": invoices[2],
        "payment_id": paid.payment_id,
        "method_id": card,
        "setup_id": setup.id,
        "item": await house.refused_posting(customer_id, invoices[3], 40_000, method_id=card),
    }


def filled(paths: Mapping[str, str], ids: Mapping[str, Any]) -> dict[str, str]:
    """Route → address, with the ids in it."""
    return {route: (address or route).format_map(ids) for route, address in paths.items()}


CUSTOMERS: Final = {
    "/": "/?select=all",
    "/invoices/{invoice_id}": "",
    "/pay": "/pay?i={invoice_id}",
    "/payments": "",
    "/payments/{payment_id}": "",
    "/payments/{payment_id}/return": "",
    "/credits": "",
    "/credits/{credit_id}": "",
    "/credits/{credit_id}/apply": "",
    "/requests/{request_id}": "",
    "/statements": "/statements?kind=transactions&from=2020-01-01",
    "/methods": "",
    "/methods/new": "",
    "/methods/{method_id}": "",
    "/methods/setups/{setup_id}": "",
    "/methods/setups/{setup_id}/return": "",
}
STAFF: Final = {
    "/staff": "",
    "/staff/inbox": "",
    "/staff/inbox/{item}": "",
    "/staff/reconciliation": "",
    "/staff/payouts": "",
    "/staff/payouts/{connection_id}/{payout_id}": "/staff/payouts/sandbox/{payout_id}",
    "/staff/customers": "",
    "/staff/customers/{customer_id}": "",
    "/staff/customers/{customer_id}/methods/new": "",
    "/staff/customers/{customer_id}/statement": "",
    "/staff/setups/{setup_id}": "",
    "/staff/payments/{payment_id}": "",
    "/staff/payments/{payment_id}/refund": "",
    "/staff/requests/{request_id}": "",
    "/staff/timeline/{process_id}": "/staff/timeline/{method_id}",
    "/staff/sends/{batch_id}": "",
    "/staff/connections": "",
    "/staff/connections/new/{name}": "",
    "/staff/connections/erps/new/{name}": "/staff/connections/erps/new/demo",
    "/staff/connections/erps/consent": "",
    "/staff/connections/{connection_id}": "",
    "/staff/connections/{connection_id}/reading": "/staff/connections/demo/reading",
    "/staff/exports": "",
    "/staff/settings": "",
    "/staff/settings/{slug}": "",
    "/staff/account": "",
    "/staff/account/second-factor": "",
    "/staff/log": "",
    "/staff/people": "",
}
NOBODY: Final = {
    "/l/{token}": "",
    "/link-expired": "",
    "/staff/sign-in": "",
    "/staff/forgotten": "",
    "/staff/set-password/{token}": "",
}


async def test_no_page_is_left_out(house: House) -> None:
    assert listed_pages(house) == {*CUSTOMERS, *STAFF, *NOBODY}


@pytest.mark.parametrize("who", ["customer", "staff", "nobody"])
async def test_axe_finds_nothing_on_any_page_and_nothing_scrolls_sideways(
    house: House, visit: Visit, lived_in: dict[str, str], who: str
) -> None:
    ids = dict(lived_in)
    if who == "customer":
        page = await visit(ids["customer_id"], reduced_motion="reduce")
        addresses = [*filled(CUSTOMERS, ids).values(), "/nothing/here", "/?q=nothing", "/statements", "/pay", "/?state=paid"]
    elif who == "staff":
        page = await visit(reduced_motion="reduce")
        await sign_in(house, page, await member_of_staff(house, Role.ADMIN), f"/staff/customers/{ids['customer_id']}")
        await page.get_by_role("button", name="Send to the chosen contacts").click()
        await expect(page.get_by_role("heading", name="Portal links sent")).to_be_visible()
        ids["batch_id"] = page.url.rsplit("/", 1)[1]
        ids["slug"] = "deciding"
        ids |= await connect_another_sandbox(house, page)
        addresses = [*filled(STAFF, ids).values(), "/staff/customers?q=nobody+like+that", "/staff/payments/pay_unknown"]
        addresses.append("/staff/inbox/{request_id}".format_map(ids))
        addresses += [f"/staff/settings/{slug}" for slug in ("business", "customers", "paying")]
    else:
        page = await visit(reduced_motion="reduce")
        ids["token"] = (await portal_link(house, ids["customer_id"])).rsplit("/", 1)[1]
        addresses = [
            *filled(NOBODY, ids).values(),
            "/l/unknown",
            "/payments",
            "/payments/{payment_id}/return".format_map(ids),
        ]
    for address in addresses:
        await look_at(page, house.base_url + address)


async def connect_another_sandbox(house: House, page: Page) -> dict[str, str]:
    """What an administrator does to connect a provider, as far as the check: what addresses of it need."""
    given = house.machine.environment()
    await page.goto(f"{house.base_url}/staff/connections/new/sandbox")
    await page.get_by_label("Short name").fill("second")
    await page.get_by_label("API key").fill(given["DULY_PROVIDER_API_KEY"])
    await page.get_by_label("Webhook secret").fill(given["DULY_PROVIDER_WEBHOOK_SECRETS"])
    await page.get_by_label("Address", exact=True).fill(given["DULY_PROVIDER_URL"])
    await page.get_by_role("button", name="Save and check").click()
    await expect(page.get_by_text("Saved, and Sandbox accepts it.")).to_be_visible()
    return {"name": "stripe", "connection_id": "second"}


async def test_axe_finds_nothing_on_what_is_shown_once(house: House, visit: Visit, lived_in: dict[str, str]) -> None:
    """The pages that only a form opens: the second factor's secret and codes, the code's page, the customer's own view."""
    page = await visit(reduced_motion="reduce")
    await sign_in(house, page, await member_of_staff(house), "/staff/account/second-factor")
    await page.get_by_role("button", name="Set it up").click()
    await inspect(page, "the secret")
    await switch_on_second_factor(page)
    await inspect(page, "the recovery codes")
    await page.goto(f"{house.base_url}/staff/customers/{lived_in['customer_id']}")
    await page.get_by_role("button", name="View as customer").click()
    await expect(page.get_by_role("button", name="Leave")).to_be_visible()
    await inspect(page, "the portal as staff see it")
