"""What Duly and the other sides disagree about, and the runs that compare them."""

from __future__ import annotations

from sqlalchemy import Boolean, CheckConstraint, Column, ForeignKey, Index, Integer, Table
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB

from store.rows.base import at, facts, metadata, minor, text

differences = Table(
    "differences",
    metadata,
    text("id", primary_key=True),
    text("kind"),  # domain.differences.DifferenceKind
    Column("invoice_id", ForeignKey("invoices.id"), nullable=True),
    text("process_id", null=True),
    text("customer_id", null=True),
    minor("amount"),
    text("currency"),
    facts(),
    at("opened_at"),
    at("closed_at", null=True),
    text("item", null=True),  # what it is about: a payment, or a document's reference or id at the ERP
    text("connection_id", null=True),
    at("last_seen_at", null=True),
    at("tell_at", null=True),  # before that it may settle by itself, and nobody is told
    text("closed_how", null=True),  # agrees | counted | accepted
    text("closed_by", null=True),
    text("close_reason", null=True),
    Index(
        "uq_differences_open",
        "kind",
        "invoice_id",
        unique=True,
        postgresql_where=sql("closed_at IS NULL AND invoice_id IS NOT NULL"),
    ),
    Index(
        "uq_differences_item",
        "kind",
        "item",
        unique=True,
        postgresql_where=sql("closed_at IS NULL AND item IS NOT NULL"),
    ),
    Index("ix_differences_item", "item", postgresql_where=sql("item IS NOT NULL")),
    Index("ix_differences_open", "kind", postgresql_where=sql("closed_at IS NULL")),
    CheckConstraint("closed_how IN ('agrees', 'counted', 'accepted')", name="closed_how"),
    CheckConstraint(
        "closed_how IS DISTINCT FROM 'accepted' OR closed_by IS NOT NULL AND close_reason <> ''",
        name="accepted_for_a_reason",
    ),
)

reconciliations = Table(
    "reconciliations",
    metadata,
    text("id", primary_key=True),
    text("asked_by"),  # 'schedule', or who of the staff pressed the button
    at("started_at"),
    at("finished_at", null=True),
    Column(
        "sides", JSONB, nullable=False, server_default="{}"
    ),  # by connection: what was looked at, and what stood in the way
    Column("differing", Integer, nullable=True),
    Column("is_equal", Boolean, nullable=True),
    Index("ix_reconciliations_started_at", "started_at"),
)
