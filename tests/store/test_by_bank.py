"""Paying by bank is decided under lock too: the account it goes to, and where the customer is."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest_asyncio

from domain.methods import MethodKind
from store import business
from tests import machine
from tests.store.money import AT, Books, books_of


@pytest_asyncio.fixture
async def books(database: machine.Database) -> AsyncIterator[Books]:
    async with books_of(database) as opened:
        yield opened


async def asked(books: Books, customer: str, invoice: str) -> str | None:
    """The rule that refuses a payment by bank; None when it is taken."""
    _, answer = await books.open(books.request(customer, [(invoice, 1_000)], kind=MethodKind.INSTANT_BANK))
    return None if answer is None else answer.rule


async def test_an_account_a_country_and_a_currency_are_needed_when_it_is_opened(books: Books) -> None:
    customer, [invoice] = await books.customer(1_000)
    async with books.store.begin("test") as tx:
        await tx.run("UPDATE customers SET country = 'GB'")
        await tx.run(
            "UPDATE connections SET countries = CAST(:asked AS jsonb)", asked=json.dumps({"instant_bank": {"USD": ["SE"]}})
        )
    assert await asked(books, customer, invoice) == "pay_by_bank_off"
    async with books.admin.begin("test") as tx:
        await business.change(tx, "bank_account", "GB33 BUKB 2020 1555 5555 55", by="test", at=AT)
    assert await asked(books, customer, invoice) == "method_kind_not_offered"
    async with books.store.begin("test") as tx:
        await tx.run("UPDATE customers SET country = 'SE'")
    assert await asked(books, customer, invoice) is None
