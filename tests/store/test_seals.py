"""What was booked is sealed once, in the journal's order; a boundary waits for whoever books; no seal is made twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
from sqlalchemy.exc import DBAPIError

from domain import sealing
from domain.allocation import Line
from domain.booking import applied
from store import journal, seals
from store.database import Transaction
from store.seals import Seal
from tests import machine
from tests.store.money import AT, Books, books_of


@pytest_asyncio.fixture
async def books(database: machine.Database) -> AsyncIterator[Books]:
    async with books_of(database) as opened:
        yield opened


async def book(tx: Transaction, number: int) -> None:
    entry = applied(lines=[Line(invoice_id="inv_1", minor=number)], customer_id="cus_1")
    await journal.book(
        tx, entry, entry_id=f"pay_{number}/applied", process_id=f"pay_{number}", customer_id="cus_1", kind="applied",
        currency="USD", at=AT,
    )  # fmt: skip


async def sealed(books: Books) -> Seal | None:
    async with books.store.begin("test") as tx:
        return await seals.seal(tx, at=AT + timedelta(hours=1))


async def test_seals_are_chained_and_cover_each_entry_once(books: Books) -> None:
    assert await sealed(books) is None, "nothing was booked"
    for numbers in (range(1, 4), range(4, 6)):
        async with books.store.begin("test") as tx:
            for number in numbers:
                await book(tx, number)
        await sealed(books)
    assert await sealed(books) is None, "nothing was booked since"
    async with books.store.begin("test") as tx:
        second, first = await seals.every(tx)
        entries = await seals.entries(tx, after=0, until=second.last_seq)
    assert (first.entries, second.entries, second.first_seq, second.previous) == (3, 2, first.last_seq, first.seal)
    trees = [sealing.root([sealing.leaf(each) for each in part]) for part in (entries[:3], entries[3:])]
    assert [first.tree, second.tree] == trees
    assert second.seal == sealing.chained(sealing.chained(sealing.NOTHING, trees[0]), trees[1])


async def test_a_boundary_waits_for_whoever_books(books: Books) -> None:
    async with books.store.begin("test") as slow:
        await book(slow, 1)
        async with books.store.begin("test") as tx:
            await book(tx, 2)  # a later number, committed earlier
        sealing_now = asyncio.create_task(sealed(books))
        await asyncio.sleep(0.2)
        assert not sealing_now.done(), "entry 1 may still come"
    made = await sealing_now
    assert made is not None
    assert made.entries == 2


async def test_two_who_seal_at_once_seal_once(books: Books) -> None:
    async with books.store.begin("test") as tx:
        await book(tx, 1)
    made = await asyncio.gather(*(sealed(books) for _ in range(4)))
    assert sum(each is not None for each in made) == 1


async def test_a_seal_is_never_changed(books: Books) -> None:
    async with books.store.begin("test") as tx:
        await book(tx, 1)
    await sealed(books)
    for change in ("UPDATE seals SET seal = 'x'", "DELETE FROM seals"):
        with pytest.raises(DBAPIError, match="append-only"):
            async with books.admin.begin("test") as tx:
                await tx.run(change)
