"""P7: the first read of an ERP's invoices, beside the COPY that nothing can beat."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import psycopg

from bench import loading
from bench.case import Prepared, Sample, Variant, require_same
from bench.cpu import watching
from bench.ground import ROOT, Ground, ground
from store.arriving import lines_of
from store.snapshots import TOLD, row_of

_CONNECTION: Final = """INSERT INTO connections (id, role, connector, mode, changed_at)
    VALUES ('demo', 'erp', 'demo', 'sandbox', '2026-11-22') ON CONFLICT DO NOTHING"""
_COPIED: Final = ", ".join(f"{name} {kind}" for name, kind in TOLD.items())
_INDEXES: Final = """
    ALTER TABLE copied ADD PRIMARY KEY (id); CREATE UNIQUE INDEX ON copied (erp_id); CREATE INDEX ON copied (issued_on, id);
    CREATE INDEX ON copied (customer, issued_on, due_on, number); CREATE INDEX ON copied (customer, due_on)"""


class InitialLoad:
    """A million invoices with a line each, by the activity that reads an ERP; and their bytes, ready made, by COPY."""

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
                    out.write(lines_of([row_of(invoice)], tuple(TOLD)))

            def copy() -> None:
                with psycopg.connect(under.admin_url) as administrator:
                    administrator.execute(f"CREATE TABLE copied ({_COPIED})".encode())
                    with administrator.cursor().copy("COPY copied FROM STDIN") as copying, file.open("rb") as told:
                        while block := told.read(1 << 20):
                            copying.write(block)
                    administrator.execute(_INDEXES.encode())

            async def copied() -> Sample:
                with watching(trees=[under.pid]) as watch:
                    await asyncio.to_thread(copy)
                return Sample(operations=rows, wall_seconds=watch.wall_seconds, cpu_seconds=watch.cpu_seconds)

            async def same() -> None:
                await copied()
                await loaded(under, rows, 100)()
                with psycopg.connect(under.admin_url) as administrator:
                    told = administrator.execute("SELECT count(*), sum(total), max(number) FROM copied").fetchone()
                    taken = administrator.execute("SELECT count(*), sum(total), max(number) FROM invoices").fetchone()
                require_same("what is there", {"copy": told, "ours": taken})

            yield Prepared(
                variants=[
                    Variant(name="copy", role="limit", once=copied, before=emptied(under)),
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
