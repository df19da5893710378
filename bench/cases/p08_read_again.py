"""P8: everything is read again, and nearly everything is as it was."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import psycopg

from bench import loading
from bench.case import Prepared, Sample, Variant
from bench.cases.p07_initial_load import loaded
from bench.cpu import watching
from bench.ground import ground
from store.arriving import lines_of
from store.snapshots import TOLD, row_of

_BATCH: Final = 5_000
_CHANGED: Final = 5  # of a hundred
_TELLING: Final = ", ".join(f"{name} {kind}" for name, kind in TOLD.items())
_WRITTEN: Final = "SELECT n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables WHERE relname = 'invoices'"


class ReadAgain:
    """Ours, beside a COPY of the same lines into a temporary table and nothing else."""

    id = "P8"
    title = "Read invoices again of which 95 % are unchanged"

    @asynccontextmanager
    async def prepared(self, quick: bool) -> AsyncIterator[Prepared]:
        """Everything was read once."""
        rows = 20_000 if quick else 100_000
        async with ground() as under:
            with psycopg.connect(under.admin_url, autocommit=True) as administrator:
                administrator.execute(
                    """INSERT INTO connections (id, role, connector, mode, changed_at)
                       VALUES ('demo', 'erp', 'demo', 'sandbox', '2026-11-22')"""
                )
            await loaded(under, rows, 100)()

            def copy() -> None:
                with psycopg.connect(under.admin_url, autocommit=True) as administrator:
                    administrator.execute(f"CREATE TEMPORARY TABLE telling ({_TELLING}) ON COMMIT DELETE ROWS".encode())
                    told = [row_of(each) for each in loading.invoices(rows, _CHANGED)]
                    for begun in range(0, rows, _BATCH):
                        with administrator.transaction(), administrator.cursor().copy("COPY telling FROM STDIN") as copying:
                            copying.write(lines_of(told[begun : begun + _BATCH], tuple(TOLD)))

            async def copied() -> Sample:
                with watching(trees=[under.pid]) as watch:
                    await asyncio.to_thread(copy)
                return Sample(operations=rows, wall_seconds=watch.wall_seconds, cpu_seconds=watch.cpu_seconds)

            async def changed_back() -> None:
                """Five of a hundred differ again, and the whole is read as if for the first time: in batches."""
                async with await psycopg.AsyncConnection.connect(under.admin_url, autocommit=True) as administrator:
                    await administrator.execute("UPDATE invoices SET po_number = NULL WHERE po_number = 'changed'")
                    await administrator.execute("DELETE FROM sync_cursors")
                    await administrator.execute("VACUUM ANALYZE invoices")

            async def same() -> None:
                await changed_back()
                await loaded(under, rows, _CHANGED)()

            async def facts() -> Mapping[str, float]:
                """How many rows are written when everything is read again and nothing at all has changed."""
                await same()
                async with await psycopg.AsyncConnection.connect(under.admin_url, autocommit=True) as administrator:
                    await administrator.execute("DELETE FROM sync_cursors")
                    await administrator.execute("SELECT pg_stat_force_next_flush()")
                    before = await (await administrator.execute(_WRITTEN)).fetchone()
                    await loaded(under, rows, _CHANGED)()
                    await administrator.execute("SELECT pg_stat_clear_snapshot()")
                    after = await (await administrator.execute(_WRITTEN)).fetchone()
                assert before is not None
                assert after is not None
                return {"rows": float(rows), "rows_written_without_news": float(after[0] - before[0])}

            yield Prepared(
                variants=[
                    Variant(name="copy_to_temporary", role="limit", once=copied, before=changed_back),
                    Variant(name="ours", role="ours", once=loaded(under, rows, _CHANGED), before=changed_back),
                ],
                same=same,
                facts=facts,
            )


CASE: Final = ReadAgain()
