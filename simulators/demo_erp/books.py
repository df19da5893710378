"""The ERP's books in one SQLite file: the tables, the change sequence, the numbers of documents.

One connection, used by one thread: every request is carried out in one piece, in one transaction.
Write-ahead logging keeps what was committed when the program is killed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS customers (
    id TEXT PRIMARY KEY, number TEXT NOT NULL UNIQUE, name TEXT NOT NULL, currency TEXT NOT NULL, email TEXT,
    country TEXT, time_zone TEXT NOT NULL, parent_id TEXT, paused INTEGER NOT NULL DEFAULT 0,
    deleted INTEGER NOT NULL DEFAULT 0, change INTEGER NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS contacts (
    id TEXT PRIMARY KEY, customer_id TEXT NOT NULL REFERENCES customers (id), name TEXT NOT NULL,
    email TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS contacts_by_customer ON contacts (customer_id);
CREATE TABLE IF NOT EXISTS invoices (
    id TEXT PRIMARY KEY, number TEXT NOT NULL UNIQUE, customer_id TEXT NOT NULL REFERENCES customers (id),
    currency TEXT NOT NULL, state TEXT NOT NULL, layout TEXT NOT NULL DEFAULT 'single', parent_id TEXT,
    site TEXT, po_number TEXT, terms TEXT, issued_on TEXT NOT NULL, due_on TEXT NOT NULL,
    total INTEGER NOT NULL, discount INTEGER, paused INTEGER NOT NULL DEFAULT 0, contact_email TEXT,
    deleted INTEGER NOT NULL DEFAULT 0, change INTEGER NOT NULL UNIQUE);
CREATE INDEX IF NOT EXISTS invoices_by_customer ON invoices (customer_id);
CREATE INDEX IF NOT EXISTS invoices_by_parent ON invoices (parent_id);
CREATE TABLE IF NOT EXISTS invoice_lines (
    invoice_id TEXT NOT NULL REFERENCES invoices (id), position INTEGER NOT NULL, description TEXT NOT NULL,
    quantity TEXT NOT NULL, unit_price INTEGER NOT NULL, amount INTEGER NOT NULL, tax_rate TEXT NOT NULL,
    tax INTEGER NOT NULL, PRIMARY KEY (invoice_id, position)) WITHOUT ROWID;
-- Payments, credit notes, prepayments, write-offs; reversals and applications point at their payment.
CREATE TABLE IF NOT EXISTS documents (
    id TEXT PRIMARY KEY, number TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'Posted', customer_id TEXT NOT NULL REFERENCES customers (id),
    currency TEXT NOT NULL, amount INTEGER NOT NULL, reversed INTEGER NOT NULL DEFAULT 0, reference TEXT,
    dated_on TEXT NOT NULL,
    memo TEXT NOT NULL DEFAULT '', method TEXT NOT NULL DEFAULT '', author TEXT NOT NULL,
    about_id TEXT, change INTEGER NOT NULL UNIQUE);
CREATE INDEX IF NOT EXISTS documents_by_reference ON documents (reference);
CREATE INDEX IF NOT EXISTS documents_by_customer ON documents (customer_id);
-- What each document was asked to do: evidence, never changed.
CREATE TABLE IF NOT EXISTS document_lines (
    document_id TEXT NOT NULL, invoice_id TEXT NOT NULL, amount INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS document_lines_by_document ON document_lines (document_id);
-- What stands now: one row for each source and invoice, the net of everything that happened to it.
CREATE TABLE IF NOT EXISTS applications (
    document_id TEXT NOT NULL REFERENCES documents (id), invoice_id TEXT NOT NULL REFERENCES invoices (id),
    amount INTEGER NOT NULL CHECK (amount > 0), applied_on TEXT NOT NULL,
    PRIMARY KEY (document_id, invoice_id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS applications_by_invoice ON applications (invoice_id);
CREATE TABLE IF NOT EXISTS deposits (
    id TEXT PRIMARY KEY, reference TEXT NOT NULL, amount INTEGER NOT NULL, currency TEXT NOT NULL, booked_on TEXT NOT NULL,
    deleted INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS deposits_by_reference ON deposits (reference);
"""

_NUMBERED: Final = {
    "Payment": "PMT",
    "Credit note": "CRN",
    "Prepayment": "PRE",
    "Overpayment": "OVP",
    "Write-off": "WOF",
    "Adjustment": "ADJ",
    "Reversal": "REV",
    "Refund": "RFD",
    "Refund reversal": "RRV",
    "Application": "APP",
}


class Books:
    """An open file of books. A transaction ends with its block: committed, or rolled back by an error."""

    def __init__(self, path: Path, *more: str) -> None:
        """`more` are tables and triggers beside these, made where they are missing."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._connection.executescript(SCHEMA)
        for schema in more:
            self._connection.executescript(schema)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One read transaction: everything read inside belongs to the same moment."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One write transaction."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        self._connection.execute(begin)
        try:
            yield self._connection
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def _count(connection: sqlite3.Connection, name: str) -> int:
    row = connection.execute(
        "INSERT INTO counters VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
        (name,),
    ).fetchone()
    return int(row[0])


def next_change(connection: sqlite3.Connection) -> int:
    """The next number of the change sequence. One writer: numbers are committed in their order."""
    return _count(connection, "change")


def next_document(connection: sqlite3.Connection, kind: str) -> tuple[str, str]:
    """Id and number of a new document, such as ('doc-17', 'PMT-00009')."""
    return f"doc-{_count(connection, 'document')}", f"{_NUMBERED[kind]}-{_count(connection, kind):05d}"


def next_plain_id(connection: sqlite3.Connection, kind: str) -> int:
    """A number for a customer or invoice that came without an id."""
    return _count(connection, kind)


def touch_customer(connection: sqlite3.Connection, customer_id: str) -> None:
    """Stamp a customer as changed."""
    connection.execute("UPDATE customers SET change = ? WHERE id = ?", (next_change(connection), customer_id))


def touch_invoice(connection: sqlite3.Connection, invoice_id: str) -> None:
    """Stamp an invoice as changed, and its parent, whose status follows from its leaves."""
    connection.execute("UPDATE invoices SET change = ? WHERE id = ?", (next_change(connection), invoice_id))
    row = connection.execute("SELECT parent_id FROM invoices WHERE id = ?", (invoice_id,)).fetchone()
    if row is not None and row["parent_id"] is not None:
        connection.execute("UPDATE invoices SET change = ? WHERE id = ?", (next_change(connection), row["parent_id"]))
