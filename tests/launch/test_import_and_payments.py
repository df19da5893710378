"""Payments on imported invoices: written to the day's file by the poster, and never forgotten by a later import that cannot
know of them.
"""

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.testing import ActivityEnvironment

from activities.posting import Postings
from connectors.erp.csv import DayBooks, Days
from connectors.payments.ports import ChargeStatus
from launch.checking.ledger import balances_agree, documented_once
from launch.importing import CONNECTION, Wanted, take_in
from tests import machine
from tests.launch.exports import OWN, as_csv, own_row, write
from tests.store.money import AT, Books, books_of


@pytest_asyncio.fixture
async def books(database: machine.Database) -> AsyncIterator[Books]:
    async with books_of(database) as opened:
        yield opened


class Imported:
    """One invoice of 100.00 that came by import, and the folder that its payments go out to."""

    def __init__(self, books: Books, folder: Path) -> None:
        self.books = books
        self.folder = folder
        self.erp = DayBooks(Days(folder / "days", books.now))
        (folder / "days").mkdir()

    async def take_in(self, *, booked_through: date | None = None, **cells: str) -> None:
        path = write(self.folder, as_csv([OWN, own_row(**cells)]))
        result = await take_in(self.books.store, Wanted(path=path, booked_through=booked_through), at=self.books.at)
        assert result.kept, result.problems

    async def pay(self, minor: int) -> str:
        """A customer pays; the poster writes it out."""
        row = await self.books.one("SELECT id, customer_id FROM invoices")
        payment_id = await self.books.opened(row.customer_id, (row.id, minor))
        await self.books.record(payment_id, ChargeStatus.CAPTURED)
        await self.post()
        return payment_id

    async def post(self) -> None:
        postings = Postings(self.books.store, {CONNECTION: self.erp}, self.books.now, connection_id=CONNECTION)
        await ActivityEnvironment().run(postings.post_round, True)

    async def open(self) -> int:
        return int((await self.books.one("SELECT open FROM balances")).open)

    async def differences(self) -> int:
        return await self.books.count("differences", "closed_at IS NULL")


@pytest.fixture
def shop(books: Books, tmp_path: Path) -> Imported:
    return Imported(books, tmp_path)


async def test_a_payment_of_an_imported_invoice_is_written_out_once_and_confirmed(shop: Imported) -> None:
    await shop.take_in()
    payment_id = await shop.pay(4_000)
    for _ in range(2):
        await shop.post()
    (found,) = await shop.erp.find_document(f"{payment_id}-captured")
    assert found.amount.minor == 4_000
    row = await shop.books.one("SELECT state, erp_id FROM postings")
    assert (row.state, row.erp_id) == ("confirmed", found.erp_id)
    assert await shop.open() == 6_000
    for ask in (documented_once, balances_agree):
        finding = await ask(shop.books.store, {CONNECTION: shop.erp})
        assert (finding.problem, finding.count) == (None, 0)


async def test_an_import_that_cannot_know_of_a_payment_does_not_forget_it(shop: Imported) -> None:
    await shop.take_in()
    await shop.pay(4_000)
    await shop.take_in(due_on="2026-05-15")  # something else changed, and our file lies unread
    assert (await shop.open(), await shop.differences()) == (6_000, 0)
    await shop.take_in(due_on="2026-05-15", paid="10.00")  # a bank transfer of somebody's
    assert (await shop.open(), await shop.differences()) == (5_000, 0)


async def test_what_was_booked_there_is_counted_once_from_the_day_that_a_person_says(shop: Imported) -> None:
    await shop.take_in()
    await shop.pay(4_000)
    await shop.take_in(paid="40.00", booked_through=AT.date())
    assert (await shop.open(), await shop.differences()) == (6_000, 0)
    # It is remembered, and a day that is earlier takes nothing back.
    await shop.take_in(paid="55.00")
    await shop.take_in(paid="55.00", due_on="2026-05-15", booked_through=date(2026, 1, 1))
    assert (await shop.open(), await shop.differences()) == (4_500, 0)
    # What is paid on a later day is in a younger file, and waits for its own word.
    shop.books.at = AT.replace(day=AT.day + 1)
    await shop.pay(1_000)
    await shop.take_in(paid="55.00", due_on="2026-05-20")
    assert (await shop.open(), await shop.differences()) == (3_500, 0)
    await shop.take_in(paid="65.00", booked_through=shop.books.at.date())
    assert (await shop.open(), await shop.differences()) == (3_500, 0)


async def test_a_file_that_was_booked_and_nobody_said_so_asks_nobody_twice(shop: Imported) -> None:
    await shop.take_in()
    await shop.pay(10_000)
    await shop.take_in(paid="100.00")
    assert (await shop.open(), await shop.differences()) == (0, 0)


async def test_without_a_folder_a_payment_waits_and_lowers_the_balance(shop: Imported) -> None:
    await shop.take_in()
    (shop.folder / "days").rmdir()
    await shop.pay(4_000)
    assert (await shop.books.one("SELECT state FROM postings")).state == "queued"
    await shop.take_in(due_on="2026-05-15")
    assert await shop.open() == 6_000
