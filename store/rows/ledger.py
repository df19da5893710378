"""The journal: double entry, append-only. A debit is positive, a credit negative; an entry sums to zero."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Identity, Index, Integer, Table
from sqlalchemy import text as sql

from store.rows.base import at, metadata, minor, text

journal_entries = Table(
    "journal_entries",
    metadata,
    text("id", primary_key=True),  # '{process}/{event}': a second run of the same event inserts nothing
    Column("seq", BigInteger, Identity(always=True), nullable=False, unique=True),
    text("process_id"),
    text("customer_id"),
    text("kind"),
    text("currency"),
    at("booked_at"),
    Index("ix_journal_entries_process_id", "process_id"),
)

seals = Table(
    "seals",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("first_seq", BigInteger, nullable=False, unique=True),
    Column("last_seq", BigInteger, nullable=False),
    Column("entries", BigInteger, nullable=False),
    text("tree"),
    text("previous"),
    text("seal"),
    at("sealed_at"),
)

journal_lines = Table(
    "journal_lines",
    metadata,
    Column("entry_id", ForeignKey("journal_entries.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    text("account"),  # receivable | unapplied | clearing | …
    text("holder"),  # the customer's or the connection's id
    text("customer_id"),
    text("invoice_id", null=True),
    text("currency"),
    minor("amount"),
    Index("ix_journal_lines_account", "account", "holder"),
    Index("ix_journal_lines_invoice_id", "invoice_id", postgresql_where=sql("invoice_id IS NOT NULL")),
    CheckConstraint("amount <> 0", name="amount_not_zero"),
)
