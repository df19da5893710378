"""A process that reads an ERP as Duly does, and says what that took: `python -m bench.loading URL ROWS CHANGED`.

The ERP is a generator of invoices, so that what is measured is the taking in. CHANGED: so many of a hundred say something
else than the ones before; 100 where nothing is there yet.
"""

import asyncio
import json
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any, Final

from temporalio.testing import ActivityEnvironment

from activities.syncing import LOAD_PAGES, Syncing
from bench.cpu import watching
from connectors.erp.ports import Page
from domain.money import Money
from domain.receivables import ErpCustomer, ErpInvoice, ErpInvoiceStatus, ErpLine
from store.database import Database

CUSTOMERS: Final = 500
NOON: Final = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
_LINE: Final = ErpLine(
    description="Consulting, as ordered", quantity="3", unit_price=Money.of(10_000, "GBP"), amount=Money.of(30_000, "GBP"),
    tax_rate="20 %", tax=Money.of(6_000, "GBP"),
)  # fmt: skip
_INVOICE: Final = ErpInvoice(
    erp_id="", customer_erp_id="", number="", currency="GBP", total=Money.of(36_000, "GBP"), settled=Money.zero("GBP"),
    issued_on=date(2026, 9, 1), due_on=date(2026, 10, 1), status=ErpInvoiceStatus.OPEN, status_word="Posted",
    terms="30 days", lines=(_LINE,),
)  # fmt: skip


def invoices(rows: int, changed: int) -> Iterator[ErpInvoice]:
    """So many invoices over all customers, each with a line; `changed` of a hundred have another purchase order."""
    for number in range(rows):
        yield replace(
            _INVOICE,
            erp_id=f"i-{number:08}",
            customer_erp_id=f"c-{number % CUSTOMERS:05}",
            number=f"INV-{number:08}",
            po_number="changed" if changed < 100 and number % 100 < changed else f"PO {number % 977}",
            issued_on=date(2026, 9, 1) - timedelta(days=number % 700),
        )


class Told:
    """The reads that `Syncing` makes, of rows that are made as they are asked for."""

    def __init__(self, rows: int, changed: int) -> None:
        self._rows, self._told = rows, invoices(rows, changed)
        self.cpu_seconds = 0.0  # for making rows, which is not Duly's

    async def ping(self) -> None:
        """It answers."""

    async def customers_since(self, cursor: str, *, limit: int) -> Page[ErpCustomer]:
        """All of them on one page."""
        del limit
        told = (
            ErpCustomer(
                erp_id=f"c-{number:05}", number=f"C{number:05}", name=f"Customer {number}", currency="GBP",
                email=f"accounts@customer{number}.example", country="GB", time_zone="Europe/London",
            )
            for number in range(0 if cursor else CUSTOMERS)
        )  # fmt: skip
        return Page(rows=tuple(told), cursor="all", more=False)

    async def invoices_since(self, cursor: str, *, limit: int) -> Page[ErpInvoice]:
        """The next page."""
        begun, before = int(cursor or "0") % self._rows, time.process_time()
        rows = tuple(islice(self._told, limit))
        self.cpu_seconds += time.process_time() - before
        return Page(rows=rows, cursor=str(begun + len(rows)), more=begun + len(rows) < self._rows, total=self._rows)

    async def credits_since(self, cursor: str, *, limit: int) -> Page[Any]:
        """None."""
        del cursor, limit
        return Page(rows=(), cursor="none", more=False)


async def read(url: str, rows: int, changed: int) -> dict[str, float]:
    """Read it to its end; seconds of wall and processor time of this process, and the most memory that it had."""
    database = Database(url, pool_size=2, statement_timeout_ms=60_000)
    erp: Any = Told(rows, changed)
    syncing = Syncing(database, {"demo": erp}, lambda: NOON, connection_id="demo")
    environment = ActivityEnvironment()
    with watching() as watch:
        while (await environment.run(syncing.sync_pages, LOAD_PAGES)).more:
            pass
    await database.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    return {"wall": watch.wall_seconds, "cpu": watch.cpu_seconds - erp.cpu_seconds, "peak_megabytes": peak}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(read(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))) + "\n")
