"""What is read again and says nothing new is not written, unless rows of our own are judged by when it was read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest
import pytest_asyncio

from connectors.payments.ports import ChargeStatus
from domain.receivables import ErpInvoice, ErpSettlement, SettlementKind
from store import arriving, snapshots
from tests import machine
from tests.store.money import ERP, Books, books_of, invoice, usd


@pytest_asyncio.fixture
async def books(database: machine.Database) -> AsyncIterator[Books]:
    async with books_of(database) as opened:
        yield opened


async def owner(books: Books) -> str:
    ours, _ = await books.customer()
    return str((await books.one("SELECT erp_id FROM customers WHERE id = :id", id=ours)).erp_id)


async def take(books: Books, rows: Sequence[ErpInvoice]) -> int:
    """How many were written."""
    async with books.store.begin("test") as tx:
        seq = await snapshots.next_seq(tx)
        return len(await snapshots.take(tx, rows, seq, connection_id=ERP, at=books.at))


async def rows_of(books: Books) -> list[tuple[object, ...]]:
    """Each row with what changes when it is written or locked."""
    return [tuple(row) for row in await books.rows("SELECT erp_id, xmin, xmax, read_seq FROM invoices ORDER BY erp_id")]


@pytest.mark.parametrize("count", [3, 2 * arriving.MANY], ids=["in the statement", "by copy"])
async def test_rows_without_news_are_neither_written_nor_locked(books: Books, count: int) -> None:
    customer = await owner(books)
    told = [invoice(f"i-{number:03}", customer, 1_000 + number) for number in range(count)]
    assert await take(books, told) == count
    before = await rows_of(books)
    assert await take(books, told) == 0
    assert await rows_of(books) == before
    assert await take(books, [*told[:-1], replace(told[-1], po_number="PO 7")]) == 1
    after = await rows_of(books)
    assert after[:-1] == before[:-1]
    assert after[-1] != before[-1]


async def test_an_invoice_with_money_of_ours_is_written_with_each_read(books: Books) -> None:
    """A person deleted our payment before anybody had read it: the ERP shows what it showed before, and that is news."""
    customer_id, (invoice_id,) = await books.customer(1_000)
    row = await books.one("SELECT erp_id FROM invoices")
    erp_id = (await books.one("SELECT erp_id FROM customers WHERE id = :id", id=customer_id)).erp_id
    payment_id = await books.opened(customer_id, (invoice_id, 1_000))
    await books.record(payment_id, ChargeStatus.CAPTURED)
    async with books.store.begin("test") as tx:
        await tx.run("UPDATE postings SET state = 'confirmed', confirmed_seq = :seq", seq=await snapshots.next_seq(tx))
    assert await books.balance(invoice_id) == (0, 0)
    assert await take(books, [invoice(row.erp_id, erp_id, 1_000)]) == 1
    assert await books.balance(invoice_id) == (1_000, 0), "the ERP wins, since it was read after our posting was confirmed"
    assert await books.count("differences", "kind = 'edited_in_erp' AND closed_at IS NULL") == 1


@pytest.mark.parametrize("count", [1, arriving.MANY], ids=["in the statement", "by copy"])
async def test_every_text_arrives_as_it_was_told(books: Books, count: int) -> None:
    customer = await owner(books)
    strange = 'back\\slash\ttab\nline\rreturn "quotes" \\N ü 漢 \\. '
    settled = ErpSettlement(
        kind=SettlementKind.PAYMENT, document_number=strange, amount=usd(5), on=invoice("", "", 1).issued_on
    )
    told = [
        replace(invoice(f"i-{number}", customer, 1_000, settled=5), number=strange, site="", settlements=(settled,))
        for number in range(count)
    ]
    assert await take(books, told) == count
    row = await books.one("SELECT * FROM invoices WHERE erp_id = 'i-0'")
    assert (row.number, row.site, row.po_number, row.deleted) == (strange, "", None, False)
    assert row.settlements[0]["document"] == strange
    assert await take(books, told) == 0


async def test_an_older_read_never_replaces_a_newer_one(books: Books) -> None:
    customer = await owner(books)
    assert await take(books, [invoice("i-1", customer, 900)]) == 1
    async with books.store.begin("test") as tx:
        older = [invoice("i-1", customer, 700)]
        assert await snapshots.take(tx, older, 0, connection_id=ERP, at=books.at) == []
    assert (await books.one("SELECT total FROM invoices")).total == 900


async def test_what_is_overpaid_in_the_erp_is_a_difference_from_its_first_read_on(books: Books) -> None:
    customer = await owner(books)
    assert await take(books, [invoice("i-1", customer, 900, settled=1_000)]) == 1
    assert await books.count("differences", "kind = 'overpaid' AND amount = 100 AND closed_at IS NULL") == 1
