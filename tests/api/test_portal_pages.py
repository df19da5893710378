"""Pages that say what happened: true for days, in the customer's words; and what the browser makes of every page."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
import uvicorn
from playwright.async_api import Browser, Page
from temporalio.client import Client

from api import brand
from api.portal.story import badge_of
from domain.lifecycles import IN_FLIGHT, PaymentState, SetupState
from tests import machine
from tests.api.accounts import NOON, TODAY
from tests.api.house import House, open_house

WORDS = {
    PaymentState.CHARGING: "Asking the payment provider",
    PaymentState.AWAITING_CUSTOMER: "Waiting for you on the provider",
    PaymentState.PROCESSING: "Waiting for your bank to send the money",
    PaymentState.UNKNOWN: "asking again at 12:01",
    PaymentState.CAPTURED: "Payment received",
    PaymentState.SETTLED: "Settled",
    PaymentState.REFUSED: "is being paid by A. Cole since 11:57",
    PaymentState.DECLINED: "the account does not hold enough",
    PaymentState.FAILED: "Nothing was charged",
    PaymentState.CANCELED: "Cancelled before anything was charged",
    PaymentState.EXPIRED: "Not completed in time",
    PaymentState.RETURNED: "took the money back",
    PaymentState.DISPUTED: "Your bank has asked about this payment",
}
EVENT_OF = {PaymentState.AWAITING_CUSTOMER: "redirected"}


@pytest_asyncio.fixture
async def house(database: machine.Database, temporal_client: Client, task_queue: str) -> AsyncIterator[House]:
    async with open_house(database, temporal_client, task_queue=task_queue) as opened:
        opened.accounts.provider()
        yield opened


def payment_in(house: House, customer: str, state: PaymentState) -> str:
    """A payment in that state, with the story that leads there."""
    accounts = house.accounts
    more: dict[str, Any] = {}
    if state is PaymentState.UNKNOWN:
        more = {"last_checked_at": NOON, "next_check_at": NOON + timedelta(minutes=1), "unknown_since": NOON}
    if state is PaymentState.REFUSED:
        facts = {"number": "INV-1", "by": "A. Cole", "since": "11:57"}
        more = {"refused_rule": "invoice_being_paid", "refused_facts": json.dumps(facts)}
    if state is PaymentState.PROCESSING:
        more = {"expected_on": (TODAY + timedelta(days=2)).isoformat(), "kind": "bacs_debit"}
    invoice = accounts.invoice(customer, 10000)
    payment = accounts.payment(customer, {invoice: 10000}, state=state.value, **more)
    for kind in ("opened", "held", EVENT_OF.get(state, state.value)):
        accounts.event(payment, customer, kind, code="insufficient_funds")
    return payment


async def test_every_state_of_a_payment_has_its_words_and_looks_again_while_something_goes_on(house: House) -> None:
    customer = house.accounts.customer()
    visitor = await house.customer_browser(customer)
    for state in PaymentState:
        payment = payment_in(house, customer, state)
        page = (await visitor.get(f"/payments/{payment}")).text
        part = (await visitor.get(f"/payments/{payment}", headers={"HX-Request": "true"})).text
        for told in (page, part):
            assert WORDS[state] in told.replace("&#39;", "'"), state
            assert ("hx-get" in told) == (state in IN_FLIGHT or state is PaymentState.CAPTURED), state
        assert ('http-equiv="refresh"' in page) == ("hx-get" in page), state
        assert badge_of(state.value)[0] in (await visitor.get("/payments")).text.replace("&#39;", "'"), state


async def test_every_state_of_a_set_up_has_its_page(house: House) -> None:
    customer = house.accounts.customer()
    visitor = await house.customer_browser(customer)
    for state in SetupState:
        setup = house.accounts.setup(customer, state=state.value)
        house.accounts.event(setup, customer, "opened")
        page = await visitor.get(f"/methods/setups/{setup}")
        assert page.status_code == 200
        assert "You asked to save a card" in page.text, state


async def test_a_return_address_of_a_set_up_is_a_path_of_ours(house: House) -> None:
    visitor = await house.customer_browser(house.accounts.customer())
    refused = await visitor.get("/methods/new", params={"back": "https://elsewhere.example/"})
    assert (refused.status_code, refused.headers["x-refusal"]) == (422, "return_url_foreign")


async def test_only_kinds_that_a_provider_serves_are_offered_and_a_post_for_another_is_refused(house: House) -> None:
    visitor = await house.customer_browser(house.accounts.customer(currency="EUR"))
    page = (await visitor.get("/methods/new")).text
    assert 'value="card"' in page
    assert 'value="bacs_debit"' not in page
    fields = {name: page.split(f'name="{name}" value="')[1].split('"')[0] for name in ("csrf", "setup", "back")}
    for kind in ("bacs_debit", "sepa_debit", "gold", ""):
        refused = await visitor.post("/methods", data={**fields, "kind": kind})
        assert (refused.status_code, refused.headers["x-refusal"]) == (422, "method_kind_not_offered")
    started = await visitor.post("/methods", data={**fields, "kind": "card"})
    assert started.headers["location"] == f"/methods/setups/{fields['setup'].split('.')[0]}"


async def test_deleting_the_default_asks_which_is_next_and_one_method_alone_has_no_default_button(house: House) -> None:
    customer = house.accounts.customer()
    first = house.accounts.method(customer, is_default=True)
    visitor = await house.customer_browser(customer)
    alone = (await visitor.get(f"/methods/{first}")).text
    assert "Make this the default" not in alone
    assert "Which one is the default next" not in alone
    second = house.accounts.method(customer, last4="1881")
    assert "Which one is the default next" in (await visitor.get(f"/methods/{first}")).text
    assert "Make this the default" in (await visitor.get(f"/methods/{second}")).text


async def test_a_method_that_pays_something_cannot_be_deleted_and_one_that_the_provider_keeps_says_so(house: House) -> None:
    customer = house.accounts.customer()
    used, kept = house.accounts.method(customer, is_default=True), house.accounts.method(customer, last4="1881")
    house.accounts.payment(customer, {house.accounts.invoice(customer, 5): 5}, state="processing", method_id=used)
    house.accounts.run("UPDATE payment_methods SET detach_error = 'a dispute is open' WHERE id = %s", [kept])
    visitor = await house.customer_browser(customer)
    assert "It is paying something at this moment" in (await visitor.get(f"/methods/{used}")).text
    assert "keeps it (a dispute is open)" in (await visitor.get(f"/methods/{kept}")).text


async def test_an_invoices_settlements_add_up_to_what_is_no_longer_open(house: House) -> None:
    customer = house.accounts.customer()
    settled = {"kind": "credit_note", "document": "CN-7", "amount": 4000, "on": "2026-11-01", "reference": None}
    line = {"description": "Cleaning", "quantity": "2", "unit_price": 5000, "amount": 10000, "tax_rate": "20 %", "tax": 2000}
    invoice = house.accounts.invoice(
        customer, 12000, settled=4000, settlements=[settled], lines=[line], contact_email="ask@northwind.example"
    )
    payment = house.accounts.payment(customer, {invoice: 3000}, state="captured", captured=3000)
    house.accounts.run(
        """INSERT INTO postings (id, connection_id, kind, payment_id, customer_id, docs, amount, queued_at)
           VALUES ('pst', 'demo', 'payment', %s, %s, '{}', 3000, %s)""",
        [payment, customer, NOON],
    )
    house.accounts.run(
        """INSERT INTO allocations (id, payment_id, invoice_id, customer_id, amount, posting_id, allocated_at)
           VALUES ('a', %s, %s, %s, 3000, 'pst', %s)""",
        [payment, invoice, customer, NOON],
    )
    page = (await (await house.customer_browser(customer)).get(f"/invoices/{invoice}")).text
    for told in (
        "CN-7",
        "-£40.00",
        "-£30.00",
        "-£70.00",
        "£50.00",
        "Tax 20 %",
        "ask@northwind.example",
        payment[-6:].upper(),
    ):
        assert told in page, told


def test_every_accent_can_be_read_on_light_and_on_dark() -> None:
    for digits in ("0f5a4a", "ffff00", "000000", "ffffff", "ff0000", "123456", "no colour"):
        light, dark = brand.stylesheet(digits).split("light-dark(")[1].split(")")[0].split(",")
        for shade, ground in ((light, (255, 255, 255)), (dark, (38, 38, 38))):
            channels = tuple(int(shade[at : at + 2], 16) for at in (1, 3, 5))
            assert brand._contrast(channels, ground) >= 450, (digits, shade)  # type: ignore[arg-type]


async def test_our_own_mistake_says_what_is_safe_and_gives_nothing_away(house: House) -> None:
    @house.app.get("/stumble")
    async def stumble() -> None:
        raise RuntimeError("a secret of ours")

    transport = httpx.ASGITransport(house.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=house.base_url) as visitor:
        answer = await visitor.get("/stumble")
    assert answer.status_code == 500
    assert "nothing is charged twice" in answer.text
    assert "secret" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


# ---------------------------------------------------------------- In a browser


@pytest_asyncio.fixture
async def served(database: machine.Database, temporal_client: Client, task_queue: str) -> AsyncIterator[House]:
    port = machine.free_port()
    base_url = f"http://127.0.0.1:{port}"
    async with open_house(database, temporal_client, task_queue=task_queue, base_url=base_url) as opened:
        server = uvicorn.Server(uvicorn.Config(opened.app, port=port, log_level="warning", lifespan="off"))
        running = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110 - uvicorn tells it no other way
            await asyncio.sleep(0.02)
        opened.accounts.provider()
        yield opened
        server.should_exit = True
        await running


async def sign_in(page: Page, house: House, customer: str) -> None:
    await page.goto(f"{house.base_url}/l/{(await house.link(customer)).token}")
    await page.get_by_role("button", name="Continue").click()


FILES = {"/statements/file", "/documents.zip", "/invoices/{invoice_id}.pdf", "/credits/{credit_id}.pdf"}
"""What is no page."""


def portal_pages(house: House, customer: str) -> dict[str, str]:
    """An address for every GET page of the portal, by its route."""
    invoice = house.accounts.invoice(customer, 10000)
    credit = house.accounts.credit(customer, 5000)
    payment = payment_in(house, customer, PaymentState.UNKNOWN)
    method = house.accounts.method(customer, is_default=True)
    house.accounts.method(customer, kind="bacs_debit", brand="Barclays", last4="0731", expires=None)
    setup = house.accounts.setup(customer, state="verifying")
    return {
        "/": "/?select=all",
        "/invoices/{invoice_id}": f"/invoices/{invoice}",
        "/pay": f"/pay?i={invoice}",
        "/payments": "/payments",
        "/payments/{payment_id}": f"/payments/{payment}",
        "/payments/{payment_id}/return": f"/payments/{payment}/return",
        "/credits": "/credits",
        "/credits/{credit_id}": f"/credits/{credit}",
        "/credits/{credit_id}/apply": f"/credits/{credit}/apply",
        "/statements": "/statements?kind=transactions&from=2020-01-01",
        "/requests/{request_id}": f"/requests/{house.accounts.apply_request(customer, credit, {invoice: 1_000})}",
        "/methods": "/methods",
        "/methods/new": "/methods/new",
        "/methods/{method_id}": f"/methods/{method}",
        "/methods/setups/{setup_id}": f"/methods/setups/{setup}",
        "/methods/setups/{setup_id}/return": f"/methods/setups/{setup}/return",
    }


# The other three looks are tests/browser/test_every_page.py's, on the whole of Duly.
@pytest.mark.parametrize(("scheme", "width"), [("dark", 375)])
async def test_axe_finds_nothing_on_any_page_and_nothing_scrolls_sideways(
    served: House, browser: Browser, scheme: str, width: int
) -> None:
    customer = served.accounts.customer()
    parent = served.accounts.invoice(customer, 200, is_parent=True)
    for settled in (0, 100):
        served.accounts.invoice(customer, 100, settled=settled, parent=parent, site=f"Site {settled}")
    served.accounts.invoice(customer, 500, currency="EUR")
    pages = portal_pages(served, customer)
    listed = {path for method, path in served.routes() if method == "GET"}
    elsewhere = ("/staff", "/l/", "/static", "/health", "/link-expired", "/v1", "/webhooks")
    assert {path for path in listed if not path.startswith(elsewhere)} - FILES == set(pages)
    context = await browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 800})  # type: ignore[arg-type]
    page = await context.new_page()
    await sign_in(page, served, customer)
    for address in (*pages.values(), "/nothing/here", "/?q=nothing", "/pay"):
        await page.goto(served.base_url + address)
        await page.evaluate(machine.AXE_SCRIPT.read_text())
        found = await page.evaluate("axe.run().then(r => r.violations.map(v => [v.id, v.nodes.map(n => n.html)]))")
        assert found == [], address
        wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not await page.evaluate(wide), address
    await context.close()


async def test_with_a_script_a_parents_box_has_three_states_and_totals_follow(served: House, page: Page) -> None:
    customer = served.accounts.customer()
    parent = served.accounts.invoice(customer, 400, number="P-1", is_parent=True)
    sites = [served.accounts.invoice(customer, 100, settled=settled, parent=parent) for settled in (0, 0, 100)]
    served.accounts.invoice(customer, 700)
    await sign_in(page, served, customer)
    box = page.locator(f'[data-parent="{parent}"]')
    await page.get_by_label("Show the sites of P-1").check()
    await page.locator(f'input[value="{sites[0]}"]').check()
    assert await box.evaluate("box => box.indeterminate")
    assert await page.locator(".bar-sum [data-total]").inner_text() == "£1.00"
    await box.check()
    assert await page.locator(".tile [data-count]").inner_text() == "2"
    assert not await page.locator(f'input[value="{sites[2]}"]').is_checked()
    await page.get_by_role("button", name="Overdue").click()
    await page.wait_for_selector("text=Nothing is overdue")
    assert await page.locator(".bar-sum [data-total]").inner_text() == "£2.00"
    await page.get_by_role("button", name="Continue").click()
    await page.wait_for_url("**/pay?**")
    assert await page.locator("[data-pay]").inner_text() == "Pay £2.00"
    await page.go_back()
    await page.wait_for_selector("#account")
    assert await page.locator(".bar-sum [data-total]").inner_text() == "£2.00"


async def test_a_tab_that_is_off_is_in_no_menu_and_its_addresses_answer_404_by_reading_and_by_posting(house: House) -> None:
    customer = house.accounts.customer()
    method, invoice = house.accounts.method(customer), house.accounts.invoice(customer, 100)
    setup = house.accounts.setup(customer, state="completed", method_id=method)
    visitor = await house.customer_browser(customer)
    drawn = (await visitor.get("/methods/new")).text
    token = re.findall(r'name="csrf" value="(\w+)"', drawn)[0]
    signed = re.findall(r'name="setup" value="([^"]+)"', drawn)[0]
    form = {"csrf": token, "setup": signed, "kind": "card"}
    for name, tab in (("show_methods", "/methods"), ("show_payments", "/payments")):
        assert (await visitor.get(tab)).status_code == 200
        house.accounts.setting(name, False)
        for page in ("/", f"/invoices/{invoice}", f"/pay?i={invoice}", f"/methods/setups/{setup}"):
            answer = await visitor.get(page)
            assert answer.status_code == 200, page
            assert not re.search(rf'href="{tab}(/new)?"', answer.text), page
        for page in (tab, f"{tab}?page=2"):
            assert (await visitor.get(page)).headers["x-refusal"] == "not_found"
    for page in ("/methods/new", f"/methods/{method}"):
        assert (await visitor.get(page)).headers["x-refusal"] == "not_found"
    for page in ("/methods", f"/methods/{method}/default", f"/methods/{method}/delete"):
        answer = await visitor.post(page, data=form)
        assert (answer.status_code, answer.headers["x-refusal"]) == (404, "not_found"), page
