"""Credits, which unapplied money of a payment is too; requests to apply them, and what open requests reserve of a credit."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    Table,
    UniqueConstraint,
)
from sqlalchemy import (
    text as sql,
)
from sqlalchemy.dialects.postgresql import JSONB

from store.rows.base import at, facts, metadata, minor, text

erp_credits = Table(
    "credits",
    metadata,
    text("id", primary_key=True),
    text("connection_id"),
    text("erp_id"),
    Column("customer_id", ForeignKey("customers.id"), nullable=False),
    text("number"),
    text("kind"),  # credit_note | prepayment | overpayment | payment
    text("currency"),
    Column("issued_on", Date, nullable=False),
    minor("total"),
    minor("used"),  # applied and refunded in the ERP, whoever did it
    Column("read_seq", BigInteger, nullable=False),
    text("origin", null=True),  # where it came from, in the ERP's words
    Column("deleted", Boolean, nullable=False, server_default="false"),
    Column("applications", JSONB, nullable=False, server_default="[]"),  # [{invoice, amount, on}], for display
    at("changed_at"),
    Column("payment_id", ForeignKey("payments.id"), nullable=True, unique=True),  # ours: what is left, our own rows say
    UniqueConstraint("connection_id", "erp_id"),
    Index("ix_credits_customer", "customer_id", "issued_on"),
)

apply_requests = Table(
    "apply_requests",
    metadata,
    text("id", primary_key=True),
    Column("customer_id", ForeignKey("customers.id"), nullable=False),
    Column("credit_id", ForeignKey("credits.id"), nullable=False),
    text("currency"),
    minor("amount", server_default="0"),
    text("state"),
    Column("version", Integer, nullable=False, server_default="1"),  # what a decision names: another has decided since
    text("run_id"),
    text("request_hash"),
    text("refused_rule", null=True),
    facts("refused_facts"),
    text("channel"),
    text("requested_by"),
    Column("needs_second", Boolean, nullable=False, server_default="false"),
    text("first_by", null=True),
    text("second_by", null=True),
    text("ended_by", null=True),
    text("reason", null=True),
    text("question", null=True),
    text("answer", null=True),
    text("erp_words", null=True),  # why the ERP said no, in its own words
    Column("postings", Integer, nullable=False, server_default="0"),  # how many were made for it
    at("opened_at"),
    at("changed_at"),
    at("remind_at", null=True),
    at("escalate_at", null=True),
    at("expires_at", null=True),
    CheckConstraint("amount > 0 OR state IN ('opening', 'refused')", name="amount_positive"),
    CheckConstraint("second_by <> first_by", name="two_people"),
    CheckConstraint(
        "NOT needs_second OR second_by IS NOT NULL OR state NOT IN ('posting', 'applied', 'undoing', 'undone')",
        name="second_person",
    ),
    Index("ix_apply_requests_customer_id", "customer_id", sql("opened_at DESC")),
    Index("ix_apply_requests_credit_id", "credit_id"),
    Index(
        "ix_apply_requests_open",
        "opened_at",
        postgresql_where=sql("state IN ('opening', 'submitted', 'asked', 'second', 'posting', 'posting_failed', 'undoing')"),
    ),
)

apply_lines = Table(
    "apply_lines",
    metadata,
    Column("request_id", ForeignKey("apply_requests.id"), primary_key=True),
    Column("invoice_id", ForeignKey("invoices.id"), primary_key=True),
    text("customer_id"),
    minor("amount"),
    minor("approved", null=True),
    Column("position", Integer, nullable=False),
    CheckConstraint("amount > 0", name="amount_positive"),
    CheckConstraint("approved BETWEEN 0 AND amount", name="approved_within"),
)

credit_holds = Table(
    "credit_holds",
    metadata,
    text("holder_id", primary_key=True),
    Column("credit_id", ForeignKey("credits.id"), primary_key=True),
    text("customer_id"),
    minor("amount"),
    at("held_at"),
    Index("ix_credit_holds_credit_id", "credit_id"),
    CheckConstraint("amount > 0", name="amount_positive"),
)
