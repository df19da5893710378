"""`duly import` on a real PostgreSQL: all of a file or nothing, the same file twice, and pages that know no difference."""

import asyncio
import os
import subprocess
import sysconfig
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from connectors.files import FileRefused
from launch.importing import Result, Wanted, take_in
from store import access
from store.database import Database
from tests import machine
from tests.launch.exports import OWN, QUICKBOOKS_REPORT, XERO, as_csv, own_file, own_row, write, xero_row

NOON = datetime(2026, 4, 2, 12, 0, tzinfo=UTC)
OPEN = "SELECT i.number, b.open FROM balances b JOIN invoices i USING (id)"
DULY = Path(sysconfig.get_path("scripts")) / "duly"


@pytest_asyncio.fixture
async def worker(database: machine.Database) -> AsyncIterator[Database]:
    opened = Database(database.worker_url)
    yield opened
    await opened.close()


async def taken(worker: Database, path: Path, **wanted: Any) -> Result:
    return await take_in(worker, Wanted(path=path, **wanted), at=NOON)


async def stored(worker: Database, statement: str) -> list[tuple[Any, ...]]:
    async with worker.begin("test") as tx:
        return [tuple(row) for row in await tx.rows(statement)]


async def everything(worker: Database) -> list[tuple[Any, ...]]:
    """All that an import may write, ids and sequence numbers included."""
    customers = await stored(worker, "SELECT * FROM customers ORDER BY id")
    return customers + await stored(worker, "SELECT * FROM invoices ORDER BY id")


async def test_a_xero_export_becomes_customers_and_invoices(worker: Database, tmp_path: Path) -> None:
    second = xero_row(InvoiceNumber="INV-2", ContactName="Beta", InvoiceAmountDue="20.00", InvoiceAmountPaid="100.00")
    result = await taken(worker, write(tmp_path, as_csv([XERO, xero_row(), second])))
    assert (result.kept, result.read, result.changed, result.customers) == (True, 2, 2, 2)
    found = await stored(
        worker,
        "SELECT c.name, i.number, b.open FROM balances b JOIN invoices i USING (id), customers c WHERE c.id = i.customer_id",
    )
    assert sorted(found) == [("Acme Ltd", "INV-1", 12000), ("Beta", "INV-2", 2000)]
    assert await stored(worker, "SELECT role, connector FROM connections WHERE id = 'csv'") == [("erp", "csv")]


async def test_the_portal_shows_an_imported_customer_like_any_other(
    worker: Database, database: machine.Database, tmp_path: Path
) -> None:
    await taken(worker, write(tmp_path, QUICKBOOKS_REPORT), currency="USD")
    visitor = Database(database.portal_url)
    async with worker.begin("test") as tx:
        customer_id = await access.customer_for(tx, "Beta LLC")
    assert customer_id is not None
    try:
        async with visitor.read_as([customer_id], hide_paused=True) as tx:
            rows = await tx.rows(OPEN)
    finally:
        await visitor.close()
    assert [tuple(row) for row in rows] == [("1003", 50050)]


async def test_the_same_file_twice_changes_nothing(worker: Database, tmp_path: Path) -> None:
    path = own_file(tmp_path, own_row(), own_row("N-2", customer_number="C-2", customer_name="Beta"))
    await taken(worker, path)
    before = await everything(worker)
    again = await taken(worker, path)
    assert (again.read, again.changed, again.customers) == (2, 0, 0)
    assert await everything(worker) == before


async def test_a_later_file_changes_what_it_says_differently(worker: Database, tmp_path: Path) -> None:
    await taken(worker, own_file(tmp_path, own_row(), own_row("N-2")))
    result = await taken(worker, own_file(tmp_path, own_row(paid="40.00"), own_row("N-2")))
    assert result.changed == 1
    assert sorted(await stored(worker, OPEN)) == [("N-1", 6000), ("N-2", 10000)]


async def test_one_bad_row_and_nothing_of_the_file_is_kept(worker: Database, tmp_path: Path) -> None:
    rows = [own_row(f"N-{number}") for number in range(1200)]
    rows[1100] = own_row("N-1100", total="?")
    rows[1150] = own_row("N-1150", due_on="never")
    result = await taken(worker, own_file(tmp_path, *rows))
    assert not result.kept
    assert [(each.line, each.rule) for each in result.problems] == [(1102, "amount_unreadable"), (1152, "date_unreadable")]
    assert await everything(worker) == []
    assert await stored(worker, "SELECT count(*) FROM access_log") == [(0,)]


