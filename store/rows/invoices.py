"""Customers, contacts, invoices with the snapshot of the ERP, and what of our money that snapshot has seen."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Date, ForeignKey, Index, Table, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB

from store.rows.base import at, metadata, minor, text

customers = Table(
    "customers",
    metadata,
    text("id", primary_key=True),
    text("connection_id"),
    text("erp_id"),
    text("number"),
    text("name"),
    text("currency"),
    text("email", null=True),
    text("country", null=True),
    text("time_zone", server_default="UTC"),
    Column("parent_id", ForeignKey("customers.id"), nullable=True, index=True),
    text("parent_erp_id", null=True),
    Column("paused", Boolean, nullable=False, server_default="false"),
    Column("deleted", Boolean, nullable=False, server_default="false"),
    at("changed_at"),
    UniqueConstraint("connection_id", "erp_id"),
    Index("ix_customers_number", "number"),
    Index("ix_customers_name_lower", sql("lower(name)")),
)

contacts = Table(
    "contacts",
    metadata,
    text("id", primary_key=True),
    Column("customer_id", ForeignKey("customers.id"), nullable=False, index=True),
    text("erp_id"),
    text("name"),
    text("email"),
    UniqueConstraint("customer_id", "erp_id"),
)

invoices = Table(
    "invoices",
    metadata,
    text("id", primary_key=True),
    text("connection_id"),
    text("erp_id"),
    Column("customer_id", ForeignKey("customers.id"), nullable=False),
    Column("parent_id", ForeignKey("invoices.id"), nullable=True),
    text("parent_erp_id", null=True),
    Column("is_parent", Boolean, nullable=False, server_default="false"),
    text("number"),
    text("site", null=True),
    text("po_number", null=True),
    text("terms", null=True),
    text("currency"),
    Column("issued_on", Date, nullable=False),
    Column("due_on", Date, nullable=False),
    Column("paid_on", Date, nullable=True),
    text("status"),
    text("status_word"),
    Column("paused", Boolean, nullable=False, server_default="false"),
    Column("deleted", Boolean, nullable=False, server_default="false"),
    # The snapshot: all from one answer of the ERP. See `balances` for what they mean together with our own rows.
    minor("total"),
    minor("settled"),
    Column("read_seq", BigInteger, nullable=False),
    minor("discount", null=True),
    Column("lines", JSONB, nullable=False, server_default="[]"),
    Column("settlements", JSONB, nullable=False, server_default="[]"),
    text("contact_email", null=True),
    at("changed_at"),
    at("ended_at", null=True),  # when Duly first read that it is written off or closed; a trigger's
    UniqueConstraint("connection_id", "erp_id"),
    Index("ix_invoices_issued", "issued_on", "id"),
    Index("ix_invoices_oldest_first", "customer_id", "issued_on", "due_on", "number"),
    Index("ix_invoices_parent_id", "parent_id"),
    Index("ix_invoices_parent_erp_id", "connection_id", "parent_erp_id", postgresql_where=sql("parent_erp_id IS NOT NULL")),
    Index("ix_invoices_due", "customer_id", "due_on"),
)

snapshot_seen = Table(
    "snapshot_seen",
    metadata,
    Column("invoice_id", ForeignKey("invoices.id"), primary_key=True),
    text("payment_id", primary_key=True),
    text("customer_id"),
    minor("amount"),
)
