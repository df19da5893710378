"""What the cases' databases hold: customers, invoices and payments, the same for the same numbers, written in bulk."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import psycopg

NOON: Final = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

_CUSTOMERS = """
INSERT INTO customers (id, connection_id, erp_id, number, name, currency, email, country, time_zone, changed_at)
SELECT 'cus_' || lpad(n::text, 26, '0'), 'demo', n::text, 'C' || lpad(n::text, 6, '0'), 'Customer ' || n, 'GBP',
       'accounts@customer' || n || '.example', 'GB', 'Europe/London', %(at)s
FROM generate_series(%(first)s, %(last)s) n"""

# A mixture: whole and odd amounts, some with a purchase order or a site, some overdue at NOON, the oldest first.
_INVOICES = """
INSERT INTO invoices (id, connection_id, erp_id, customer_id, number, site, po_number, currency, issued_on, due_on, status,
                      status_word, total, settled, read_seq, changed_at)
SELECT 'inv_' || lpad(n::text, 26, '0'), 'demo', n::text, %(customer)s, 'INV-' || lpad(n::text, 8, '0'),
       CASE WHEN n %% 5 = 0 THEN 'Site ' || n %% 17 END, CASE WHEN n %% 3 = 0 THEN 'PO ' || n * 7 END, 'GBP',
       date '2026-11-22' - (60 + %(last)s - n)::int / %(a_day)s, date '2026-11-22' - (30 + %(last)s - n)::int / %(a_day)s,
       'open', 'open', 1000 + (n::bigint * 7919) %% 250000, 0, 1, %(at)s
FROM generate_series(%(first)s, %(last)s) n"""

_PAYMENTS = """
WITH p AS (
    INSERT INTO payments (id, customer_id, connection_id, currency, amount, state, run_id, request_hash, way, method_kind,
                          method_label, channel, started_by, opened_at, changed_at)
    SELECT 'pay_' || lpad(n::text, 26, '0'), %(customer)s, 'sandbox', 'GBP', x.amount, 'charging', 'run', 'hash', 'saved',
           'card', 'Visa ending 4242', 'portal', 'portal link', %(at)s, %(at)s
    FROM generate_series(1, %(count)s) n,
         LATERAL (SELECT sum(i.total) AS amount FROM generate_series((n - 1) * %(each)s + 1, n * %(each)s) m
                  JOIN invoices i ON i.id = 'inv_' || lpad(m::text, 26, '0')) x
    RETURNING id),
h AS (
    INSERT INTO holds (holder_id, invoice_id, customer_id, amount, held_at)
    SELECT 'pay_' || lpad(((m - 1) / %(each)s + 1)::text, 26, '0'), i.id, i.customer_id, i.total, %(at)s
    FROM generate_series(1, %(count)s * %(each)s) m JOIN invoices i ON i.id = 'inv_' || lpad(m::text, 26, '0')
    RETURNING holder_id, invoice_id, customer_id, amount)
INSERT INTO payment_lines (payment_id, invoice_id, customer_id, amount, position)
SELECT holder_id, invoice_id, customer_id, amount, row_number() OVER (PARTITION BY holder_id ORDER BY invoice_id) FROM h"""

_WRITTEN_BY_PAYMENTS = (
    "allocations, holds, idempotent_requests, inbox, journal_lines, journal_entries, outbox, payment_lines, payments, "
    "postings, timeline"
)


class Books:
    """Fills a database as its superuser."""

    def __init__(self, url: str) -> None:
        self._url = url

    def run(self, *statements: tuple[str, dict[str, Any]] | str) -> None:
        """Statements one after another, each by itself."""
        with self._connected() as connection:
            for each in statements:
                text, values = (each, None) if isinstance(each, str) else each
                connection.execute(text.encode(), values)

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Every row of a statement."""
        with self._connected() as connection:
            return connection.execute(statement.encode(), list(values) or None).fetchall()

    def customers(self, count: int, *, first: int = 1) -> list[str]:
        """Customers with an e-mail address; their ids."""
        self.run((_CUSTOMERS, {"first": first, "last": first + count - 1, "at": NOON}))
        return [f"cus_{number:026}" for number in range(first, first + count)]

    def invoices(self, customer: str, count: int, *, first: int = 1, a_day: int = 10) -> None:
        """Open invoices, the first the oldest, `a_day` of them issued each day. Foreign keys sleep meanwhile."""
        values = {"customer": customer, "first": first, "last": first + count - 1, "a_day": a_day, "at": NOON}
        with self._connected() as connection, connection.transaction():
            connection.execute("SET LOCAL session_replication_role = replica")
            connection.execute(_INVOICES.encode(), values)

    def payments(self, customer: str, count: int, *, invoices_each: int) -> list[str]:
        """Forget every payment, then open so many: each holds its own invoices and waits for what the provider tells."""
        self.run(
            f"TRUNCATE {_WRITTEN_BY_PAYMENTS} RESTART IDENTITY CASCADE",
            (_PAYMENTS, {"customer": customer, "count": count, "each": invoices_each, "at": NOON}),
            "ANALYZE holds, payments, payment_lines",
            "CHECKPOINT",
        )
        return [f"pay_{number:026}" for number in range(1, count + 1)]

    def settle_down(self, *tables: str) -> None:
        """What autovacuum would do sooner or later, before anything is timed."""
        self.run(f"VACUUM (ANALYZE) {', '.join(tables)}", "CHECKPOINT")

    def _connected(self) -> psycopg.Connection[Any]:
        """Values are written into the statement: a number is then of the type that one would expect."""
        return psycopg.connect(self._url, autocommit=True, cursor_factory=psycopg.ClientCursor)
