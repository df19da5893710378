"""The SQL of the balance rule is the model of `domain/balances.py`, step by step along random walks.

The walks are those that catch every broken reading of the rule (`tests/model`). Beside each stored snapshot the
differences are looked at: below zero, or held beyond what is open, is told in the same transaction, or is not so.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from random import Random

import psycopg
import pytest

from domain.money import Money
from domain.receivables import ErpCustomer, ErpInvoice, ErpInvoiceStatus, ErpSettlement, SettlementKind
from store import snapshots
from store.database import Database as Store
from store.database import Transaction
from tests.machine import Database
from tests.model.balance_rules import SequenceRule, SequenceRuleWithoutGuard
from tests.model.erp_walk import (
    INVOICES,
    PAYMENTS,
    Allocated,
    Confirmed,
    Held,
    Released,
    Row,
    Sent,
    StoreEvent,
    Taken,
    World,
    random_step,
)

AT = datetime(2026, 3, 10, 12, tzinfo=UTC)
ON = date(2026, 3, 10)
ERP = "erp"
WALKS = 60
STEPS = 60


def usd(minor: int) -> Money:
    return Money.of(minor, "USD")


class SqlBalances:
    """The second implementation of what a walk drives: the same two methods as `BalanceStore`, over one transaction.

    Every walk has a customer, invoices and payments of its own, so that walks share a database.
    """

    def __init__(self, tx: Transaction, walk: int) -> None:
        self.tx = tx
        self.walk = walk
        self.names: dict[str, str] = {}
        self.customer = ""

    def payment(self, name: str) -> str:
        """The id of a walk's payment, in the form by which a reference in the ERP is known to be ours."""
        return f"pay_{self.walk:025}{name[-1]}"

    async def prepare(self) -> None:
        """A customer, two invoices as the ERP has them before the walk, and the payments' own rows."""
        customer = ErpCustomer(
            erp_id=f"c{self.walk}",
            number=f"C{self.walk}",
            name="Walker",
            currency="USD",
            email=None,
            country=None,
            time_zone="UTC",
        )
        await snapshots.take_customers(self.tx, [customer], connection_id=ERP, at=AT)
        for each in INVOICES:
            await self.take(Row(invoice_id=each, total=100, settled=0, seen={}, foreign=0), 0)
        found = await self.tx.rows(
            "SELECT id, erp_id, customer_id FROM invoices WHERE erp_id LIKE :mine", mine=f"{self.walk}-%"
        )
        self.names = {row.erp_id.partition("-")[2]: row.id for row in found}
        self.customer = found[0].customer_id
        for name, minor in PAYMENTS.items():
            await self.tx.run(
                """INSERT INTO payments (id, customer_id, connection_id, currency, amount, state, run_id, request_hash,
                       way, method_kind, method_label, channel, started_by, opened_at, changed_at)
                   VALUES (:id, :customer, 'con', 'USD', :minor, 'charging', 'run', 'hash', 'page', 'card', 'card',
                       'portal', 'walker', :at, :at)""",
                id=self.payment(name),
                customer=self.customer,
                minor=minor,
                at=AT,
            )

    async def take(self, row: Row, read_seq: int) -> None:
        """Store a row through the store's own door."""
        ours = [(f"{self.payment(name)}/{name}", minor) for name, minor in row.seen.items()]
        rest = row.settled - sum(minor for _, minor in ours)
        settled: list[tuple[str | None, int]] = [*ours, (None, rest), ("INV-1 by cheque", 0)]
        invoice = ErpInvoice(
            erp_id=f"{self.walk}-{row.invoice_id}",
            customer_erp_id=f"c{self.walk}",
            number=row.invoice_id,
            currency="USD",
            total=usd(row.total),
            settled=usd(row.settled),
            issued_on=ON,
            due_on=ON,
            status=ErpInvoiceStatus.OPEN,
            status_word="open",
            settlements=tuple(
                ErpSettlement(
                    kind=SettlementKind.PAYMENT, document_number="D", amount=usd(minor), on=ON, reference=reference
                )
                for reference, minor in settled
            ),
        )
        await snapshots.take(self.tx, [invoice], read_seq, connection_id=ERP, at=AT)

    async def apply(self, event: StoreEvent) -> None:
        """Hear of one event."""
        match event:
            case Held(payment_id, lines):
                await self._insert("holds", "holder_id", payment_id, lines)
            case Released(payment_id):
                await self.tx.run("DELETE FROM holds WHERE holder_id = :id", id=self.payment(payment_id))
            case Allocated(posting_id, payment_id, lines):
                await self.tx.run("DELETE FROM holds WHERE holder_id = :id", id=self.payment(payment_id))
                await self._insert("allocations", "payment_id", payment_id, lines, posting=f"{self.walk}-{posting_id}")
            case Sent(posting_id, seq):
                await self.tx.run(
                    "UPDATE postings SET state = 'sent', sent_seq = :seq WHERE id = :id",
                    id=f"{self.walk}-{posting_id}",
                    seq=seq,
                )
            case Confirmed(posting_id, seq):
                await self.tx.run(
                    "UPDATE postings SET state = 'confirmed', confirmed_seq = :seq WHERE id = :id",
                    id=f"{self.walk}-{posting_id}",
                    seq=seq,
                )
            case Taken(row, read_seq):
                await self.take(row, read_seq)

    async def _insert(
        self, table: str, who: str, payment_id: str, lines: Mapping[str, int], *, posting: str | None = None
    ) -> None:
        if posting is not None:
            await self.tx.run(
                """INSERT INTO postings (id, connection_id, kind, payment_id, customer_id, docs, amount, queued_at)
                   VALUES (:id, :erp, 'payment', :payment, :customer, ARRAY[:payment], 0, :at)""",
                id=posting,
                erp=ERP,
                payment=self.payment(payment_id),
                customer=self.customer,
                at=AT,
            )
        more = "" if posting is None else ", id, posting_id, allocated_at"
        values = ", :at" if posting is None else ", :posting || '/' || t.id, :posting, :at"
        await self.tx.run(
            f"""INSERT INTO {table} ({who}, invoice_id, customer_id, amount{more or ", held_at"})
                SELECT :payment, t.id, :customer, t.amount{values}
                FROM unnest(cast(:ids AS text[]), cast(:amounts AS bigint[])) AS t(id, amount)""",
            payment=self.payment(payment_id),
            customer=self.customer,
            posting=posting,
            ids=[self.names[each] for each in lines],
            amounts=list(lines.values()),
            at=AT,
        )

    async def balances(self) -> Mapping[str, tuple[int, int]]:
        """(open, held) by invoice."""
        rows = await self.tx.rows("SELECT id, open, held FROM balances WHERE customer_id = :me", me=self.customer)
        by_id = {row.id: (row.open, row.held) for row in rows}
        return {name: by_id[each] for name, each in self.names.items()}

    async def differences(self, invoice_id: str) -> dict[str, int]:
        """Open differences of one invoice that say that money or holds exceed it."""
        rows = await self.tx.rows(
            """SELECT kind, amount FROM differences WHERE invoice_id = :id AND closed_at IS NULL
               AND kind IN ('overpaid', 'hold_exceeds_open')""",
            id=self.names[invoice_id],
        )
        return {row.kind: row.amount for row in rows}


