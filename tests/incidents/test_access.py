"""Families 19, 24 and 26: events of strangers, things of others, and links that begin with somebody else's host."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import Final

import pytest
import pytest_asyncio
from temporalio.client import Client

from connectors.payments.sandbox import SandboxConfig, build
from tests import machine
from tests.api.house import BASE_URL, House, open_house
from tests.naive import hubs

SECRET: Final = "a secret of the sandbox for this door"
POISONED: Final = {"Host": "evil.example"}


@pytest_asyncio.fixture
async def house(database: machine.Database, temporal_client: Client, task_queue: str) -> AsyncIterator[House]:
    provider = build(SandboxConfig(base_url="http://127.0.0.1:9", api_key="key", webhook_secrets=(SECRET,)))
    async with open_house(database, temporal_client, task_queue=task_queue, providers={"sandbox": provider}) as opened:
        opened.accounts.provider()
        yield opened
    await provider.aclose()


# ---------------------------------------------------------------- 19: an event of nobody we know


async def test_a_strangers_event_is_taken_and_kept_aside(house: House) -> None:
    """3scale porta 3086: 404, again and again, until the provider switched the endpoint off."""
    event = {
        "id": "sbe_1",
        "type": "charge.captured",
        "mode": "test",
        "created_at": "2026-11-22T12:00:00.000+00:00",
        "our_ref": "an order of another shop",
        "object": {"type": "charge", "id": "sbc_1"},
    }
    raw, moment = json.dumps(event).encode(), str(int(house.clock().timestamp()))
    mark = hmac.new(SECRET.encode(), moment.encode() + b"." + raw, hashlib.sha256).hexdigest()
    headers = {"X-Sandbox-Signature": f"t={moment},v1={mark}", "Content-Type": "application/json"}
    assert (await house.browser().post("/webhooks/sandbox", content=raw, headers=headers)).status_code == 202
    assert house.accounts.rows("SELECT event_id FROM inbox WHERE state <> 'refused'") == [("sbe_1",)]


def test_whoever_answers_404_has_the_endpoint_switched_off() -> None:
    with pytest.raises(AssertionError):
        assert hubs.answer_to("an order of another shop", {"pay_1"}) < 300


# ---------------------------------------------------------------- 24: somebody else's


async def test_an_id_of_another_customer_is_no_key(house: House, database: machine.Database) -> None:
    """Dolibarr 38947, InvoiceShelf 565: one page of many did not ask whose it was. The database asks for every page."""
    owner, other = house.accounts.customer("Owner"), house.accounts.customer("Other")
    theirs = house.accounts.payment(owner, {house.accounts.invoice(owner, 1_000): 1_000}, state="captured")
    visitor = await house.customer_browser(other)
    assert (await visitor.get(f"/payments/{theirs}")).status_code == 404
    # The forgotten check itself, made as the portal: row-level security answers for it.
    async with house.services.portal.read_as([other], hide_paused=False) as tx:
        assert await hubs.document_by_id(tx, theirs) is None
    async with house.services.portal.read_as([owner], hide_paused=False) as tx:
        assert await hubs.document_by_id(tx, theirs) == theirs


async def test_without_the_databases_own_check_a_forgotten_one_shows_it(house: House) -> None:
    owner = house.accounts.customer("Owner")
    theirs = house.accounts.payment(owner, {house.accounts.invoice(owner, 1_000): 1_000}, state="captured")
    async with house.services.staff.begin("naive") as tx:
        with pytest.raises(AssertionError):
            assert await hubs.document_by_id(tx, theirs) is None


# ---------------------------------------------------------------- 26: a link to somebody else's host


async def test_a_link_begins_with_our_address_whoever_asks(house: House) -> None:
    """Cronicle 916, hackathon-starter 1326: the mailed link led to the attacker's host, with the token in it."""
    customer = house.accounts.customer()
    program = await house.program()
    order = {"customer_id": customer}
    made = await program.post("/links", json=order, headers={"Idempotency-Key": "one"})
    assert made.status_code == 201, made.text
    assert made.json()["url"].startswith(f"{BASE_URL}/l/")
    poisoned = await program.post("/links", json=order, headers={"Idempotency-Key": "two", **POISONED})
    assert (poisoned.status_code, house.accounts.rows("SELECT count(*) FROM portal_links")) == (400, [(1,)])


def test_a_link_made_of_the_request_leads_to_the_attacker() -> None:
    with pytest.raises(AssertionError):
        assert hubs.link_from(POISONED, "token").startswith("https://duly.example/")
