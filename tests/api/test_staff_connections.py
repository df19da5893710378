"""Connections to payment providers: made, checked, changed, rotated and switched by administrators; no secret comes back."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
import pytest_asyncio

from activities.connecting import Connected, Workshop
from connectors import registry
from store import managed
from store.envelopes import CannotOpen, Envelopes
from store.staff_accounts import Role
from tests import machine
from tests.api.house import House, absent_temporal, open_house, statements, submit, token_on
from tests.connectors.stripe.harness import API_KEY, SECRETS, start_stripe
from tests.simulators.running import Program

LIST = "/staff/connections"
NEW = f"{LIST}/new/stripe"
ONE = f"{LIST}/cards"
MADE: dict[str, Any] = {
    "id": "cards",
    "title": "Cards in Europe",
    "secret.api_key": API_KEY,
    "secret.webhook_secret": SECRETS[0],
    "account": "",
    "kind": ["card", "sepa_debit"],
    "currencies": "eur, gbp",
    "preferred": ["card"],
}


@pytest.fixture(scope="module")
def stripe_program() -> Iterator[Program]:
    program = start_stripe()
    yield program
    program.stop()


@pytest_asyncio.fixture
async def house(database: machine.Database, stripe_program: Program) -> AsyncIterator[House]:
    async with open_house(database, await absent_temporal(), addresses={"stripe": stripe_program.url}) as opened:
        yield opened


@pytest_asyncio.fixture
async def admin(house: House) -> httpx.AsyncClient:
    return await house.staff_browser(Role.ADMIN)


async def made(admin: httpx.AsyncClient, **changes: Any) -> httpx.Response:
    return await submit(admin, NEW, NEW, **{**MADE, **changes})


async def act(admin: httpx.AsyncClient, what: str, **fields: Any) -> httpx.Response:
    return await submit(admin, ONE, f"{ONE}/{what}", **fields)


def stored(house: House, columns: str) -> Any:
    [row] = house.accounts.rows(f"SELECT {columns} FROM connections WHERE id = 'cards'")
    return row


def delivery(house: House, secret: str, event_id: str = "evt_1") -> tuple[bytes, dict[str, str]]:
    """What the provider would send, signed with that secret."""
    event = {
        "id": event_id,
        "object": "event",
        "type": "payment_intent.succeeded",
        "created": int(house.clock().timestamp()),
        "livemode": False,
        "data": {"object": {"id": "pi_1", "object": "payment_intent", "metadata": {"our_ref": "pay_unknown"}}},
    }
    raw, at = json.dumps(event).encode(), int(house.clock().timestamp())
    signature = hmac.new(secret.encode(), f"{at}.".encode() + raw, hashlib.sha256).hexdigest()
    return raw, {"Stripe-Signature": f"t={at},v1={signature}"}


async def knock(house: House, secret: str, event_id: str = "evt_1") -> int:
    raw, headers = delivery(house, secret, event_id)
    return (await house.browser().post("/webhooks/cards", content=raw, headers=headers)).status_code


async def test_a_connection_is_made_switched_off_checked_and_then_offered_to_customers(
    house: House, admin: httpx.AsyncClient
) -> None:
    customer = house.accounts.customer("Acme", currency="EUR")
    house.accounts.invoice(customer, 1200, currency="EUR")
    visitor = await house.customer_browser(customer)
    assert "No payment provider is connected" in (await admin.get(LIST)).text
    answer = await made(admin)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{ONE}?done=made"), answer.text
    page = (await admin.get(ONE)).text
    assert "http://duly.test:8600/webhooks/cards" in page
    assert ">Off<" in page
    assert stored(house, "enabled, mode, connector, calls_per_second") == (False, "sandbox", "stripe", 20)
    assert stored(house, "offers, once")[0] == {"card": ["EUR", "GBP"], "sepa_debit": ["EUR"]}
    assert "Add a method" not in (await visitor.get("/methods")).text
    assert (await act(admin, "switch", on="yes")).headers["location"] == f"{ONE}?done=on"
    assert "Add a method" in (await visitor.get("/methods")).text
    assert (await act(admin, "switch", on="no")).headers["location"] == f"{ONE}?done=off"
    assert "Add a method" not in (await visitor.get("/methods")).text
    acts = house.accounts.rows("SELECT action, object_id FROM access_log WHERE action LIKE 'connection%%' ORDER BY seq")
    assert acts == [("connection_made", "cards"), ("connection_on", "cards"), ("connection_off", "cards")]


async def test_no_secret_is_stored_in_the_clear_shown_or_written_down(house: House, admin: httpx.AsyncClient) -> None:
    await made(admin)
    every = "".join(str(row) for row in house.accounts.rows("SELECT * FROM connections"))
    every += "".join(str(row) for row in house.accounts.rows("SELECT * FROM connection_secrets"))
    every += "".join(str(row) for row in house.accounts.rows("SELECT * FROM access_log"))
    every += (await admin.get(ONE)).text + (await admin.get(LIST)).text
    assert API_KEY not in every
    assert SECRETS[0] not in every
    assert f"••••{API_KEY[-4:]}" in every
    refused = await made(admin, id="cards2", title="")
    assert refused.status_code == 422
    assert API_KEY not in refused.text
    assert "must be entered again" in refused.text


CANNOT_WORK: list[tuple[dict[str, Any], str]] = [
    ({"id": "Cards!"}, "small letters"),
    ({"title": " "}, "a name that colleagues"),
    ({"secret.api_key": ""}, "API key is missing"),
    ({"secret.api_key": "sk_live_abcdefghijkl"}, "This is a live key"),
    ({"secret.webhook_secret": ""}, "secret is missing"),
    ({"secret.webhook_secret": "short"}, "at least 16 characters"),
    ({"kind": []}, "at least one kind"),
    ({"kind": ["bacs_debit"]}, "at least one kind"),
    ({"currencies": ""}, "name the currencies"),
    ({"currencies": "EUR, XYZ"}, "XYZ"),
    ({"currencies": "JPY", "kind": ["sepa_debit"]}, "takes sepa debit in none"),
    ({"currencies": "EUR, JPY", "kind": ["sepa_debit"]}, "none of these kinds in JPY"),
]


async def test_what_cannot_work_is_said_and_nothing_is_saved(house: House, admin: httpx.AsyncClient) -> None:
    for changes, rule in CANNOT_WORK:
        answer = await made(admin, **changes)
        assert (answer.status_code, rule in answer.text) == (422, True), (changes, answer.text)
    assert house.accounts.rows("SELECT 1 FROM connections WHERE is_managed") == []
    assert house.accounts.rows("SELECT 1 FROM connection_secrets") == []


async def test_a_key_that_the_provider_refuses_is_told_and_cannot_be_switched_on(
    house: House, admin: httpx.AsyncClient
) -> None:
    await made(admin, **{"secret.api_key": "sk_test_of_somebody_else"})
    assert "Cannot work" in (await admin.get(ONE)).text
    answer = await act(admin, "switch", on="yes")
    assert answer.status_code == 409
    assert "It stays off" in answer.text
    assert stored(house, "enabled") == (False,)
    assert (await act(admin, "secrets", name="api_key", **{"secret.api_key": API_KEY})).status_code == 303
    assert (await act(admin, "switch", on="yes")).status_code == 303
    assert stored(house, "enabled") == (True,)


async def test_the_same_short_name_is_not_given_twice(admin: httpx.AsyncClient) -> None:
    await made(admin)
    answer = await made(admin)
    assert (answer.status_code, "called cards already" in answer.text) == (409, True)


async def test_old_and_new_webhook_secrets_are_believed_until_the_old_one_is_ended(
    house: House, admin: httpx.AsyncClient
) -> None:
    await made(admin)
    assert await knock(house, SECRETS[0]) == 202
    assert await knock(house, SECRETS[1], "evt_2") == 400
    refused = await act(admin, "secrets", name="webhook_secret", **{"secret.webhook_secret": "whsec_short"})
    assert refused.status_code == 422
    await act(admin, "secrets", name="webhook_secret", **{"secret.webhook_secret": SECRETS[1]})
    assert (await knock(house, SECRETS[0], "evt_3"), await knock(house, SECRETS[1], "evt_4")) == (202, 202)
    assert "Older, still believed" in (await admin.get(ONE)).text
    await act(admin, "secrets/end", name="webhook_secret")
    assert (await knock(house, SECRETS[0], "evt_5"), await knock(house, SECRETS[1], "evt_6")) == (400, 202)
    assert house.accounts.rows("SELECT sealed FROM connection_secrets WHERE ended_at IS NOT NULL") == [("",)]


async def test_a_process_that_did_not_make_the_change_hears_of_it(house: House, admin: httpx.AsyncClient) -> None:
    """The second process is another `Connected` on the same database, as a worker has."""
    connected = Connected(house.services.staff, house.services.connected.workshop)
    await connected.refresh()
    assert connected.by_connection == {}
    await made(admin)
    await connected.refresh()
    first = connected.by_connection["cards"]
    assert connected.providers.queue_of("cards", base="duly") == "duly/cards"
    await connected.refresh()
    assert connected.by_connection["cards"] is first
    await act(admin, "secrets", name="api_key", **{"secret.api_key": "sk_test_another_key_of_ours"})
    await connected.refresh()
    assert connected.by_connection["cards"] is not first
    await connected.aclose()


async def test_a_connection_whose_secrets_cannot_be_opened_does_not_start_and_says_why(
    house: House, admin: httpx.AsyncClient
) -> None:
    await made(admin)
    workshop = Workshop(
        connectors=registry.payment_connectors(), envelopes=Envelopes([("other", bytes(32))]), is_live=False, addresses={}
    )
    connected = Connected(house.services.staff, workshop)
    await connected.refresh()
    assert connected.by_connection == {}
    assert "no master key 'test' is configured" in connected.problems["cards"]
    [(key_id,)] = house.accounts.rows("SELECT id FROM connection_secrets WHERE name = 'api_key'")
    house.accounts.run("UPDATE connection_secrets SET name = 'webhook_secret' WHERE id = %s", [key_id])
    async with house.services.staff.begin("test") as tx:
        [row] = await managed.every(tx)
    moved = next(each for each in row.secrets if each.id == key_id)
    with pytest.raises(CannotOpen):
        house.services.connected.workshop.envelopes.open(moved.sealed, owner=managed.owner_of(row.id, moved.name))


async def test_what_cannot_start_is_not_offered_to_customers(house: House, admin: httpx.AsyncClient) -> None:
    await made(admin)
    await act(admin, "switch", on="yes")
    visitor = await house.customer_browser(house.accounts.customer("Acme", currency="EUR"))
    assert "Add a method" in (await visitor.get("/methods")).text
    house.accounts.run("UPDATE connection_secrets SET sealed = 'gone.' || sealed")
    house.accounts.run("UPDATE connections SET version = version + 1 WHERE id = 'cards'")
    await house.services.connected.refresh()
    assert "Add a method" not in (await visitor.get("/methods")).text
    page = (await admin.get(ONE)).text
    assert ("Does not start" in page, "no master key" in page) == (True, True)


async def test_where_money_is_real_nothing_is_offered_that_only_tests(house: House, admin: httpx.AsyncClient) -> None:
    connected = house.services.connected
    assert 'Connect<span class="unseen"> Sandbox' in (await admin.get(LIST)).text
    connected.workshop = replace(connected.workshop, is_live=True)
    assert 'Connect<span class="unseen"> Sandbox' not in (await admin.get(LIST)).text
    assert (await admin.get(f"{LIST}/new/sandbox")).status_code == 404
    refused = await made(admin)
    assert (refused.status_code, "This is a test key" in refused.text) == (422, True)


async def test_secrets_move_under_a_new_master_key_and_stay_the_same(house: House, admin: httpx.AsyncClient) -> None:
    await made(admin)
    old, new = ("test", bytes(range(32))), ("new", bytes(range(1, 33)))
    async with house.services.staff.begin("test") as tx:
        assert await managed.wrap_anew(tx, Envelopes([new, old])) == 2
        assert await managed.wrap_anew(tx, Envelopes([new, old])) == 0
        [row] = await managed.every(tx)
    only_new = Envelopes([new])
    opened = {each.name: only_new.open(each.sealed, owner=managed.owner_of("cards", each.name)) for each in row.secrets}
    assert opened == {"api_key": API_KEY, "webhook_secret": SECRETS[0]}


async def test_two_who_change_it_at_once_are_told(house: House, admin: httpx.AsyncClient) -> None:
    await made(admin)
    token = await token_on(admin, ONE)
    [version] = stored(house, "version")
    typed = {"csrf": token, "version": version, "title": "Cards", "kind": ["card"], "currencies": "EUR", "account": ""}
    assert (await admin.post(ONE, data=typed)).status_code == 303
    answer = await admin.post(ONE, data={**typed, "title": "Other"})
    assert answer.status_code == 409
    assert stored(house, "title, kinds, offers") == ("Cards", ["card"], {"card": ["EUR"]})
    assert (await admin.post(ONE, data={**typed, "version": version + 1, "currencies": "QQQ"})).status_code == 422


async def test_the_preferred_connection_takes_new_methods_of_its_kind_and_currency(
    house: House, admin: httpx.AsyncClient
) -> None:
    await made(admin, id="aaa", preferred=[])
    await made(admin, id="zzz", title="Preferred for cards", preferred=["card"])
    await made(admin, id="cards", title="In dollars", currencies="USD", kind=["card"], preferred=[])
    for each in ("aaa", "zzz", "cards"):
        await submit(admin, LIST + f"/{each}", f"{LIST}/{each}/switch", on="yes")
    customer = house.accounts.customer("Acme", currency="EUR")
    euros = house.accounts.invoice(customer, 1200, currency="EUR")
    dollars = house.accounts.invoice(customer, 900, currency="USD")
    visitor = await house.customer_browser(customer)
    in_euros = (await visitor.get("/pay", params={"i": euros})).text
    in_dollars = (await visitor.get("/pay", params={"i": dollars})).text
    assert ('value="new/zzz/card"' in in_euros, 'value="new/aaa/sepa_debit"' in in_euros) == (True, True)
    assert ('value="new/cards/card"' in in_dollars, "new/zzz" in in_dollars) == (True, False)


async def test_a_page_costs_three_statements_at_most(house: House, admin: httpx.AsyncClient) -> None:
    await made(admin)
    for address in (LIST, NEW, ONE):
        with statements(house.services.staff, house.services.portal) as seen:
            assert (await admin.get(address)).status_code == 200
        assert len(seen) <= 3 + 1, seen  # and the session


async def test_pages_may_be_sent_to_the_connected_providers_only(house: House, admin: httpx.AsyncClient) -> None:
    address = house.services.connected.workshop.addresses["stripe"]
    assert address not in (await admin.get(LIST)).headers["Content-Security-Policy"]
    assert not house.services.may_send_to(f"{address}/checkout/1")
    await made(admin)
    assert address in (await admin.get(LIST)).headers["Content-Security-Policy"]
    assert house.services.may_send_to(f"{address}/checkout/1")
    assert not house.services.may_send_to("https://checkout.stripe.com.evil.test/1")
