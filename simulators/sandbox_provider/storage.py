"""One SQLite file in WAL mode. A committed write survives `kill -9`; what is kept of a card is brand, last four, expiry."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

Row = sqlite3.Row
Value = str | int | None
Json = str | int | bool | None | list["Json"] | dict[str, "Json"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS knobs (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS request_counts (op TEXT PRIMARY KEY, requests INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS idempotency (
    key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL,
    expires_ms INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS idempotency_expiry ON idempotency (expires_ms);
CREATE TABLE IF NOT EXISTS payers (
    id TEXT PRIMARY KEY, customer_id TEXT UNIQUE NOT NULL, name TEXT NOT NULL, email TEXT);
CREATE TABLE IF NOT EXISTS methods (
    id TEXT PRIMARY KEY, payer_id TEXT NOT NULL, origin_ref TEXT NOT NULL, kind TEXT NOT NULL, brand TEXT NOT NULL,
    last4 TEXT NOT NULL, exp_month INTEGER, exp_year INTEGER, behaviour TEXT NOT NULL, status TEXT NOT NULL,
    charges_tried INTEGER NOT NULL DEFAULT 0, created_ms INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS methods_by_payer ON methods (payer_id, status);
CREATE TABLE IF NOT EXISTS setups (
    id TEXT PRIMARY KEY, token TEXT UNIQUE NOT NULL, our_ref TEXT NOT NULL, payer_id TEXT NOT NULL, kinds TEXT NOT NULL,
    currency TEXT NOT NULL, return_url TEXT NOT NULL, cancel_url TEXT NOT NULL, status TEXT NOT NULL,
    method_id TEXT, failure_code TEXT, tries INTEGER NOT NULL DEFAULT 0, waiting TEXT,
    expires_ms INTEGER NOT NULL, created_wall_ms INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS setups_by_ref ON setups (our_ref);
CREATE INDEX IF NOT EXISTS setups_due ON setups (expires_ms) WHERE status IN ('open', 'verifying');
CREATE TABLE IF NOT EXISTS charges (
    id TEXT PRIMARY KEY, token TEXT UNIQUE, our_ref TEXT NOT NULL, is_page INTEGER NOT NULL, payer_id TEXT,
    method_id TEXT, kinds TEXT NOT NULL, amount_minor INTEGER NOT NULL, currency TEXT NOT NULL,
    description TEXT NOT NULL, return_url TEXT NOT NULL, cancel_url TEXT NOT NULL, save_method INTEGER NOT NULL,
    status TEXT NOT NULL, failure_code TEXT, return_code TEXT, tries INTEGER NOT NULL DEFAULT 0, waiting TEXT,
    paid_with TEXT, saved_method_id TEXT, settles_ms INTEGER, expires_ms INTEGER,
    created_ms INTEGER NOT NULL, created_wall_ms INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS charges_by_ref ON charges (our_ref);
CREATE INDEX IF NOT EXISTS charges_due ON charges (expires_ms) WHERE status = 'requires_action';
CREATE TABLE IF NOT EXISTS refunds (
    id TEXT PRIMARY KEY, our_ref TEXT NOT NULL, charge_id TEXT NOT NULL, amount_minor INTEGER NOT NULL,
    currency TEXT NOT NULL, status TEXT NOT NULL, failure_code TEXT, fails_ms INTEGER,
    created_ms INTEGER NOT NULL, created_wall_ms INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS refunds_by_ref ON refunds (our_ref);
CREATE INDEX IF NOT EXISTS refunds_by_charge ON refunds (charge_id);
CREATE INDEX IF NOT EXISTS refunds_due ON refunds (fails_ms) WHERE fails_ms IS NOT NULL;
CREATE TABLE IF NOT EXISTS payouts (
    sequence INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, amount_minor INTEGER NOT NULL, currency TEXT NOT NULL,
    created_ms INTEGER NOT NULL, arrives_ms INTEGER NOT NULL, failed INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS balance (
    sequence INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, payout_id TEXT, kind TEXT NOT NULL, source_id TEXT, our_ref TEXT,
    gross_minor INTEGER NOT NULL, fee_minor INTEGER NOT NULL, currency TEXT NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS balance_by_source ON balance (kind, source_id) WHERE kind IN ('charge', 'refund');
CREATE INDEX IF NOT EXISTS balance_by_payout ON balance (payout_id);
CREATE TABLE IF NOT EXISTS steps (
    id INTEGER PRIMARY KEY, charge_id TEXT NOT NULL, at_ms INTEGER NOT NULL, status TEXT NOT NULL, code TEXT);
CREATE INDEX IF NOT EXISTS steps_due ON steps (at_ms, id);
CREATE TABLE IF NOT EXISTS events (
    sequence INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, type TEXT NOT NULL, our_ref TEXT, object_id TEXT NOT NULL,
    body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY, event_id TEXT NOT NULL, due_ms INTEGER NOT NULL, state TEXT NOT NULL,
    bad_signature INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0, last_status INTEGER);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (due_ms) WHERE state = 'queued';
CREATE TABLE IF NOT EXISTS faults (
    id INTEGER PRIMARY KEY, op TEXT NOT NULL, kind TEXT NOT NULL, our_ref TEXT, seconds INTEGER NOT NULL,
    skip INTEGER NOT NULL, times INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS magic_spent (key TEXT PRIMARY KEY);
"""


