"""Money on a real database, without a provider or an ERP: customers and invoices by the store's own doors, payments by
the activities' own classes, and what a provider would have told as a value.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

from activities.opening import Opening
from activities.recording import Now, Recording
from activities.requests import FirstAnswer, PayRequest
from connectors.payments.ports import ChargeStatus, ProviderCharge
from domain.allocation import Line
from domain.methods import MethodDetails, MethodKind
from domain.money import Money
from domain.receivables import ErpCustomer, ErpInvoice, ErpInvoiceStatus
from store import connections, methods, snapshots
from store.database import Database
from store.identity import fresh_id
from tests import machine

AT = datetime(2026, 11, 22, 9, tzinfo=UTC)
ERP = "demo"
PROVIDER = "sandbox"


def usd(minor: int) -> Money:
    return Money.of(minor, "USD")


class Books:
    """One database as the worker uses it; the clock stands where a test puts it."""

    def __init__(self, store: Database, admin: Database) -> None:
        self.store = store
        self.admin = admin
        self.at = AT
        self.opening = Opening(store, self.now)
        self.recording = Recording(store, self.now, erp=ERP)

    def now(self) -> datetime:
        return self.at

    async def prepare(self) -> None:
        async with self.store.begin("test") as tx:
            offers = {kind.value: ["USD", "EUR", "GBP", "JPY"] for kind in MethodKind}
            for name, role in ((PROVIDER, "payments"), (ERP, "erp")):
                await connections.announce(
                    tx, connection_id=name, role=role, connector=name, mode="sandbox", offers=offers, at=self.at
                )

    async def rows(self, statement: str, **values: Any) -> Sequence[Any]:
        async with self.store.begin("test") as tx:
            return await tx.rows(statement, **values)

    async def one(self, statement: str, **values: Any) -> Any:
        found = await self.rows(statement, **values)
        assert len(found) == 1, found
        return found[0]

    async def count(self, table: str, where: str = "true", **values: Any) -> int:
        return int((await self.one(f"SELECT count(*) AS n FROM {table} WHERE {where}", **values)).n)

    async def damage(self, statement: str, **values: Any) -> None:
        """As the superuser, with every trigger and foreign key asleep: what no door of ours could do."""
        async with self.admin.begin("test") as tx:
            await tx.run("SET LOCAL session_replication_role = replica")
            await tx.run(statement, **values)

    # ------------------------------------------------------------ what the ERP tells

    async def customer(self, *totals: int, currency: str = "USD") -> tuple[str, list[str]]:
        """A customer with open invoices of these totals, the oldest first."""
        erp_id = fresh_id("cus")[-12:]
        customer = ErpCustomer(
            erp_id=erp_id,
            number=erp_id,
            name="Acme",
            currency=currency,
            email=f"{erp_id}@customer.example",
            country="US",
            time_zone="UTC",
        )
        async with self.store.begin("test") as tx:
            await snapshots.take_customers(tx, [customer], connection_id=ERP, at=self.at)
        await self.tell(
            [
                invoice(f"{erp_id}-{index}", erp_id, total, index=index, currency=currency)
                for index, total in enumerate(totals)
            ]
        )
        row = await self.one("SELECT id FROM customers WHERE erp_id = :id", id=erp_id)
        found = await self.rows("SELECT id FROM invoices WHERE customer_id = :id ORDER BY issued_on", id=row.id)
        return row.id, [each.id for each in found]

    async def tell(self, invoices: Sequence[ErpInvoice]) -> None:
        """A read of the ERP arrives."""
        async with self.store.begin("test") as tx:
            seq = await snapshots.next_seq(tx)
            await snapshots.take(tx, invoices, seq, connection_id=ERP, at=self.at)

    async def change(self, invoice_id: str, *, total: int, settled: int = 0) -> None:
        """The ERP shows other figures for an invoice."""
        row = await self.one(
            """SELECT i.erp_id, c.erp_id AS customer FROM invoices i JOIN customers c ON c.id = i.customer_id
               WHERE i.id = :id""",
            id=invoice_id,
        )
        index = int(row.erp_id.rpartition("-")[2])
        await self.tell([invoice(row.erp_id, row.customer, total, settled=settled, index=index)])

    async def method(self, customer_id: str, *, token: str | None = None) -> str:
        """A saved card of the customer's."""
        details = MethodDetails(
            token=token or fresh_id("pm"), kind=MethodKind.CARD, brand="visa", last4="4242", exp_month=4, exp_year=2031
        )
        async with self.store.begin("test") as tx:
            return await methods.keep(
                tx, details, customer_id=customer_id, connection_id=PROVIDER, state="active", by="test", at=self.at
            )

    # ------------------------------------------------------------ payments

    def request(self, customer_id: str, lines: Sequence[tuple[str, int]], **changes: Any) -> PayRequest:
        """A payment as the portal asks for it."""
        payment_id = changes.pop("payment_id", None) or fresh_id("pay")
        values: dict[str, Any] = {
            "payment_id": payment_id,
            "customer_id": customer_id,
            "customer_ids": (customer_id,),
            "currency": "USD",
            "lines": tuple(Line(invoice_id=invoice_id, minor=minor) for invoice_id, minor in lines),
            "kind": MethodKind.CARD,
            "connection_id": PROVIDER,
            "request_hash": f"hash of {payment_id}",
            "started_by": "A. Cole",
        }
        return PayRequest(**{**values, **changes})

    async def open(self, request: PayRequest, *, run_id: str = "run-1") -> tuple[str, FirstAnswer | None]:
        return await self.opening.open(request, run_id, key=f"key of {request.payment_id}")

    async def opened(self, customer_id: str, *lines: tuple[str, int], **changes: Any) -> str:
        """A payment that was opened and announced as sent; its id."""
        request = self.request(customer_id, lines, **changes)
        answer = await self.open(request)
        assert answer == ("charge", None), answer
        return request.payment_id

    async def told(self, payment_id: str, status: ChargeStatus, *, minor: int | None = None, **facts: Any) -> ProviderCharge:
        """What the provider tells of a payment."""
        row = await self.one("SELECT amount, currency FROM payments WHERE id = :id", id=payment_id)
        return ProviderCharge(
            provider_id=f"ch_{payment_id[4:]}",
            our_ref=f"{payment_id}-1",
            status=status,
            amount=Money.of(row.amount if minor is None else minor, row.currency),
            **facts,
        )

    async def record(self, payment_id: str, status: ChargeStatus, **facts: Any) -> Now:
        """It is told, and recorded."""
        return await self.recording.record(payment_id, "told", await self.told(payment_id, status, **facts), None)

    async def allocated(self, payment_id: str) -> dict[str, int]:
        """What lies on which invoice now."""
        rows = await self.rows(
            """SELECT invoice_id, sum(amount)::bigint AS net FROM allocations WHERE payment_id = :id
               GROUP BY invoice_id HAVING sum(amount) <> 0""",
            id=payment_id,
        )
        return {row.invoice_id: row.net for row in rows}

    async def balance(self, invoice_id: str) -> tuple[int, int]:
        """(open, held)."""
        row = await self.one("SELECT open, held FROM balances WHERE id = :id", id=invoice_id)
        return row.open, row.held

    async def journal(self, entry_id: str) -> set[tuple[str, str, str | None, int]]:
        """An entry's lines."""
        rows = await self.rows(
            "SELECT account, holder, invoice_id, amount FROM journal_lines WHERE entry_id = :e", e=entry_id
        )
        lines = [(row.account, row.holder, row.invoice_id, row.amount) for row in rows]
        assert len(lines) == len(set(lines))
        return set(lines)

    async def is_conserved(self) -> bool:
        """Nothing over, nothing negative, every entry in balance: the same questions as `duly check`, asked plainly."""
        over = await self.count("balances", "open < 0 OR held > open")
        off = await self.rows("SELECT entry_id FROM journal_lines GROUP BY entry_id, currency HAVING sum(amount) <> 0")
        more = await self.rows(
            """SELECT p.id FROM payments p LEFT JOIN allocations a ON a.payment_id = p.id
               GROUP BY p.id HAVING coalesce(sum(a.amount), 0) NOT BETWEEN 0 AND p.captured - p.returned"""
        )
        return over == 0 and not off and not more


def invoice(
    erp_id: str, customer_erp_id: str, total: int, *, settled: int = 0, index: int = 0, currency: str = "USD"
) -> ErpInvoice:
    """An open invoice as an ERP tells it."""
    issued = date(2026, 9, 1) + timedelta(days=index)
    return ErpInvoice(
        erp_id=erp_id,
        customer_erp_id=customer_erp_id,
        number=erp_id,
        currency=currency,
        total=Money.of(total, currency),
        settled=Money.of(settled, currency),
        issued_on=issued,
        due_on=issued + timedelta(days=30),
        status=ErpInvoiceStatus.OPEN,
        status_word="Posted",
    )


@asynccontextmanager
async def books_of(database: machine.Database) -> AsyncIterator[Books]:
    """Open a test's database as the worker and as the administrator."""
    store, admin = Database(database.worker_url, pool_size=8), Database(database.admin_url, pool_size=1)
    try:
        books = Books(store, admin)
        await books.prepare()
        yield books
    finally:
        await store.close()
        await admin.close()
