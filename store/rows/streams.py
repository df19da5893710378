"""How far each stream of an ERP was read, and what such streams tell besides customers, invoices and credits."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Date, ForeignKey, Index, Integer, Table, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB

from store.rows.base import at, metadata, minor, text

sync_cursors = Table(
    "sync_cursors",
    metadata,
    text("connection_id", primary_key=True),
    text("entity", primary_key=True),
    text("cursor"),
    Column("rows_read", BigInteger, nullable=False, server_default="0"),
    at("read_at", null=True),  # when its last page was stored
    text("last_error", null=True),  # in a few words of ours, until a page is stored again
    at("last_run_at", null=True),
    at("last_ok_at", null=True),  # when it was last read to its end
    Column("ok_seq", BigInteger, nullable=True),  # drawn before the last page of that read left
    at("loaded_at", null=True),  # when it was read to its end for the first time
    at("failed_at", null=True),
    Column("failures", Integer, nullable=False, server_default="0"),  # one after the other
    at("next_try_at", null=True),
    Column("expected", BigInteger, nullable=True),  # rows of a first load, where the ERP says how many
)

erp_payments = Table(
    "erp_payments",
    metadata,
    text("connection_id", primary_key=True),
    text("erp_id", primary_key=True),
    Column("customer_id", ForeignKey("customers.id"), nullable=False),
    text("number"),
    text("currency"),
    minor("amount"),
    minor("unapplied"),
    Column("received_on", Date, nullable=False),
    text("reference", null=True),
    text("author", null=True),
    Column("stands", Boolean, nullable=False),
    Column("lines", JSONB, nullable=False, server_default="[]"),  # {invoice: the ERP's id, amount}
    Column("read_seq", BigInteger, nullable=False),
    at("changed_at"),
    Index("ix_erp_payments_reference", "reference", postgresql_where=sql("reference IS NOT NULL")),
    Index("ix_erp_payments_customer", "customer_id", "received_on"),
)

erp_quotes = Table(
    "erp_quotes",
    metadata,
    text("id", primary_key=True),
    text("connection_id"),
    text("erp_id"),
    Column("customer_id", ForeignKey("customers.id"), nullable=False),
    text("number"),
    text("currency"),
    minor("total"),
    Column("issued_on", Date, nullable=False),
    Column("expires_on", Date, nullable=True),
    text("status"),
    text("status_word"),
    Column("lines", JSONB, nullable=False, server_default="[]"),
    Column("deleted", Boolean, nullable=False, server_default="false"),
    at("changed_at"),
    UniqueConstraint("connection_id", "erp_id"),
    Index("ix_erp_quotes_customer", "customer_id", "issued_on"),
)

erp_recurring = Table(
    "erp_recurring",
    metadata,
    text("id", primary_key=True),
    text("connection_id"),
    text("erp_id"),
    Column("customer_id", ForeignKey("customers.id"), nullable=False),
    text("title"),
    text("frequency"),
    Column("starts_on", Date, nullable=True),
    Column("next_on", Date, nullable=True),
    Column("remaining", Integer, nullable=True),
    text("currency"),
    minor("amount"),
    Column("active", Boolean, nullable=False),
    Column("deleted", Boolean, nullable=False, server_default="false"),
    at("changed_at"),
    UniqueConstraint("connection_id", "erp_id"),
    Index("ix_erp_recurring_customer", "customer_id"),
)