class Storage:
    """The file and its transactions. Used from one thread; a transaction never spans an await, so none overlap."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        # A killed process loses nothing that it committed; only a power cut could take the last moments.
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute("PRAGMA busy_timeout = 5000")
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Flush and let go of the file."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; joins the transaction that is already open."""
        if self._connection.in_transaction:
            yield
            return
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def run(self, sql: str, *values: Value) -> int:
        """Execute one statement; the number of rows it changed."""
        return self._connection.execute(sql, values).rowcount

    def one(self, sql: str, *values: Value) -> Row | None:
        """The first row, or None."""
        row: Row | None = self._connection.execute(sql, values).fetchone()
        return row

    def all(self, sql: str, *values: Value) -> Sequence[Row]:
        """Every row."""
        return self._connection.execute(sql, values).fetchall()

    def insert(self, table: str, **values: Value) -> None:
        """Add a row; the names are the caller's own, never a request's."""
        names = ", ".join(values)
        marks = ", ".join("?" for _ in values)
        self._connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values()))

    def update(self, table: str, row_id: str, **values: Value) -> None:
        """Change a row by id; the names are the caller's own, never a request's."""
        assignments = ", ".join(f"{name} = ?" for name in values)
        self._connection.execute(f"UPDATE {table} SET {assignments} WHERE id = ?", (*values.values(), row_id))

    def knob(self, name: str, default: Json) -> Json:
        """A setting that a test turned, or the default."""
        row = self.one("SELECT value FROM knobs WHERE name = ?", name)
        if row is None:
            return default
        value: Json = json.loads(row["value"])
        return value

    def number(self, name: str, default: int) -> int:
        """A setting that is a whole number."""
        value = self.knob(name, default)
        return value if isinstance(value, int) else default

    def set_knob(self, name: str, value: Json) -> None:
        """Turn a setting; it survives a restart."""
        self.run("INSERT OR REPLACE INTO knobs (name, value) VALUES (?, ?)", name, json.dumps(value))

    def count_request(self, op: str) -> None:
        """One more request of this operation arrived, whatever comes of it."""
        self.run(
            "INSERT INTO request_counts (op, requests) VALUES (?, 1) ON CONFLICT (op) DO UPDATE SET requests = requests + 1",
            op,
        )


def fresh_id(prefix: str) -> str:
    """An id of this provider's, such as 'sbc_9f…'; unguessable, so that it may stand in a hosted page's address."""
    return f"{prefix}_{secrets.token_hex(12)}"
