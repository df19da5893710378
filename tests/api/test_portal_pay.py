"""Before money moves, and the moment when it is asked for: no worker runs here, so nobody answers in time."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from html import unescape

import httpx
import pytest_asyncio
from temporalio.client import Client

from domain.preview import facts_hash
from store import invoices
from store.identity import fresh_id
from tests import machine
from tests.api.accounts import NOON, TODAY
from tests.api.house import House, open_house
from workflows import ids


@pytest_asyncio.fixture
async def house(database: machine.Database, temporal_client: Client, task_queue: str) -> AsyncIterator[House]:
    async with open_house(database, temporal_client, task_queue=task_queue) as opened:
        opened.accounts.provider()
        yield opened


def form_on(page: str) -> dict[str, str]:
    """What the pay page would send, had nobody touched it."""
    form = page[page.index('<form id="pay"') : page.index("</form>", page.index('<form id="pay"'))]
    fields = {}
    for tag in re.findall(r"<input[^>]*>", form):
        known = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        if known.get("type") in {"radio", "checkbox"} and " checked" not in tag:
            continue
        fields[known["name"]] = unescape(known.get("value", ""))
    return fields


async def workflows_of(client: Client, payment: str) -> int:
    return len([each async for each in client.list_workflows(f"WorkflowId = '{ids.payment(payment)}'")])


async def test_the_preview_says_what_will_be_charged_and_every_balance_afterwards(house: House) -> None:
    customer = house.accounts.customer()
    house.accounts.method(customer, is_default=True)
    late = house.accounts.invoice(customer, 124000, due_on=TODAY - timedelta(days=3), number="INV-1")
    house.accounts.invoice(customer, 50000, number="INV-2")
    visitor = await house.customer_browser(customer)
    page = (await visitor.get(f"/pay?i={late}")).text
    assert "Pay <span data-total>£1,240.00" in page
    assert "data-overdue-after>£0.00" in page
    assert "data-balance-after>£500.00" in page
    assert "Visa ending 4242" in page
    assert house.accounts.rows("SELECT 1 FROM payments") == []


async def test_the_fingerprint_is_the_one_that_the_process_will_compute(house: House) -> None:
    customer = house.accounts.customer()
    chosen = [house.accounts.invoice(customer, 100), house.accounts.invoice(customer, 900, settled=300)]
    visitor = await house.customer_browser(customer)
    form = form_on((await visitor.get("/pay", params=[("i", each) for each in chosen])).text)
    async with house.services.staff.begin("test") as tx:
        facts = await invoices.facts(tx, chosen, [customer])
    assert form["facts_hash"] == facts_hash(facts.values())


async def test_a_custom_amount_is_spread_oldest_first_the_last_one_in_part(house: House) -> None:
    customer = house.accounts.customer()
    old, new, never = (
        house.accounts.invoice(customer, 10000, issued_on=TODAY - timedelta(days=days)) for days in (30, 20, 10)
    )
    visitor = await house.customer_browser(customer)
    form = form_on((await visitor.get("/pay?custom=125.50")).text)
    assert (form[old], form[new]) == ("100.00", "25.50")
    assert never not in form
    assert form["shown"] == "12550"


async def test_custom_amounts_that_cannot_be_are_refused_by_their_rule(house: House) -> None:
    customer = house.accounts.customer()
    house.accounts.invoice(customer, 10000)
    visitor = await house.customer_browser(customer)
    for typed, rule in (
        ("0", "amount_not_positive"), ("-5", "amount_not_positive"), ("12.345", "amount_"), ("many", "amount_unreadable"),
        ("100.01", "custom_amount_above_open"), ("9" * 20, "amount_out_of_range"),
    ):  # fmt: skip
        answer = await visitor.get("/pay", params={"custom": typed})
        assert answer.status_code == 422, typed
        assert answer.headers["x-refusal"].startswith(rule), typed
        assert 'href="/"' in answer.text


async def test_nothing_selected_is_answered_with_a_way_out(house: House) -> None:
    visitor = await house.customer_browser(house.accounts.customer())
    answer = await visitor.get("/pay")
    assert (answer.status_code, answer.headers["x-refusal"]) == (422, "nothing_selected")
    assert "Back to your invoices" in answer.text


async def test_what_cannot_be_paid_is_refused_before_any_form_is_drawn(house: House) -> None:
    customer = house.accounts.customer()
    other = house.accounts.invoice(house.accounts.customer("Somebody Else"), 100)
    paid = house.accounts.invoice(customer, 100, settled=100)
    held = house.accounts.invoice(customer, 100)
    house.accounts.hold(held, customer, 100)
    visitor = await house.customer_browser(customer)
    for invoice, status, rule in (
        (other, 404, "invoice_not_found"), (paid, 409, "invoice_paid"), (held, 409, "invoice_being_paid"),
        (house.accounts.invoice(customer, 100, status="in_dispute"), 409, "invoice_not_payable"),
        (house.accounts.invoice(customer, 100, is_parent=True), 422, "parent_not_payable"),
    ):  # fmt: skip
        answer = await visitor.get(f"/pay?i={invoice}")
        assert (answer.status_code, answer.headers["x-refusal"]) == (status, rule)


async def test_a_card_above_its_limit_is_gone_and_the_rule_is_named_the_limit_itself_is_allowed(house: House) -> None:
    customer = house.accounts.customer()
    house.accounts.setting("card_limit", {"GBP": 10000})
    card = house.accounts.method(customer, is_default=True)
    at_limit, above = house.accounts.invoice(customer, 10000), house.accounts.invoice(customer, 10001)
    visitor = await house.customer_browser(customer)
    assert f'value="{card}"' in (await visitor.get(f"/pay?i={at_limit}")).text
    refused = (await visitor.get(f"/pay?i={above}")).text
    assert f'value="{card}"' not in refused
    assert "Cards are for payments up to 100.00 GBP" in refused
    assert "Rule: card_above_limit" in refused


async def test_with_no_provider_there_is_no_pay_button_and_the_rule_says_why(house: House) -> None:
    house.accounts.run("UPDATE connections SET enabled = false")
    customer = house.accounts.customer()
    invoice = house.accounts.invoice(customer, 100)
    page = (await (await house.customer_browser(customer)).get(f"/pay?i={invoice}")).text
    assert "data-pay" not in page
    assert "Rule: no_provider" in page


async def test_either_switch_off_takes_its_ways_away_and_refuses_them(house: House) -> None:
    customer = house.accounts.customer()
    method = house.accounts.method(customer)
    invoice = house.accounts.invoice(customer, 100)
    visitor = await house.customer_browser(customer)
    form = form_on((await visitor.get(f"/pay?i={invoice}")).text)
    house.accounts.setting("charge_on_file", False)
    page = (await visitor.get(f"/pay?i={invoice}")).text
    assert f'value="{method}"' not in page
    assert (await visitor.post("/payments", data={**form, "way": method})).status_code == 404
    house.accounts.setting("one_time_payment", False)
    assert (await visitor.get(f"/pay?i={invoice}")).headers["x-refusal"] == "paying_off"
    assert "data-continue" not in (await visitor.get("/")).text


async def _pay(visitor: httpx.AsyncClient, invoice: str, **changes: str) -> tuple[dict[str, str], httpx.Response]:
    form = {**form_on((await visitor.get(f"/pay?i={invoice}")).text), **changes}
    return form, await visitor.post("/payments", data=form)


async def test_with_no_worker_the_status_page_is_the_answer_and_pressing_again_starts_nothing_more(
    house: House, temporal_client: Client
) -> None:
    customer = house.accounts.customer()
    house.accounts.method(customer, is_default=True)
    invoice = house.accounts.invoice(customer, 100)
    visitor = await house.customer_browser(customer)
    form, answer = await _pay(visitor, invoice)
    payment = form["payment"].split(".")[0]
    assert (answer.status_code, answer.headers["location"]) == (303, f"/payments/{payment}")
    again = await visitor.post("/payments", data=form)
    assert (again.status_code, again.headers["location"]) == (303, f"/payments/{payment}")
    page = (await visitor.get(f"/payments/{payment}")).text
    assert "Your payment is starting" in page
    assert "Nothing was charged" not in page
    # The workflow waits, once, for a worker to come back.
    assert (await temporal_client.get_workflow_handle(ids.payment(payment)).describe()).status is not None


async def test_where_no_process_ever_began_the_page_says_that_nothing_was_charged(house: House) -> None:
    visitor = await house.customer_browser(house.accounts.customer())
    page = await visitor.get(f"/payments/{fresh_id('pay')}")
    assert page.status_code == 404, "it does not exist, and says what that means"
    assert "Nothing was charged" in page.text


async def test_a_form_that_was_used_is_answered_from_its_row_and_with_another_body_refused(house: House) -> None:
    customer = house.accounts.customer()
    first = house.accounts.method(customer, is_default=True)
    second = house.accounts.method(customer, last4="1881")
    invoice = house.accounts.invoice(customer, 100)
    visitor = await house.customer_browser(customer)
    form, _ = await _pay(visitor, invoice, way=first)
    payment = form["payment"].split(".")[0]
    request_hash = (await _hash_of(house, visitor, form)).strip()
    house.accounts.payment(customer, {invoice: 100}, state="captured", payment_id=payment, request_hash=request_hash)
    assert (await visitor.post("/payments", data=form)).headers["location"] == f"/payments/{payment}"
    for change in ({"way": second}, {invoice: "0.50"}, {"way": "new/sandbox/card", "save": "new/sandbox/card"}):
        refused = await visitor.post("/payments", data={**form, **change})
        assert (refused.status_code, refused.headers["x-refusal"]) == (422, "form_used_differently"), change


async def _hash_of(house: House, visitor: httpx.AsyncClient, form: dict[str, str]) -> str:
    """The hash that the door gave to the process: read back from the workflow's own input."""
    handle = house.services.processes._client.get_workflow_handle(ids.payment(form["payment"].split(".")[0]))
    history = await handle.fetch_history()
    payload = history.events[0].workflow_execution_started_event_attributes.input.payloads[0]
    found = re.search(rb'"request_hash":"(\w+)"', payload.data)
    assert found is not None
    return found[1].decode()


