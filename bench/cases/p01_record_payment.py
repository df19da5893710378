"""P1: a captured payment over ten invoices becomes durable: eight at once, every row that Duly writes for it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from activities.recording import Recording
from bench import pgbench
from bench.case import Prepared, Sample, Variant, require_same
from bench.cpu import watching
from bench.crowd import crowd
from bench.data import NOON, Books
from bench.ground import Ground, ground
from bench.naive import recording as naive
from connectors.payments.ports import ChargeStatus, ProviderCharge
from domain.lifecycles import PaymentState
from domain.money import Money
from store import payments
from store.database import Database
from store.identity import fresh_id

HANDS: Final = 8
INVOICES_EACH: Final = 10

# The rows alone: nothing is looked up but the invoices' amounts, nothing is decided, nothing is locked.
_LIMIT = """\\set n :n + 1
WITH i AS (SELECT id, total, customer_id FROM invoices
           WHERE id = ANY (SELECT 'inv_' || lpad(((:n - 1) * 80 + :client_id * 10 + m)::text, 26, '0')
                           FROM generate_series(1, 10) m)),
     k AS (SELECT 'pay_' || lpad(((:n - 1) * 8 + :client_id + 1)::text, 26, '0') AS id,
                  'cus_00000000000000000000000001' AS who, (SELECT sum(total)::bigint FROM i) AS amount),
     p AS (INSERT INTO payments (id, customer_id, connection_id, currency, amount, captured, state, run_id, request_hash,
                                 way, method_kind, method_label, channel, started_by, opened_at, changed_at, provider_ref)
           SELECT id, who, 'sandbox', 'GBP', amount, amount, 'captured', 'run', 'hash', 'saved', 'card', 'Visa ending 4242',
                  'portal', 'portal link', '2026-11-22 12:00Z', '2026-11-22 12:00Z', 'ch_' || id FROM k),
     q AS (INSERT INTO postings (id, connection_id, kind, payment_id, customer_id, docs, amount, queued_at)
           SELECT k.id || '-captured', 'demo', 'payment', k.id, who, array_append(ARRAY(SELECT id FROM i ORDER BY id), k.id),
                  amount, '2026-11-22 12:00Z' FROM k),
     a AS (INSERT INTO allocations (id, payment_id, invoice_id, customer_id, amount, posting_id, allocated_at)
           SELECT k.id || '-captured/' || i.id, k.id, i.id, i.customer_id, i.total, k.id || '-captured', '2026-11-22 12:00Z'
           FROM k, i),
     e AS (INSERT INTO journal_entries (id, process_id, customer_id, kind, currency, booked_at)
           SELECT id || '/captured', id, who, 'captured', 'GBP', '2026-11-22 12:00Z' FROM k),
     l AS (INSERT INTO journal_lines (entry_id, position, account, holder, customer_id, invoice_id, currency, amount)
           SELECT k.id || '/captured', row_number() OVER (ORDER BY n.account, n.invoice), n.account, n.holder, k.who,
                  n.invoice, 'GBP', n.amount
           FROM k, LATERAL (SELECT 'clearing' AS account, 'sandbox' AS holder, NULL AS invoice, k.amount AS amount
                            UNION ALL SELECT 'receivable', k.who, i.id, -i.total FROM i) n),
     t AS (INSERT INTO timeline (id, process_id, customer_id, kind, facts, at)
           SELECT id || '/captured', id, who, 'captured', '{"late": false}', '2026-11-22 12:00Z' FROM k)
INSERT INTO outbox (id, dedupe_key, template, to_address, customer_id, process_id, facts, queued_at)
SELECT 'mal_' || id, id || '/receipt/accounts@customer1.example/', 'receipt', 'accounts@customer1.example', who, id, '{}',
       '2026-11-22 12:00Z' FROM k;
"""

_WRITTEN = """
SELECT p.id, p.state, p.captured, p.provider_ref, q.docs, q.amount, t.kind, t.facts, o.dedupe_key,
       (SELECT array_agg((a.id, a.invoice_id, a.amount)::text ORDER BY a.invoice_id) FROM allocations a
        WHERE a.payment_id = p.id),
       (SELECT array_agg((l.position, l.account, l.holder, l.invoice_id, l.amount)::text ORDER BY l.position)
        FROM journal_lines l WHERE l.entry_id = p.id || '/captured')
