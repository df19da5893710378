"""One of several documents of a payment is taken back for its own amount, and only the one that was seen."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from connectors.payments.ports import ChargeStatus
from store import mending
from tests import machine
from tests.store.money import ERP, Books, books_of


@pytest_asyncio.fixture
async def books(database: machine.Database) -> AsyncIterator[Books]:
    async with books_of(database) as opened:
        yield opened


async def test_of_three_documents_the_named_one_is_reversed_for_its_own_amount(books: Books) -> None:
    customer_id, (invoice_id,) = await books.customer(1_000)
    payment_id = await books.opened(customer_id, (invoice_id, 1_000))
    await books.record(payment_id, ChargeStatus.CAPTURED)
    await books.damage(
        """INSERT INTO differences (id, kind, item, connection_id, process_id, customer_id, amount, currency, facts,
                                    opened_at)
           VALUES ('dif_1', 'duplicate_in_erp', :item, :erp, :payment, :customer, 1700, 'USD',
                   '{"surplus": "P-3", "surplus_number": "P-3", "surplus_minor": "700"}', now())""",
        item=f"{payment_id}-captured",
        erp=ERP,
        payment=payment_id,
        customer=customer_id,
    )

    async def asked(surplus: str) -> bool:
        async with books.store.begin("test") as tx:
            return await mending.take_back_surplus(tx, "dif_1", surplus=surplus, by="stf_ann", at=books.at)

    assert not await asked("P-2"), "another document than the one that was seen"
    assert await asked("P-3")
    assert await asked("P-3"), "asked for by a second person, it is the same"
    row = await books.one("SELECT amount, currency, about_erp_id, state FROM postings WHERE kind = 'surplus'")
    assert tuple(row) == (700, "USD", "P-3", "queued")
    await books.damage("UPDATE postings SET state = 'confirmed', confirmed_seq = 1 WHERE kind = 'surplus'")
    assert await asked("P-3")
    assert (await books.one("SELECT state FROM postings WHERE kind = 'surplus'")).state == "confirmed", "done is done"