async def test_changed_amounts_that_the_button_did_not_say_are_shown_before_they_are_charged(
    house: House, temporal_client: Client
) -> None:
    customer = house.accounts.customer()
    house.accounts.method(customer, is_default=True)
    invoice = house.accounts.invoice(customer, 10000)
    visitor = await house.customer_browser(customer)
    form, answer = await _pay(visitor, invoice, **{invoice: "40.00"})
    assert answer.status_code == 422
    assert "Pay <span data-total>£40.00" in answer.text
    shown = form_on(answer.text)
    assert (shown["shown"], shown["payment"]) == ("4000", form["payment"])
    assert (await visitor.post("/payments", data=shown)).status_code == 303
    unreadable = await visitor.post("/payments", data={**shown, invoice: "four"})
    assert unreadable.status_code == 422
    assert "is not an amount" in unreadable.text


async def test_a_foreign_stale_or_changed_form_starts_nothing(house: House) -> None:
    customer, other = house.accounts.customer(), house.accounts.customer("Somebody Else")
    invoice, theirs = house.accounts.invoice(customer, 100), house.accounts.invoice(other, 100)
    house.accounts.method(customer)
    visitor, stranger = await house.customer_browser(customer), await house.customer_browser(other)
    form = form_on((await visitor.get(f"/pay?i={invoice}")).text)
    own = form_on((await stranger.get(f"/pay?i={theirs}")).text)
    for changed in (
        {**own, "payment": form["payment"]},
        {**own, "payment": own["payment"][:-1] + "x"},
        {**own, "payment": f"{fresh_id('pay')}.{int(NOON.timestamp())}.x"},
    ):
        refused = await stranger.post("/payments", data=changed)
        assert (refused.status_code, refused.headers["x-refusal"]) == (422, "form_expired")
    named = await stranger.post("/payments", data={**own, invoice: "1.00"})
    assert named.status_code == 404
    assert house.accounts.rows("SELECT 1 FROM payments") == []