FROM payments p JOIN postings q ON q.payment_id = p.id JOIN timeline t ON t.process_id = p.id
JOIN outbox o ON o.process_id = p.id ORDER BY p.id LIMIT 16"""


class RecordPayment:
    """Ten allocations, eleven journal lines, a posting, a timeline event, a mail; the payment moves and its holds end."""

    id = "P1"
    title = "Record a captured payment over ten invoices, durable, eight at once"

    @asynccontextmanager
    async def prepared(self, quick: bool) -> AsyncIterator[Prepared]:
        """Every variant begins with the same open payments."""
        count = 80 if quick else 480
        async with ground() as under, under.database("duly_worker", pool_size=HANDS) as database:
            books = Books(under.admin_url)
            customer = books.customers(1)[0]
            books.invoices(customer, count * INVOICES_EACH)
            books.settle_down("invoices", "customers")
            engine = create_async_engine(under.url("duly_worker"), pool_size=HANDS)
            yield await self._variants(under, books, database, async_sessionmaker(engine), customer, count)
            await engine.dispose()

    async def _variants(
        self,
        under: Ground,
        books: Books,
        database: Database,
        sessions: async_sessionmaker[AsyncSession],
        customer: str,
        count: int,
    ) -> Prepared:
        recording = Recording(database, lambda: NOON, erp="demo")
        amounts: dict[str, int] = {}

        async def opened() -> None:
            await asyncio.to_thread(books.payments, customer, count, invoices_each=INVOICES_EACH)
            amounts.update(await asyncio.to_thread(_amounts, books))

        async def emptied() -> None:
            await asyncio.to_thread(books.payments, customer, 0, invoices_each=INVOICES_EACH)

        async def ours(payment_id: str) -> None:
            told = ProviderCharge(
                provider_id=f"ch_{payment_id}",
                our_ref=f"{payment_id}-1",
                status=ChargeStatus.CAPTURED,
                amount=Money.of(amounts[payment_id], "GBP"),
            )
            await recording.record(payment_id, "told", told, None)

        async def statement(payment_id: str) -> None:
            outcome = payments.Outcome(state=PaymentState.CAPTURED, provider_ref=f"ch_{payment_id}")
            async with database.begin("bench") as tx:
                await payments.capture(tx, payment_id, outcome, erp="demo", mail_id=fresh_id("mal"), at=NOON)

        async def orm(payment_id: str) -> None:
            await naive.record(sessions, payment_id, f"ch_{payment_id}", at=NOON)

        async def limit() -> Sample:
            return await pgbench.run(under, _LIMIT, clients=HANDS, turns=count // HANDS)

        def timed(work: Callable[[str], Awaitable[None]]) -> Callable[[], Awaitable[Sample]]:
            async def once() -> Sample:
                with watching(trees=[under.pid]) as watch:
                    done = await crowd(sorted(amounts), work, hands=HANDS)
                return Sample(operations=done, wall_seconds=watch.wall_seconds, cpu_seconds=watch.cpu_seconds)

            return once

        variants = [
            Variant(name="pgbench", role="limit", once=limit, before=emptied),
            Variant(name="ours", role="ours", once=timed(ours), before=opened),
            Variant(name="statement", role="ours", once=timed(statement), before=opened),
            Variant(name="orm", role="plain", once=timed(orm), before=opened),
        ]

        async def same() -> None:
            written: dict[str, object] = {}
            for variant in variants:
                assert variant.before is not None
                await variant.before()
                await variant.once()
                written[variant.name] = await asyncio.to_thread(books.rows, _WRITTEN)
            require_same("the rows of sixteen payments", written)

        return Prepared(variants=variants, same=same)


def _amounts(books: Books) -> dict[str, Any]:
    return dict(books.rows("SELECT id, amount FROM payments"))


CASE: Final = RecordPayment()
