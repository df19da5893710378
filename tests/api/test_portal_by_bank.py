"""Paying by bank: offered where the business has an account and the provider serves the customer; one click, one payment."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from html import unescape

import httpx
import pytest
import pytest_asyncio
from temporalio.client import Client

from tests import machine
from tests.api.house import House, open_house, token_on
from workflows import ids

IBAN = "GB33 BUKB 2020 1555 5555 55"
BY_BANK = re.compile(r'form="by-bank" name="payment" value="([^"]+)"')


@pytest_asyncio.fixture
async def house(database: machine.Database, temporal_client: Client, task_queue: str) -> AsyncIterator[House]:
    async with open_house(database, temporal_client, task_queue=task_queue) as opened:
        opened.accounts.provider({"bacs_debit": ["GBP"]}, connection_id="bank")
        opened.accounts.run(
            "UPDATE connections SET once = %s, countries = %s WHERE id = 'bank'",
            [json.dumps({"instant_bank": ["GBP"]}), json.dumps({"instant_bank": {"GBP": ["GB"]}})],
        )
        yield opened


async def account(house: House, *, country: str = "GB", currency: str = "GBP") -> httpx.AsyncClient:
    customer = house.accounts.customer(country=country, currency=currency)
    for minor in (100_000, 25_000):
        house.accounts.invoice(customer, minor, currency=currency)
    return await house.customer_browser(customer)


def offered(page: str) -> str | None:
    found = BY_BANK.search(page)
    return None if found is None else unescape(found[1])


async def workflows_of(client: Client, payment: str) -> int:
    return len([each async for each in client.list_workflows(f"WorkflowId = '{ids.payment(payment)}'")])


async def test_it_is_offered_only_where_account_country_and_currency_are_there(house: House) -> None:
    here, abroad = await account(house), await account(house, country="SE")
    dollars = await account(house, currency="USD")
    assert offered((await here.get("/")).text) is None  # the business has not said to which account
    house.accounts.setting("bank_account", IBAN)
    page = (await here.get("/")).text
    assert offered(page) is not None
    assert "Pay £1,250.00 by bank" in page
    assert offered((await abroad.get("/")).text) is None
    assert offered((await dollars.get("/")).text) is None
    house.accounts.run("UPDATE connections SET enabled = false WHERE id = 'bank'")
    assert offered((await here.get("/")).text) is None


async def test_one_click_asks_for_everything_that_is_open_and_a_second_click_for_nothing_more(
    house: House, temporal_client: Client
) -> None:
    house.accounts.setting("bank_account", IBAN)
    visitor = await account(house)
    clicked = offered((await visitor.get("/")).text)
    form = {"csrf": await token_on(visitor, "/"), "payment": clicked}
    first, second = [await visitor.post("/payments/by-bank", data=form) for _ in range(2)]
    assert first.status_code == second.status_code == 303
    payment = first.headers["location"].rsplit("/", 1)[1]
    assert second.headers["location"] == f"/payments/{payment}"
    assert await workflows_of(temporal_client, payment) == 1


@pytest.mark.parametrize("changed", ["another sum", "another signature", "switched off"])
async def test_what_the_button_did_not_say_is_not_asked_for(house: House, temporal_client: Client, changed: str) -> None:
    house.accounts.setting("bank_account", IBAN)
    visitor = await account(house)
    clicked = offered((await visitor.get("/")).text) or ""
    token, payment = await token_on(visitor, "/"), clicked.partition(".")[0]
    if changed == "another sum":
        clicked, status = clicked.rsplit("/", 1)[0] + "/1", 409
    elif changed == "another signature":
        clicked, status = clicked.replace("pay_", "pay_0", 1), 422
    else:
        status = 422
        house.accounts.setting("bank_account", "")
    answer = await visitor.post("/payments/by-bank", data={"csrf": token, "payment": clicked})
    assert answer.status_code == status, answer.text
    assert await workflows_of(temporal_client, payment) == 0


async def test_a_selection_is_paid_by_bank_with_the_button_beside_the_sum(house: House) -> None:
    house.accounts.setting("bank_account", IBAN)
    house.accounts.setting("bank_account_holder", "Northwind Services Ltd")
    visitor = await account(house)
    [(invoice,)] = house.accounts.rows("SELECT id FROM invoices WHERE total = 25000")
    page = (await visitor.get("/pay", params={"i": invoice})).text
    assert 'name="by_bank" value="new/bank/instant_bank"' in page
    assert "account ending 5555" in page
    assert "Northwind Services Ltd" in page
    assert 'value="new/bank/bacs_debit"' not in page  # it is not taken on a page there, only saved first
