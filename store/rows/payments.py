"""Payments, what they reserve (holds), what they settle (allocations), what they still want, and postings to the ERP."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    UniqueConstraint,
)
from sqlalchemy import (
    text as sql,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Text

from store.rows.base import at, facts, metadata, minor, text

payments = Table(
    "payments",
    metadata,
    text("id", primary_key=True),
    Column("customer_id", ForeignKey("customers.id"), nullable=False),
    text("connection_id"),
    text("currency"),
    minor("amount"),
    text("state"),
    text("run_id"),  # the workflow run that opened it: another run means 'resumed', which asks before it charges
    text("request_hash"),
    text("refused_rule", null=True),
    facts("refused_facts"),
    text("way"),  # saved | page
    text("method_id", null=True),
    text("method_kind"),
    text("method_label"),
    Column("save_consent", Boolean, nullable=False, server_default="false"),
    text("consent_wording", null=True),
    text("channel"),
    text("started_by"),
    Column("attempt", Integer, nullable=False, server_default="1"),
    text("charge_key", null=True),
    at("sent_at", null=True),  # the first time that the charge may have left this machine
    text("provider_ref", null=True),
    text("action_url", null=True),
    text("failure_code", null=True),
    text("expected_on", null=True),
    minor("captured", server_default="0"),
    minor("returned", server_default="0"),
    minor("refunding", server_default="0"),  # asked for and not over: nobody else may give it back
    minor("refunded", server_default="0"),
    at("opened_at"),
    at("changed_at"),
    at("deadline_at", null=True),
    at("unknown_since", null=True),
    at("last_checked_at", null=True),
    at("next_check_at", null=True),
    text("check_note", null=True),
    Index("ix_payments_opened", "opened_at", "id"),
    Index("ix_payments_customer_opened", "customer_id", sql("opened_at DESC")),
    Index("ix_payments_came_back", "changed_at", postgresql_where=sql("state IN ('returned', 'disputed')")),
    Index("uq_payments_provider_ref", "connection_id", "provider_ref", unique=True),
    Index(
        "ix_payments_in_flight",
        "state",
        postgresql_where=sql("state IN ('charging','awaiting_customer','processing','unknown')"),
    ),
    CheckConstraint("amount > 0 OR state IN ('charging', 'refused')", name="amount_positive"),
    CheckConstraint("captured >= 0 AND returned >= 0 AND returned <= captured", name="returned_within_captured"),
    CheckConstraint("refunding >= 0 AND refunded >= 0 AND refunding + refunded <= captured", name="refunds_within_captured"),
)

payment_lines = Table(
    "payment_lines",
    metadata,
    Column("payment_id", ForeignKey("payments.id"), primary_key=True),
    Column("invoice_id", ForeignKey("invoices.id"), primary_key=True),
    text("customer_id"),
    minor("amount"),
    Column("position", Integer, nullable=False),
    CheckConstraint("amount > 0", name="amount_positive"),
)

holds = Table(
    "holds",
    metadata,
    text("holder_id", primary_key=True),
    Column("invoice_id", ForeignKey("invoices.id"), primary_key=True),
    text("customer_id"),
    minor("amount"),
    at("held_at"),
    Index("ix_holds_invoice_id", "invoice_id"),
    CheckConstraint("amount > 0", name="amount_positive"),
)

postings = Table(
    "postings",
    metadata,
    text("id", primary_key=True),
    text("connection_id"),
    text("kind"),  # payment | reversal | refund | refund_reversal | application | credit_application
    text("payment_id", null=True),
    Column("credit_id", Text, nullable=True),
    Column("request_id", Text, nullable=True),  # the request that it carries out, which hears what became of it
    text("customer_id"),
    Column("seq", BigInteger, Identity(always=True), nullable=False),
    Column("docs", ARRAY(Text), nullable=False),
    minor("amount"),
    text("state", server_default="queued"),
    Column("fence", BigInteger, nullable=False, server_default="0"),
    Column("sent_seq", BigInteger, nullable=True),
    at("sent_at", null=True),
    Column("confirmed_seq", BigInteger, nullable=True),  # drawn after the answer that ended it: yes, or canceled
    at("confirmed_at", null=True),
    at("read_back_at", null=True),  # every invoice of it was read after its confirmation
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("looks", Integer, nullable=False, server_default="0"),
    at("look_at", null=True),
    text("erp_id", null=True),
    text("erp_number", null=True),
    text("error_code", null=True),
    text("error_text", null=True),
    text("currency", null=True),  # null for what an older version queued while this one came
    at("queued_at"),
    Column("dated_on", Date, nullable=True),  # decided by a person; else the day on which it was queued
    at("ignored_at", null=True),  # a person will enter it there by hand: it is never sent again, and holds up nothing
    Column("about_erp_id", Text, nullable=True),  # which document it takes back, where two bear our reference
    text("trace", null=True),  # the trace of the click that it began with, where there is one
    UniqueConstraint("seq"),
    Index("ix_postings_waiting", "connection_id", "seq", postgresql_where=sql("confirmed_seq IS NULL")),
    Index(
        "ix_postings_unread",
        "connection_id",
        "confirmed_seq",
        postgresql_where=sql("confirmed_seq IS NOT NULL AND read_back_at IS NULL"),
    ),
    Index("ix_postings_payment_id", "payment_id"),
    Index("ix_postings_confirmed", "connection_id", postgresql_where=sql("kind = 'payment' AND state = 'confirmed'")),
    Index("ix_postings_reversals", "payment_id", postgresql_where=sql("kind = 'reversal'")),
    Index("ix_postings_request_id", "request_id", postgresql_where=sql("request_id IS NOT NULL")),
    CheckConstraint("num_nonnulls(payment_id, credit_id) = 1", name="one_source"),
)

allocations = Table(
    "allocations",
    metadata,
    text("id", primary_key=True),
    Column("payment_id", ForeignKey("payments.id"), nullable=True, index=True),
    Column("credit_id", ForeignKey("credits.id"), nullable=True),
    Column("invoice_id", ForeignKey("invoices.id"), nullable=False),
    text("customer_id"),
    minor("amount"),
    Column("posting_id", ForeignKey("postings.id"), nullable=False, index=True),
    at("allocated_at"),
    Index("ix_allocations_invoice_id", "invoice_id", "payment_id"),
    Index("ix_allocations_credit_id", "credit_id", postgresql_where=sql("credit_id IS NOT NULL")),
    CheckConstraint("amount <> 0", name="amount_not_zero"),
    CheckConstraint("num_nonnulls(payment_id, credit_id) = 1", name="one_source"),
)

wanted = Table(
    "wanted",
    metadata,
    Column("payment_id", ForeignKey("payments.id"), primary_key=True),
    Column("invoice_id", ForeignKey("invoices.id"), primary_key=True),
    text("customer_id"),
    minor("amount"),
    Column("seq", BigInteger, Identity(always=True), nullable=False),
    Index("ix_wanted_invoice_id", "invoice_id"),
    CheckConstraint("amount > 0", name="amount_positive"),
)
