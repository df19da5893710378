"""P5: a custom amount spread over the oldest invoices, with ten thousand and with a million to choose from.

A payment covers two hundred invoices at most, so that is how many are touched.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from bench.case import Different, Prepared, Sample, Variant, require_same
from bench.cpu import watching
from bench.data import Books
from bench.ground import Ground, ground
from domain.allocation import Line, spread
from domain.business import MOST_INVOICES, BusinessSettings
from domain.money import Money
from store.database import Database
from store.views.paying import oldest

# What is touched, in order, from the index that has the order; nothing is computed.
_TOUCHED: Final = """SELECT id, total - settled FROM invoices WHERE customer_id = %s
                     ORDER BY issued_on, due_on, number LIMIT %s"""
_EVERYTHING: Final = """SELECT id, total - settled FROM invoices WHERE customer_id = %s AND currency = 'GBP'
                        ORDER BY issued_on, due_on, number, id"""
_WINDOW: Final = """
SELECT id, least(open, %s - before) FROM (
    SELECT id, total - settled AS open, issued_on, due_on, number,
           sum(total - settled) OVER (ORDER BY issued_on, due_on, number, id) - (total - settled) AS before
    FROM invoices WHERE customer_id = %s AND currency = 'GBP') running
WHERE before < %s ORDER BY issued_on, due_on, number, id"""

Taken = list[tuple[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Account:
    """A customer and an amount that reaches the last invoice a payment may touch, half of it."""

    customer: str
    amount: int


class Allocation:
    """The preview of a custom amount, as `/pay?custom=` makes it; in SQL with a window, in Python with every row."""

    id = "P5"
    title = "Spread an amount over the oldest two hundred of many invoices"

    @asynccontextmanager
    async def prepared(self, quick: bool) -> AsyncIterator[Prepared]:
        """Two customers in one database: one with ten thousand open invoices, one with a million."""
        many = 50_000 if quick else 1_000_000
        async with AsyncExitStack() as stack:
            under = await stack.enter_async_context(ground())
            small, large = await asyncio.to_thread(_filled, Books(under.admin_url), many)
            database = await stack.enter_async_context(under.database("duly_portal"))
            connection = await stack.enter_async_context(await _connected(under))
            yield _prepared(_Ways(under, database, connection), small, large, turns=20 if quick else 60)


class _Ways:
    """Each way answers what is taken of which invoice."""

    def __init__(self, under: Ground, database: Database, connection: psycopg.AsyncConnection[Any]) -> None:
        self.under, self._database, self._connection = under, database, connection

    async def touched(self, account: _Account) -> Taken:
        rows = await self._rows(_TOUCHED, [account.customer, MOST_INVOICES])
        return _cut(rows, account.amount)

    async def ours(self, account: _Account) -> Taken:
        settings = BusinessSettings()
        async with self._database.read_as([account.customer], hide_paused=True) as tx:
            payables = await oldest(tx, [account.customer], "GBP", settings)
        lines = spread(Money.of(account.amount, "GBP"), [each.facts for each in payables if each.selectable])
        if not isinstance(lines, tuple):
            raise Different(f"refused: {lines.rule}")
        return [_taken(line) for line in lines]

    async def window(self, account: _Account) -> Taken:
        return await self._rows(_WINDOW, [account.amount, account.customer, account.amount])

    async def everything(self, account: _Account) -> Taken:
        return _cut(await self._rows(_EVERYTHING, [account.customer]), account.amount)

    async def _rows(self, statement: str, values: list[Any]) -> Taken:
        cursor = await self._connection.execute(statement.encode(), values, prepare=True)
        return [(row[0], int(row[1])) for row in await cursor.fetchall()]


def _prepared(ways: _Ways, small: _Account, large: _Account, *, turns: int) -> Prepared:
    def timed(way: Callable[[_Account], Awaitable[Taken]], account: _Account, times: int) -> Callable[[], Awaitable[Sample]]:
        async def once() -> Sample:
            with watching(trees=[ways.under.pid]) as watch:
                for _ in range(times):
                    await way(account)
            return Sample(operations=times, wall_seconds=watch.wall_seconds, cpu_seconds=watch.cpu_seconds)

        return once

    async def same() -> None:
        for account in (small, large):
            answers = {
                "touched": await ways.touched(account),
                "ours": await ways.ours(account),
                "window": await ways.window(account),
                "everything": await ways.everything(account),
            }
            require_same("what is taken", answers)
            require_same("how many", {"asked": MOST_INVOICES, "taken": len(answers["ours"])})

    return Prepared(
        variants=[
            Variant(name="index_10k", role="limit", once=timed(ways.touched, small, turns)),
            Variant(name="index_1m", role="limit", once=timed(ways.touched, large, turns)),
            Variant(name="ours_10k", role="ours", once=timed(ways.ours, small, turns)),
            Variant(name="ours_1m", role="ours", once=timed(ways.ours, large, turns)),
            Variant(name="window_1m", role="plain", once=timed(ways.window, large, 1)),
            Variant(name="everything_1m", role="plain", once=timed(ways.everything, large, 1)),
        ],
        same=same,
    )


def _filled(books: Books, many: int) -> tuple[_Account, _Account]:
    customers = books.customers(2)
    books.invoices(customers[0], 10_000)
    books.invoices(customers[1], many, first=10_001, a_day=many // 1000)
    books.settle_down("invoices", "customers")
    accounts = []
    for customer in customers:
        amounts = [int(row[1]) for row in books.rows(_TOUCHED, [customer, MOST_INVOICES])]
        accounts.append(_Account(customer=customer, amount=sum(amounts) - amounts[-1] // 2))
    return accounts[0], accounts[1]


async def _connected(under: Ground) -> psycopg.AsyncConnection[Any]:
    return await psycopg.AsyncConnection.connect(under.admin_url, autocommit=True)


def _cut(rows: Taken, amount: int) -> Taken:
    """Oldest first, until nothing is left."""
    taken: Taken = []
    for invoice_id, open_minor in rows:
        if amount == 0:
            break
        taken.append((invoice_id, min(amount, open_minor)))
        amount -= taken[-1][1]
    return taken


def _taken(line: Line) -> tuple[str, int]:
    return line.invoice_id, line.minor


CASE: Final = Allocation()