async def test_another_customers_payment_is_answered_as_if_it_did_not_exist(house: House) -> None:
    customer, other = house.accounts.customer(), house.accounts.customer("Somebody Else")
    payment = house.accounts.payment(other, {house.accounts.invoice(other, 100): 100}, state="captured", captured=100)
    setup = house.accounts.setup(other, state="redirected")
    method = house.accounts.method(other)
    visitor = await house.customer_browser(customer)
    for path, theirs, unborn in (
        ("/payments/", payment, fresh_id("pay")),
        ("/methods/setups/", setup, fresh_id("set")),
        ("/methods/", method, fresh_id("pm")),
    ):
        pages = [(each, await visitor.get(f"{path}{each}")) for each in (theirs, unborn)]
        assert {page.status_code for _, page in pages} == {404}
        said = {page.text[page.text.index("<main") :].replace(each, "ID") for each, page in pages}
        assert len(said) == 1, path


async def test_coming_back_from_the_provider_changes_nothing_and_shows_nothing_without_a_session(
    house: House,
) -> None:
    customer = house.accounts.customer("Secret Name Ltd")
    payment = house.accounts.payment(customer, {house.accounts.invoice(customer, 100): 100}, state="awaiting_customer")
    setup = house.accounts.setup(customer, state="redirected")
    before = house.accounts.rows("SELECT * FROM payments")
    for path in (f"/payments/{payment}/return", f"/methods/setups/{setup}/return"):
        forged = await house.browser().get(f"{path}?status=captured&amount=1")
        assert forged.status_code == 200
        assert "Secret Name" not in forged.text
        visitor = await house.customer_browser(customer)
        answer = await visitor.get(f"{path}?status=failed")
        assert (answer.status_code, answer.headers["location"]) == (303, path.removesuffix("/return"))
    assert house.accounts.rows("SELECT * FROM payments") == before
