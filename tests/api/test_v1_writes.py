"""What programs ask to be done, with nobody there who does it: no worker runs here, so a time-out is what is answered."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from temporalio.client import Client

from api.v1 import answers
from store.api_keys import Scope
from store.identity import fresh_id
from store.staff_accounts import Role
from tests import machine
from tests.api.house import House, open_house
from workflows import ids


@pytest_asyncio.fixture
async def house(database: machine.Database, temporal_client: Client, task_queue: str) -> AsyncIterator[House]:
    async with open_house(database, temporal_client, task_queue=task_queue) as opened:
        opened.accounts.provider()
        yield opened


async def ask(program: httpx.AsyncClient, path: str, body: Any, key: str = "wish-1") -> httpx.Response:
    return await program.post(path, json=body, headers={"Idempotency-Key": key})


def payment_of(customer: str, invoice: str, method: str, amount: int = 1_000) -> dict[str, Any]:
    return {
        "customer_id": customer,
        "currency": "GBP",
        "invoices": [{"invoice_id": invoice, "amount": amount}],
        "method_id": method,
    }


# ---------------------------------------------------------------- payments


async def test_a_payment_that_nobody_answers_is_pending_and_the_same_one_each_time(
    house: House, temporal_client: Client
) -> None:
    customer = house.accounts.customer()
    body = payment_of(customer, house.accounts.invoice(customer, 1_000), house.accounts.method(customer))
    program = await house.program()
    first, second = await asyncio.gather(ask(program, "/payments", body), ask(program, "/payments", body))
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.content == second.content
    pending = answers.Pending.model_validate_json(first.content)
    assert pending.state == "starting"
    assert first.headers["location"] == pending.url == f"/v1/payments/{pending.id}"
    assert first.headers["retry-after"] == "1"
    started = [each async for each in temporal_client.list_workflows(f"WorkflowId = '{ids.payment(pending.id)}'")]
    assert len(started) == 1
    asked = await program.get(f"/payments/{pending.id}")
    assert (asked.status_code, asked.json()) == (202, first.json())
    assert house.accounts.rows("SELECT status FROM idempotent_requests") == [(None,)], "a time-out is no answer"
    assert house.accounts.rows("SELECT action, object_id FROM access_log") == [("payment_asked_for", pending.id)]


async def test_what_the_row_says_is_the_answer_and_it_is_kept(house: House) -> None:
    """The process ran although nobody answered: its row is told, and from then on the same bytes for ever."""
    customer = house.accounts.customer()
    invoice = house.accounts.invoice(customer, 1_000)
    body = payment_of(customer, invoice, house.accounts.method(customer))
    program = await house.program()
    payment = (await ask(program, "/payments", body)).json()["id"]
    house.accounts.payment(customer, {invoice: 1_000}, state="captured", payment_id=payment, captured=1_000)
    told = await ask(program, "/payments", body)
    assert told.status_code == 201, told.text
    answers.Payment.model_validate_json(told.content)
    house.accounts.run("UPDATE payments SET state = 'returned', returned = captured")
    again = await ask(program, "/payments", dict(reversed(body.items())))
    assert (again.status_code, again.content, again.headers["location"]) == (201, told.content, told.headers["location"])
    assert (await program.get(f"/payments/{payment}")).json()["state"] == "returned"


async def test_another_body_under_the_same_key_is_refused_and_another_programs_key_is_another_wish(house: House) -> None:
    customer = house.accounts.customer()
    invoice, method = house.accounts.invoice(customer, 1_000), house.accounts.method(customer)
    program, other = await house.program(), await house.program()
    mine = await ask(program, "/payments", payment_of(customer, invoice, method))
    for path, body in (
        ("/payments", payment_of(customer, invoice, method, amount=999)),
        ("/links", {"customer_id": customer}),
        ("/method-setups", {"customer_id": customer, "kind": "card", "consent_wording": "Save this card, please."}),
        (f"/payment-methods/{method}/default", None),
    ):
        answer = await ask(program, path, body)
        assert (answer.status_code, answer.json()["rule"]) == (422, "idempotency_key_reused"), path
    theirs = await ask(other, "/payments", payment_of(customer, invoice, method))
    assert theirs.json()["id"] != mine.json()["id"]


async def test_a_refused_payment_names_its_rule_and_stays_refused_under_its_key(house: House) -> None:
    customer = house.accounts.customer()
    invoice = house.accounts.invoice(customer, 1_000)
    body = payment_of(customer, invoice, fresh_id("pm"))
    program = await house.program()
    first = await ask(program, "/payments", body)
    assert (first.status_code, first.json()["rule"]) == (404, "method_not_found")
    assert first.headers["content-type"] == "application/problem+json"
    assert first.headers["x-refusal"] == "method_not_found"
    again = await ask(program, "/payments", body)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    payment = house.accounts.payment(
        customer, {}, state="refused", refused_rule="invoice_paid", refused_facts='{"number": "INV-1"}'
    )
    house.accounts.run("UPDATE idempotent_requests SET object_id = %s, status = NULL, answer = NULL", [payment])
    told = await ask(program, "/payments", body)
    assert (told.status_code, told.json()["detail"]) == (409, "Invoice INV-1 is already paid.")
    assert told.json()["instance"] == f"/v1/payments/{payment}"


async def test_what_an_earlier_try_has_started_is_not_refused_later(house: House) -> None:
    """The method is gone when the request is repeated, but its payment may be under way: that is not a no."""
    customer = house.accounts.customer()
    body = payment_of(customer, house.accounts.invoice(customer, 1_000), house.accounts.method(customer))
    program = await house.program()
    first = await ask(program, "/payments", body)
    house.accounts.run("UPDATE customers SET deleted = true")
    again = await ask(program, "/payments", body)
    assert (first.status_code, again.status_code, again.json()) == (202, 202, first.json())


@pytest.mark.parametrize(
    ("change", "status", "rule"),
    [
        ({"customer_id": fresh_id("cus")}, 404, "customer_not_found"),
        ({"invoices": [{"invoice_id": fresh_id("inv"), "amount": 1}] * 201}, 422, "too_many_invoices"),
        ({"method_id": None, "new_method": {"kind": "sepa_debit"}}, 422, "method_kind_not_offered"),
        ({"method_id": None, "new_method": {"kind": "card", "save": True}}, 422, "consent_needed"),
        ({"currency": "XXX", "method_id": None, "new_method": {"kind": "card"}}, 422, "method_kind_not_offered"),
        ({"method_id": "theirs"}, 404, "method_not_found"),
    ],
)
async def test_a_payment_is_refused_before_any_process_starts(
    house: House, change: dict[str, Any], status: int, rule: str
) -> None:
    customer, other = house.accounts.customer(), house.accounts.customer("Other")
    if change.get("method_id") == "theirs":
        change = {"method_id": house.accounts.method(other)}
    body = {**payment_of(customer, house.accounts.invoice(customer, 1_000), house.accounts.method(customer)), **change}
    answer = await ask(await house.program(), "/payments", body)
    assert (answer.status_code, answer.json()["rule"]) == (status, rule), answer.text


# ---------------------------------------------------------------- methods, links, settings


async def test_set_ups_and_changes_of_methods_that_nobody_answers_are_pending(house: House) -> None:
    customer = house.accounts.customer()
    method = house.accounts.method(customer)
    program = await house.program()
    body = {"customer_id": customer, "kind": "card", "consent_wording": "Save this card for later."}
    setup = await ask(program, "/method-setups", body, "s")
    assert setup.status_code == 202
    assert (await ask(program, "/method-setups", body, "s")).json() == setup.json()
    assert (await program.get(f"/method-setups/{setup.json()['id']}")).json()["state"] == "starting"
    house.accounts.setup(customer, state="redirected", setup_id=setup.json()["id"], page_url="http://provider.test:9000/s")
    told = await ask(program, "/method-setups", body, "s")
    assert (told.status_code, told.json()["page_url"]) == (201, "http://provider.test:9000/s")
    default = await ask(program, f"/payment-methods/{method}/default", None, "d")
    assert (default.status_code, default.json()["id"]) == (202, method)
    removed = await program.delete(f"/payment-methods/{method}")
    assert (removed.status_code, removed.json()["state"]) == (202, "active")
    for path in (f"/payment-methods/{fresh_id('pm')}/default", f"/payment-methods/{fresh_id('pm')}"):
        verb = program.post if path.endswith("default") else program.delete
        answer = await verb(path, headers={"Idempotency-Key": "x"})
        assert (answer.status_code, answer.json()["rule"]) == (404, "method_not_found")


async def test_a_link_is_made_once_told_again_and_stored_nowhere(house: House) -> None:
    customer = house.accounts.customer()
    program, other = await house.program(), await house.program()
    body = {"customer_id": customer, "days": 7}
    made = await asyncio.gather(*(ask(program, "/links", body) for _ in range(5)))
    assert {each.status_code for each in made} == {201}
    assert len({each.content for each in made}) == 1
    link = answers.OpenLink.model_validate_json(made[0].content)
    assert house.accounts.rows("SELECT count(*) FROM portal_links") == [(1,)]
    token = link.url.rpartition("/l/")[2]
    kept = str([house.accounts.rows(f"SELECT * FROM {table}") for table in ("idempotent_requests", "portal_links")])
    assert token not in kept
    assert (await ask(other, "/links", body)).json()["url"] != link.url
    visitor = house.browser()
    assert (await visitor.post(f"/l/{token}")).status_code == 303
    assert (await visitor.get("/")).status_code == 200
    revoked = await program.delete(f"/customers/{customer}/links")
    assert revoked.json() == {"revoked": 2}
    assert (await visitor.get("/")).status_code == 401
    acts = house.accounts.rows("SELECT action FROM access_log WHERE starts_with(actor, 'key_') ORDER BY seq")
    assert acts == [("link_created",), ("link_created",), ("links_revoked",)]
    page = (await (await house.staff_browser(Role.VIEWER)).get(f"/staff/customers/{customer}")).text
    assert "Test shop" in page, "staff read whose key it was"


async def test_a_link_is_refused_for_nobody_and_for_what_belongs_to_somebody_else(house: House) -> None:
    mine, other = house.accounts.customer("Mine"), house.accounts.customer("Other")
    draft, theirs = house.accounts.invoice(mine, 100, status="draft"), house.accounts.invoice(other, 100)
    program = await house.program()
    for number, (body, rule) in enumerate((
        ({"customer_id": fresh_id("cus")}, "customer_not_found"),
        ({"customer_id": mine, "invoice_id": theirs}, "invoice_not_found"),
        ({"customer_id": mine, "invoice_id": draft}, "invoice_not_found"),
        ({"customer_id": mine, "contact_id": fresh_id("con")}, "not_found"),
    )):  # fmt: skip
        answer = await ask(program, "/links", body, f"k{number}")
        assert (answer.status_code, answer.json()["rule"]) == (404, rule), body
    assert (await program.delete(f"/customers/{fresh_id('cus')}/links")).json()["rule"] == "customer_not_found"
    assert house.accounts.rows("SELECT 1 FROM portal_links") == []


async def test_a_setting_is_changed_by_the_same_checks_and_its_history_names_the_key(house: House) -> None:
    program = await house.program(Scope.SETTINGS_READ, Scope.SETTINGS_WRITE)
    changed = await program.put("/settings/card_limit", json={"value": {"USD": 1_000_000}})
    assert changed.status_code == 200, changed.text
    told = answers.SettingWithHistory.model_validate_json(changed.content)
    assert (told.value, told.default, told.history[0].version) == ({"USD": 1_000_000}, {}, 1)
    assert told.history[0].changed_by.startswith("Test shop (key_")
    assert (await program.get("/settings/card_limit")).json() == changed.json()
    for name, value, rule in (
        ("card_limit", {"LOL": 1}, "setting_invalid"), ("link_days", 91, "setting_invalid"),
        ("link_days", True, "setting_invalid"), ("show_balance", "yes", "setting_invalid"),
        ("minimum_payment", "some", "setting_invalid"), ("colour", "red", "setting_unknown"),
        ("link_days", 1.5, "request_invalid"), ("link_days", None, "request_invalid"),
        ("business_name", ["x"], "request_invalid"), ("business_name", "a\x00b", "request_invalid"),
    ):  # fmt: skip
        answer = await program.put(f"/settings/{name}", json={"value": value})
        assert (answer.status_code, answer.json()["rule"]) == (422, rule), (name, value)
    assert (await program.get("/settings/colour")).json()["rule"] == "setting_unknown"
    assert house.accounts.rows("SELECT name, version FROM settings") == [("card_limit", 1)]


async def test_what_makes_something_needs_a_key_for_its_wish(house: House) -> None:
    program = await house.program()
    customer = house.accounts.customer()
    for headers in ({}, {"Idempotency-Key": ""}, {"Idempotency-Key": "a b"}, {"Idempotency-Key": "x" * 201}):
        answer = await program.post("/links", json={"customer_id": customer}, headers=headers)
        assert (answer.status_code, answer.json()["rule"]) == (400, "idempotency_key_needed"), headers
    assert house.accounts.rows("SELECT 1 FROM portal_links") == []