def excess(opened: int, held: int) -> dict[str, int]:
    """What has to be told of an invoice."""
    told = {"overpaid": -opened, "hold_exceeds_open": held - max(opened, 0)}
    return {kind: minor for kind, minor in told.items() if minor > 0}


async def follow(world: World, model: SequenceRule, sql: SqlBalances, random: Random) -> None:
    """One step: both hear the same, both say the same."""
    for event in random_step(world, random):
        before = dict(model.snapshots)
        model.apply(event)
        await sql.apply(event)
        if isinstance(event, Taken) and model.snapshots != before:
            opened, held = model.balances()[event.row.invoice_id]
            assert await sql.differences(event.row.invoice_id) == excess(opened, held)
    assert await sql.balances() == model.balances()


async def compare(database: Database, *, walks: int, rule: type[SequenceRule] = SequenceRule) -> None:
    """Walk both; fails at the first step after which they differ, or where the night does not mend everything."""
    store = Store(database.worker_url)
    try:
        for walk in range(walks):
            async with store.begin("walk") as tx:
                random, world, model, sql = Random(walk), World(), rule(), SqlBalances(tx, walk)
                await sql.prepare()
                for _ in range(STEPS):
                    await follow(world, model, sql, random)
                for event in world.quiet_night():
                    model.apply(event)
                    await sql.apply(event)
                assert await sql.balances() == model.balances()
                assert {each: said for each, (said, _) in model.balances().items()} == {
                    each: world.true_open(each) for each in INVOICES
                }
    finally:
        await store.close()


async def test_the_sql_equals_the_model_after_every_step_of_sixty_walks(database: Database) -> None:
    await compare(database, walks=WALKS)


async def test_the_walks_tell_the_sql_from_a_rule_without_the_guard(database: Database) -> None:
    with pytest.raises(AssertionError):
        await compare(database, walks=10, rule=SequenceRuleWithoutGuard)


BROKEN_VIEWS = {
    "whatever is confirmed stops counting": ("p.confirmed_seq < i.read_seq", "p.confirmed_seq IS NOT NULL"),
    "one confirmed posting speaks for all of a payment": ("bool_and", "bool_or"),
    "what the snapshot shows of ours is added once more": ("SELECT n.amount", "SELECT 0 * n.amount"),
    "the ERP never wins": ("p.confirmed_seq < i.read_seq", "false"),
}


@pytest.mark.parametrize("name", BROKEN_VIEWS)
async def test_the_walks_tell_the_model_from_a_broken_view(database: Database, name: str) -> None:
    right, wrong = BROKEN_VIEWS[name]
    with psycopg.connect(database.plain_admin_url, autocommit=True) as connection:
        row = connection.execute("SELECT pg_get_viewdef('balances')").fetchone()
        assert row is not None
        assert right in row[0]
        broken = f"CREATE OR REPLACE VIEW balances WITH (security_invoker = true) AS {row[0].replace(right, wrong)}"
        connection.execute(broken.encode())
    with pytest.raises(AssertionError):
        await compare(database, walks=10)
