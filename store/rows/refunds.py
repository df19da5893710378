"""Refunds of payments, and what each takes off which invoice."""

from __future__ import annotations

from sqlalchemy import Boolean, CheckConstraint, Column, ForeignKey, Index, Integer, Table
from sqlalchemy import text as sql

from store.rows.base import at, facts, metadata, minor, text

refunds = Table(
    "refunds",
    metadata,
    text("id", primary_key=True),
    Column("payment_id", ForeignKey("payments.id"), nullable=False, index=True),
    text("customer_id"),
    minor("amount"),
    text("currency"),
    text("state"),
    Column("version", Integer, nullable=False, server_default="1"),
    text("run_id"),  # the workflow run that asked for it: another run asks before it sends
    text("request_hash"),
    text("refused_rule", null=True),
    facts("refused_facts"),
    text("reason"),
    text("note"),
    Column("needs_second", Boolean, nullable=False, server_default="false"),
    text("requested_by"),
    text("second_by", null=True),
    text("ended_by", null=True),
    text("refund_key"),
    at("first_sent_at", null=True),  # the provider forgets its keys some time after this
    at("sent_at", null=True),
    text("provider_ref", null=True),
    text("failure_code", null=True),
    at("requested_at"),
    at("changed_at"),
    at("unknown_since", null=True),
    at("last_checked_at", null=True),
    at("next_check_at", null=True),
    text("check_note", null=True),
    Index(
        "ix_refunds_open",
        "requested_at",
        postgresql_where=sql("state IN ('requested','awaiting_second','sent','processing','unknown')"),
    ),
    CheckConstraint("amount > 0", name="amount_positive"),
    CheckConstraint("second_by <> requested_by", name="two_people"),
    CheckConstraint(
        "NOT needs_second OR second_by IS NOT NULL OR state IN ('refused', 'awaiting_second', 'rejected')",
        name="second_person",
    ),
)

refund_lines = Table(
    "refund_lines",
    metadata,
    Column("refund_id", ForeignKey("refunds.id"), primary_key=True),
    Column("invoice_id", ForeignKey("invoices.id"), primary_key=True),
    text("customer_id"),
    minor("amount"),
    CheckConstraint("amount > 0", name="amount_positive"),
)
