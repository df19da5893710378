"""Saved payment methods, their set-ups, and what each provider calls our customers."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, Table, UniqueConstraint
from sqlalchemy import text as sql

from store.rows.base import at, facts, metadata, text

payers = Table(
    "payers",
    metadata,
    Column("customer_id", ForeignKey("customers.id"), primary_key=True),
    text("connection_id", primary_key=True),
    text("provider_ref"),
)

payment_methods = Table(
    "payment_methods",
    metadata,
    text("id", primary_key=True),
    Column("customer_id", ForeignKey("customers.id"), nullable=False),
    text("connection_id"),
    text("token"),
    text("kind"),
    text("brand"),
    text("last4"),
    Column("exp_month", Integer, nullable=True),
    Column("exp_year", Integer, nullable=True),
    text("state"),  # verifying | active | detaching | detached | inactive
    Column("is_default", Boolean, nullable=False, server_default="false"),
    text("state_before", null=True),  # what a method that is being removed returns to when the provider keeps it
    text("detach_error", null=True),
    text("added_by"),
    at("added_at"),
    at("changed_at"),
    UniqueConstraint("connection_id", "token"),
    Index("ix_payment_methods_customer_id", "customer_id"),
    Index("uq_payment_methods_default", "customer_id", unique=True, postgresql_where=sql("is_default")),
)

method_setups = Table(
    "method_setups",
    metadata,
    text("id", primary_key=True),
    Column("customer_id", ForeignKey("customers.id"), nullable=False, index=True),
    text("connection_id"),
    text("kind"),
    text("currency"),
    text("state"),
    text("run_id"),
    text("request_hash"),
    text("refused_rule", null=True),
    facts("refused_facts"),
    text("consent_wording"),
    at("consent_at", null=True),
    text("started_by"),
    text("channel"),
    text("return_path"),
    text("session_id", null=True),
    text("page_url", null=True),
    text("method_id", null=True),
    text("failure_code", null=True),
    at("opened_at"),
    at("changed_at"),
    at("deadline_at", null=True),
    at("last_checked_at", null=True),
    at("next_check_at", null=True),
    Index(
        "ix_method_setups_in_flight",
        "state",
        postgresql_where=sql("state IN ('started','redirected','verifying')"),
    ),
)