async def test_partial_keeps_the_good_rows_and_reports_the_bad(worker: Database, tmp_path: Path) -> None:
    result = await taken(worker, own_file(tmp_path, own_row(), own_row("N-2", total="?"), own_row("N-3")), partial=True)
    assert (result.kept, result.read, result.refused) == (True, 2, 1)
    assert [row[0] for row in await stored(worker, "SELECT number FROM invoices ORDER BY number")] == ["N-1", "N-3"]


async def test_a_file_that_breaks_off_leaves_nothing(worker: Database, tmp_path: Path) -> None:
    path = write(tmp_path, as_csv([OWN, *[own_row(f"N-{number}") for number in range(700)]]) + '"N-700')
    with pytest.raises(FileRefused, match="file_broken"):
        await taken(worker, path, partial=True)
    assert await everything(worker) == []


async def test_a_file_of_customers_completes_what_invoices_began_and_not_the_other_way(
    worker: Database, tmp_path: Path
) -> None:
    await taken(worker, own_file(tmp_path, own_row()))
    customers = [
        ["customer_number", "customer_name", "customer_email", "currency", "country", "time_zone", "parent_number"],
        ["C-1", "Acme Europe", "pay@acme.example", "USD", "DE", "Europe/Berlin", "C-9"],
        ["C-9", "Acme Holding", "", "USD", "", "", ""],
    ]
    result = await taken(worker, write(tmp_path, as_csv(customers)))
    assert (result.read, result.changed) == (2, 2)
    await taken(worker, own_file(tmp_path, own_row(), own_row("N-2")))
    found = await stored(
        worker, "SELECT c.name, c.time_zone, p.name FROM customers c JOIN customers p ON p.id = c.parent_id"
    )
    assert found == [("Acme Europe", "Europe/Berlin", "Acme Holding")]


async def test_two_imports_of_one_file_at_once_are_one(worker: Database, tmp_path: Path) -> None:
    path = own_file(tmp_path, *[own_row(f"N-{number}", customer_number=f"C-{number % 7}") for number in range(300)])
    await asyncio.gather(taken(worker, path), taken(worker, path))
    assert await stored(worker, "SELECT count(*) FROM invoices") == [(300,)]
    assert await stored(worker, "SELECT count(*) FROM customers") == [(7,)]


async def test_an_imported_number_is_never_the_id_of_another_erps_invoice(worker: Database, tmp_path: Path) -> None:
    await taken(worker, own_file(tmp_path, own_row("sinv-inv-20000")))
    assert await stored(worker, "SELECT erp_id FROM invoices") == [("csv:sinv-inv-20000",)]


def duly_import(database: machine.Database, tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "DULY_WORKER_DATABASE_URL": database.worker_url,
        "DULY_DATA_DIR": str(tmp_path / "no machine"),
        "COLUMNS": "200",
    }
    return subprocess.run([str(DULY), "import", *arguments], check=False, capture_output=True, text=True, env=environment)


def test_the_command_says_what_it_did_and_ends_with_a_status(database: machine.Database, tmp_path: Path) -> None:
    path = write(tmp_path, QUICKBOOKS_REPORT)
    done = duly_import(database, tmp_path, str(path), "--currency", "usd")
    assert done.returncode == 0, done.stderr
    assert "QuickBooks Online, invoices: 2 invoices read, 2 new or changed." in done.stdout
    assert "1 left out: Credit Memo, not an invoice" in done.stdout
    refused = duly_import(database, tmp_path, str(path))
    assert refused.returncode == 1
    assert "line 6: no currency in the row; say --currency USD (currency_missing)" in refused.stdout
    assert "Nothing was taken in: 2 refused" in refused.stdout


def test_the_command_refuses_what_it_cannot_open_or_read(database: machine.Database, tmp_path: Path) -> None:
    absent = duly_import(database, tmp_path, str(tmp_path / "absent.csv"))
    assert (absent.returncode, "No such file" in absent.stderr) == (1, True)
    folder = duly_import(database, tmp_path, str(tmp_path))
    assert (folder.returncode, "Is a directory" in folder.stderr) == (1, True)
    empty = duly_import(database, tmp_path, str(write(tmp_path, "")))
    assert "Nothing was taken in: the file is empty (file_empty)" in empty.stderr
