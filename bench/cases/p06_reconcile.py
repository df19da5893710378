"""P6: find what differs between a million documents here and a million there."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import psycopg

from bench.case import Prepared, Sample, Variant
from bench.cpu import watching
from bench.ground import ground
from store import reconciliation
from store.database import Database

_FILL: Final = """
INSERT INTO connections (id, role, connector, mode, changed_at) VALUES ('demo', 'erp', 'demo', 'sandbox', '2026-11-22');
INSERT INTO customers (id, connection_id, erp_id, number, name, currency, time_zone, changed_at)
VALUES ('cus_1', 'demo', '1', '1', 'Acme', 'GBP', 'UTC', '2026-11-22');
INSERT INTO payments (id, customer_id, state, amount, currency, captured, connection_id, way, method_kind, method_label,
    request_hash, run_id, channel, opened_at, changed_at, started_by)
SELECT 'pay_' || md5(n::text), 'cus_1', 'captured', n % 90000 + 1, 'GBP', n % 90000 + 1, 'sandbox', 'saved', 'card', 'Visa',
    'h', 'r', 'portal', '2026-11-22', '2026-11-22', 'x' FROM generate_series(1, {rows}) n;
INSERT INTO postings (id, connection_id, kind, payment_id, customer_id, docs, amount, state, confirmed_seq, confirmed_at,
    queued_at, currency)
SELECT id || '-captured', 'demo', 'payment', id, customer_id, ARRAY[id], amount, 'confirmed', 1, '2026-11-22', '2026-11-22',
    'GBP' FROM payments;
INSERT INTO erp_payments (connection_id, erp_id, customer_id, number, currency, amount, unapplied, received_on, reference,
    stands, read_seq, changed_at)
SELECT 'demo', 'P-' || n, 'cus_1', 'P-' || n, 'GBP', q.amount + (n % 1200 = 0)::int, 0, '2026-11-22', q.id, n % 1200 <> 1, 2,
    '2026-11-22'
FROM (SELECT id, amount, row_number() OVER (ORDER BY id) AS n FROM postings) q WHERE n % 1200 <> 2;
VACUUM ANALYZE postings; VACUUM ANALYZE erp_payments; VACUUM ANALYZE payments;"""
"""A quarter of a hundredth differs: another amount, no longer standing, missing."""

_HASH: Final = "hashtextextended(currency, hashint8extended(amount, hashtextextended({reference}, 0)))"
_ONE_PASS: Final = f"""
SELECT (SELECT sum({_HASH.format(reference="id")} >> 1) FROM postings WHERE kind = 'payment' AND state = 'confirmed'),
       (SELECT sum({_HASH.format(reference="reference")} >> 1) FROM erp_payments WHERE stands AND reference IS NOT NULL)"""
_FULL_JOIN: Final = """
SELECT coalesce(o.id, t.reference)
FROM (SELECT id, amount FROM postings WHERE kind = 'payment' AND state = 'confirmed') o
FULL JOIN (SELECT reference, amount FROM erp_payments WHERE stands AND reference IS NOT NULL) t ON t.reference = o.id
WHERE o.id IS NULL OR t.reference IS NULL OR o.amount <> t.amount ORDER BY 1"""


class Reconcile:
    """Ours, beside one hash of every row of both sides, a full join, and Python's dictionaries."""

    id = "P6"
    title = "Compare documents of which a quarter of a hundredth differ"

    @asynccontextmanager
    async def prepared(self, quick: bool) -> AsyncIterator[Prepared]:
        """Both sides are there, analysed."""
        rows = 60_000 if quick else 1_000_000
        async with ground() as under:
            with psycopg.connect(under.admin_url, autocommit=True) as administrator:
                for statement in _FILL.format(rows=rows).split(";"):
                    if statement.strip():
                        administrator.execute(statement.encode())
            database = Database(under.url("duly_worker"), pool_size=1)

            def plainly(statement: str) -> Callable[[], list[str]]:
                def ask() -> list[str]:
                    with psycopg.connect(under.admin_url, autocommit=True) as connection:
                        return [str(row[0]) for row in connection.execute(statement.encode()).fetchall()]

                return ask

            def with_dictionaries() -> list[str]:
                with psycopg.connect(under.admin_url) as connection:
                    ours: dict[str, int] = dict(
                        connection.execute("SELECT id, amount FROM postings WHERE state = 'confirmed'").fetchall()
                    )
                    theirs: dict[str, int] = dict(
                        connection.execute("SELECT reference, amount FROM erp_payments WHERE stands").fetchall()
                    )
                return sorted(each for each in ours.keys() | theirs.keys() if ours.get(each) != theirs.get(each))

            async def compared() -> list[str]:
                async with database.begin("bench.suspects") as tx:
                    return list(await reconciliation.suspects(tx, "demo", kinds=()))

            def timed(name: str, ask: Callable[[], list[str]]) -> Variant:
                async def once() -> Sample:
                    with watching(trees=[under.pid]) as watch:
                        await asyncio.to_thread(ask)
                    return Sample(operations=rows, wall_seconds=watch.wall_seconds, cpu_seconds=watch.cpu_seconds)

                return Variant(name=name, role="limit" if name == "one_pass" else "plain", once=once)

            async def ours() -> Sample:
                with watching(trees=[under.pid]) as watch:
                    await compared()
                return Sample(operations=rows, wall_seconds=watch.wall_seconds, cpu_seconds=watch.cpu_seconds)

            async def same() -> None:
                expected = sorted(plainly(_FULL_JOIN)())
                assert expected
                assert sorted(await compared()) == expected == with_dictionaries()

            yield Prepared(
                variants=[
                    timed("one_pass", plainly(_ONE_PASS)),
                    Variant(name="ours", role="ours", once=ours),
                    timed("full_join", plainly(_FULL_JOIN)),
                    timed("dictionaries", with_dictionaries),
                ],
                same=same,
            )
            await database.close()


CASE: Final = Reconcile()
