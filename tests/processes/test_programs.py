"""A program pays through the JSON API of a running Duly, and loses answers: what the provider charged is counted there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest_asyncio

from api.v1 import answers
from store import api_keys
from store.api_keys import Scope
from store.identity import fresh_id
from tests.processes.house import House, until

Made = tuple[httpx.Response, str]


@pytest_asyncio.fixture
async def program(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """A program with a key of every scope."""
    async with house.admin.begin("test") as tx:
        made = await api_keys.create(tx, label="Web shop", scopes=tuple(Scope), by="test", at=datetime.now(UTC))
    headers = {"Authorization": f"Bearer {made.key}"}
    async with httpx.AsyncClient(base_url=f"{house.base_url}/v1", headers=headers, trust_env=False, timeout=60) as opened:
        yield opened


def payment_of(customer: str, lines: dict[str, int], method: str | None = None, **more: Any) -> dict[str, Any]:
    invoices = [{"invoice_id": invoice, "amount": amount} for invoice, amount in lines.items()]
    return {"customer_id": customer, "currency": "USD", "invoices": invoices, "method_id": method, **more}


async def answered(program: httpx.AsyncClient, path: str, body: Any, key: str) -> httpx.Response:
    """Repeat a request until somebody says what became of it, as a program should; every answer names the same thing."""
    seen: set[str] = set()

    async def ask() -> httpx.Response | None:
        answer = await program.post(path, json=body, headers={"Idempotency-Key": key})
        assert answer.status_code < 500, answer.text
        seen.add(answer.json().get("id", answer.json().get("instance")))
        return answer if answer.status_code != 202 else None

    told: httpx.Response = await until(ask, within_seconds=90, what=f"an answer to {key}")
    assert len(seen) == 1, seen
    return told


async def proves_one_payment(house: House, customer: str, payment_id: str) -> None:
    await house.reaches(payment_id, "captured", within_seconds=60)
    await house.is_posted(payment_id, within_seconds=60)
    assert len(await house.charges(payment_id)) == 1
    assert len(await house.documents(f"{payment_id}-captured")) == 1
    row = await house.one("SELECT count(*) AS n FROM payments WHERE customer_id = :id", id=customer)
    assert row.n == 1
    assert await house.trial_balance() == 0


async def test_ten_identical_requests_at_once_are_one_payment_one_charge_and_one_answer(
    house: House, program: httpx.AsyncClient
) -> None:
    customer, (first, second) = await house.customer(invoices=(10_000, 5_000))
    body = payment_of(customer, {first: 10_000, second: 2_500}, await house.saved_method(customer))
    key = fresh_id("chg")
    told = await asyncio.gather(*(answered(program, "/payments", body, key) for _ in range(10)))
    assert {each.status_code for each in told} == {201}
    assert len({each.content for each in told}) == 1, "the same bytes for everybody"
    payment = answers.Payment.model_validate_json(told[0].content)
    assert (payment.state, payment.captured, payment.started_by) == ("captured", 12_500, "Web shop")
    await proves_one_payment(house, customer, payment.id)
    again = await answered(program, "/payments", body, key)
    assert again.content == told[0].content
    other = await program.post("/payments", json=payment_of(customer, {first: 1}), headers={"Idempotency-Key": key})
    assert other.status_code == 422
    late = await answered(program, "/payments", body, f"{key}-b")
    assert (late.status_code, late.json()["rule"]) == (409, "invoice_paid")
    assert len(await house.charges(payment.id)) == 1


async def test_a_request_repeated_after_a_time_out_and_after_the_api_died_is_the_same_payment(
    house: House, program: httpx.AsyncClient
) -> None:
    """Nobody works when it is asked for; then the API is killed while it waits; then both come back."""
    customer, (invoice,) = await house.customer(invoices=(10_000,))
    body = payment_of(customer, {invoice: 10_000}, await house.saved_method(customer))
    key = fresh_id("chg")
    house.stop_workers()
    lost = await program.post("/payments", json=body, headers={"Idempotency-Key": key})
    assert lost.status_code == 202, lost.text
    pending = answers.Pending.model_validate_json(lost.content)
    looked = await program.get(f"/payments/{pending.id}")
    assert (looked.status_code, looked.json()["state"]) == (202, "starting")

    async def cut_short() -> str:
        try:
            await program.post("/payments", json=body, headers={"Idempotency-Key": key})
        except httpx.TransportError as error:
            return type(error).__name__
        return "answered"

    waiting = asyncio.create_task(cut_short())
    await asyncio.sleep(1)
    api = house.parts.running.pop("api")
    api.kill()
    assert await waiting != "answered", "the API died while it was asked"
    house.parts.running["api"] = api.program.start()
    await asyncio.to_thread(house.parts.running["api"].wait_until_ready)
    house.start_worker()
    told = await answered(program, "/payments", body, key)
    assert (told.status_code, told.json()["id"], told.json()["state"]) == (201, pending.id, "captured")
    await proves_one_payment(house, customer, pending.id)


async def test_a_method_is_saved_used_and_removed_and_a_new_one_pays_on_the_providers_page(
    house: House, program: httpx.AsyncClient
) -> None:
    customer, (first, second) = await house.customer(invoices=(4_000, 6_000))
    setup_body = {"customer_id": customer, "kind": "card", "consent_wording": "Save this card for later payments."}
    setup = answers.MethodSetup.model_validate_json(
        (await answered(program, "/method-setups", setup_body, f"s-{customer}")).content
    )
    assert setup.state == "redirected"
    assert setup.page_url is not None
    await house.fill_in(setup.page_url, "card_ok")

    async def saved() -> Any:
        told = (await program.get(f"/method-setups/{setup.id}")).json()
        return told["method_id"] if told["state"] == "completed" else None

    method = await until(saved, what="the method, told by the provider's webhook")
    asked = {"Idempotency-Key": f"d-{customer}"}
    default = await program.post(f"/payment-methods/{method}/default", headers=asked)
    assert (default.status_code, default.json()["is_default"]) == (200, True), default.text
    assert (await program.post(f"/payment-methods/{method}/default", headers=asked)).content == default.content

    body = payment_of(customer, {first: 4_000}, new_method={"kind": "card"})
    paying = answers.Payment.model_validate_json((await answered(program, "/payments", body, f"p-{customer}")).content)
    assert paying.state == "awaiting_customer"
    assert paying.page_url is not None
    held = await answered(program, "/payments", payment_of(customer, {first: 4_000}, method), f"q-{customer}")
    assert (held.status_code, held.json()["rule"], held.json()["facts"]["by"]) == (409, "invoice_being_paid", "Web shop")
    await house.fill_in(paying.page_url, "card_ok")
    await house.reaches(paying.id, "captured")
    read = answers.Payment.model_validate_json((await program.get(f"/payments/{paying.id}")).content)
    assert (read.captured, read.page_url) == (4_000, None)
    assert [(each.invoice_id, each.covers) for each in read.invoices] == [(first, 4_000)]

    assert (await program.get(f"/invoices/{first}")).json()["status"] == "paid"
    assert (await program.get(f"/invoices/{second}")).json()["available"] == 6_000
    assert (await program.delete(f"/payment-methods/{method}")).status_code == 204
    assert (await program.delete(f"/payment-methods/{method}")).json()["rule"] == "method_not_found"


async def test_a_card_that_declines_is_an_answer_and_no_charge(house: House, program: httpx.AsyncClient) -> None:
    customer, (invoice,) = await house.customer(invoices=(3_000,))
    body = payment_of(customer, {invoice: 3_000}, await house.saved_method(customer, use="card_charge_declined"))
    told = await answered(program, "/payments", body, fresh_id("chg"))
    assert (told.status_code, told.json()["state"]) == (201, "declined")
    assert await house.charges(told.json()["id"]) == []
    assert (await program.get(f"/invoices/{invoice}")).json()["available"] == 3_000
