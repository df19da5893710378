"""P7: the first read of an ERP's invoices, beside the COPY that nothing can beat."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import psycopg

from bench import loading
from bench.case import Prepared, Sample, Variant, require_same
from bench.cpu import watching
from bench.ground import ROOT, Ground, ground
from domain.receivables import ErpInvoice
from store.arriving import lines_of
from store.snapshots import TOLD, row_of

_CONNECTION: Final = """INSERT INTO connections (id, role, connector, mode, changed_at)
    VALUES ('demo', 'erp', 'demo', 'sandbox', '2026-11-22') ON CONFLICT DO NOTHING"""
_KEYS: Final = ("id", "connection_id", "customer_id", "read_seq", "changed_at")
_COLUMNS: Final = (*_KEYS, *(name for name in TOLD if name not in {"id", "customer", "seen"}))
_INDEXES: Final = """
    ALTER TABLE copied ADD PRIMARY KEY (id); CREATE UNIQUE INDEX ON copied (connection_id, erp_id);
    CREATE INDEX ON copied (issued_on, id); CREATE INDEX ON copied (customer_id, issued_on, due_on, number);
    CREATE INDEX ON copied (parent_id); CREATE INDEX ON copied (customer_id, due_on);
    CREATE INDEX ON copied (connection_id, parent_erp_id) WHERE parent_erp_id IS NOT NULL"""
_CUSTOMERS: Final = f"""
    INSERT INTO customers (id, connection_id, erp_id, number, name, currency, time_zone, changed_at)
    SELECT 'cus_' || lpad(n::text, 26, '0'), 'demo', 'c-' || lpad(n::text, 5, '0'), n::text, n::text, 'GBP', 'UTC',
           '2026-11-22'
    FROM generate_series(0, {loading.CUSTOMERS - 1}) n"""


def line(invoice: ErpInvoice) -> str:
    """As a row of the table itself."""
    customer = invoice.customer_erp_id.removeprefix("c-").rjust(26, "0")
    own: dict[str, Any] = {
        "connection_id": "demo",
        "customer_id": f"cus_{customer}",
        "read_seq": 1,
        "changed_at": "2026-11-22",
    }
    return lines_of([{**row_of(invoice), **own}], _COLUMNS)


class InitialLoad:
    """A million invoices with a line each, by the activity that reads an ERP; and their bytes, ready made, by COPY: into the
    table as it stands, which people use meanwhile, and into one that nobody uses, whose indexes are built after.
    """

    id = "P7"
    title = "Read a million invoices for the first time"

    @asynccontextmanager
    async def prepared(self, quick: bool) -> AsyncIterator[Prepared]:
        """The lines for COPY are in a file before anything is timed."""
        rows = 50_000 if quick else 1_000_000
        async with ground() as under:
            with psycopg.connect(under.admin_url, autocommit=True) as administrator:
                administrator.execute(_CONNECTION)
            file = under.folder / "lines"
            with file.open("w") as out:
                for invoice in loading.invoices(rows, 100):
                    out.write(line(invoice))

            def copy(table: str, *, before: str, after: str) -> None:
                with psycopg.connect(under.admin_url) as administrator:
                    administrator.execute(before.encode())
                    into = f"COPY {table} ({', '.join(_COLUMNS)}) FROM STDIN"
                    with administrator.cursor().copy(into.encode()) as copying, file.open("rb") as told:
                        while block := told.read(1 << 20):
                            copying.write(block)
                    if after:
                        administrator.execute(after.encode())

            def copied(table: str, *, before: str, after: str = "") -> Callable[[], Awaitable[Sample]]:
                async def once() -> Sample:
                    with watching(trees=[under.pid]) as watch:
                        await asyncio.to_thread(copy, table, before=before, after=after)
                    return Sample(operations=rows, wall_seconds=watch.wall_seconds, cpu_seconds=watch.cpu_seconds)

                return once

            bare = copied("copied", before="CREATE TABLE copied (LIKE invoices INCLUDING DEFAULTS)", after=_INDEXES)

            async def same() -> None:
                await emptied(under)()
                await bare()
                await loaded(under, rows, 100)()
                with psycopg.connect(under.admin_url) as administrator:
                    told = administrator.execute("SELECT count(*), sum(total), max(number) FROM copied").fetchone()
                    taken = administrator.execute("SELECT count(*), sum(total), max(number) FROM invoices").fetchone()
                require_same("what is there", {"copy": told, "ours": taken})

            yield Prepared(
                variants=[
                    Variant(name="copy_indexed_after", role="limit", once=bare, before=emptied(under)),
                    Variant(name="copy", role="limit", once=copied("invoices", before=_CUSTOMERS), before=emptied(under)),
                    Variant(name="ours", role="ours", once=loaded(under, rows, 100), before=emptied(under)),
                ],
                same=same,
            )


def loaded(under: Ground, rows: int, changed: int) -> Callable[[], Awaitable[Sample]]:
    """Reads the ERP in a process of its own, which tells what it took; PostgreSQL's time is added."""

    async def once() -> Sample:
        arguments = ["-m", "bench.loading", under.url("duly_worker"), str(rows), str(changed)]
        with watching(trees=[under.pid], ourselves=False) as watch:
            process = await asyncio.create_subprocess_exec(
                sys.executable, *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE
            )
            said, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"the reading process ended with {process.returncode}")
        took = json.loads(said)
        return Sample(
            operations=rows,
            wall_seconds=took["wall"],
            cpu_seconds=watch.cpu_seconds + took["cpu"],
            facts={"peak_megabytes": took["peak_megabytes"]},
        )

    return once


def emptied(under: Ground) -> Callable[[], Awaitable[None]]:
    """Nothing was read."""

    async def before() -> None:
        async with await psycopg.AsyncConnection.connect(under.admin_url, autocommit=True) as administrator:
            await administrator.execute("TRUNCATE customers, invoices, sync_cursors CASCADE")
            await administrator.execute("DROP TABLE IF EXISTS copied")
            await administrator.execute("CHECKPOINT")

    return before


CASE: Final = InitialLoad()
