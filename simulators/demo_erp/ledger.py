"""The general ledger's receivables account, kept by the books themselves as they are written, and what each customer owes.

The two are made in different ways on purpose: one is added to with every change, the other is summed up when it is asked.
"""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from simulators.demo_erp import receivables
from simulators.demo_erp.refusals import Refused
from simulators.demo_erp.wire import ActBody

_OWED: Final = (
    "(CASE WHEN {row}.deleted = 0 AND {row}.layout <> 'parent' AND {row}.state NOT IN ('Draft', 'Voided')"
    " THEN {row}.total ELSE 0 END)"
)
_PAID: Final = (
    "(CASE WHEN {row}.state <> 'Deleted' AND {row}.kind IN ('Payment', 'Credit note', 'Prepayment', 'Overpayment',"
    " 'Write-off', 'Adjustment') THEN {row}.amount - {row}.reversed ELSE 0 END)"
)


def _kept(table: str, effect: str) -> str:
    """Triggers that book what a change of a row does to the account."""
    new, old = effect.format(row="NEW"), effect.format(row="OLD")
    return f"""
CREATE TRIGGER IF NOT EXISTS {table}_entered AFTER INSERT ON {table} BEGIN
    INSERT INTO receivables_account VALUES (NEW.currency, {new}, '{table} ' || NEW.id); END;
CREATE TRIGGER IF NOT EXISTS {table}_changed AFTER UPDATE ON {table} WHEN {new} <> {old} BEGIN
    INSERT INTO receivables_account VALUES (NEW.currency, {new} - {old}, '{table} ' || NEW.id); END;
CREATE TRIGGER IF NOT EXISTS {table}_erased AFTER DELETE ON {table} BEGIN
    INSERT INTO receivables_account VALUES (OLD.currency, -{old}, '{table} ' || OLD.id); END;"""


SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS receivables_account (currency TEXT NOT NULL, amount INTEGER NOT NULL, source TEXT NOT NULL);"
    + _kept("invoices", _OWED)
    + f"""
-- Books that were begun before there was the account: it begins with what stands.
INSERT INTO receivables_account
SELECT i.currency, {_OWED.format(row="i")}, 'invoices ' || i.id FROM invoices i
WHERE NOT EXISTS (SELECT 1 FROM receivables_account)
UNION ALL
SELECT d.currency, -{_PAID.format(row="d")}, 'documents ' || d.id FROM documents d
WHERE NOT EXISTS (SELECT 1 FROM receivables_account);"""
    + _kept("documents", f"(-{_PAID})")
)


def balances(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """The account's balance in each currency that it was ever booked in."""
    rows = connection.execute(
        "SELECT currency, sum(amount) AS amount FROM receivables_account GROUP BY currency ORDER BY currency"
    ).fetchall()
    return [{"currency": row["currency"], "amount": row["amount"]} for row in rows]


def open_totals(connection: sqlite3.Connection, *, after: str, limit: int) -> dict[str, Any]:
    """What is owed by open invoices, by customer and currency, so many customers after one: {rows, next, more}."""
    customers = [
        row["id"]
        for row in connection.execute("SELECT id FROM customers WHERE id > ? ORDER BY id LIMIT ?", (after, limit + 1))
    ]
    shown = customers[:limit]
    states = ", ".join(f"'{each}'" for each in receivables.TAKES_MONEY)
    rows = connection.execute(
        f"""SELECT customer_id, currency, count(*) AS count, sum(left) AS open
            FROM (SELECT i.customer_id, i.currency, i.total - ({receivables.SETTLED_OF}) AS left FROM invoices i
                  WHERE i.customer_id BETWEEN ? AND ? AND i.deleted = 0 AND i.layout <> 'parent' AND i.state IN ({states}))
            WHERE left > 0 GROUP BY customer_id, currency ORDER BY customer_id, currency""",
        (shown[0] if shown else "", shown[-1] if shown else ""),
    ).fetchall()
    return {
        "rows": [{name: row[name] for name in ("customer_id", "currency", "count", "open")} for row in rows],
        "next": shown[-1] if shown else after,
        "more": len(customers) > limit,
    }


def book_by_hand(connection: sqlite3.Connection, body: ActBody) -> str:
    """A person books on the receivables account itself, with no document and nobody's name: only the ledger knows of it."""
    if body.amount is None or body.currency is None:
        raise Refused("AMOUNT_MISSING", "The act 'book_on_receivables' needs an amount and its currency.")
    connection.execute("INSERT INTO receivables_account VALUES (?, ?, 'by hand')", (body.currency, body.amount))
    return "receivables"
