"""Who may come in: staff, portal links, sessions, attempts to sign in; and what they did."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Identity, Index, Integer, Table
from sqlalchemy import text as sql

from store.rows.base import at, facts, metadata, text

staff = Table(
    "staff",
    metadata,
    text("id", primary_key=True),
    text("email", unique=True),
    text("name"),
    text("role"),  # viewer | agent | approver | admin
    text("password_hash"),
    Column("active", Boolean, nullable=False, server_default="true"),
    at("added_at"),
)

portal_links = Table(
    "portal_links",
    metadata,
    text("id", primary_key=True),
    Column("customer_id", ForeignKey("customers.id"), nullable=False, index=True),
    text("contact_id", null=True),
    text("invoice_id", null=True),  # a link to one invoice opens there; the rest of the account is one click away
    text("token_hash", unique=True),
    text("created_by"),
    at("created_at"),
    at("expires_at"),
    at("revoked_at", null=True),
    at("last_used_at", null=True),
)

sessions = Table(
    "sessions",
    metadata,
    text("token_hash", primary_key=True),
    text("kind"),  # portal | staff
    Column("customer_id", ForeignKey("customers.id"), nullable=True),
    Column("link_id", ForeignKey("portal_links.id"), nullable=True, index=True),
    Column("staff_id", ForeignKey("staff.id"), nullable=True, index=True),
    text("csrf"),
    text("person"),
    at("started_at"),
    at("seen_at"),
    at("expires_at"),
    at("ended_at", null=True),
    Column("viewer_id", ForeignKey("staff.id"), nullable=True),  # a member of staff who views as the customer
    text("address", null=True),
    text("agent", null=True),
    Index("ix_sessions_viewer_id", "viewer_id", postgresql_where=sql("viewer_id IS NOT NULL")),
)

second_factors = Table(
    "second_factors",
    metadata,
    Column("staff_id", ForeignKey("staff.id"), primary_key=True),
    text("sealed"),  # encrypted by api/security/sealing.py
    Column("last_step", BigInteger, nullable=False, server_default="0"),  # each code is accepted once
    at("begun_at"),
    at("confirmed_at", null=True),
)

recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("staff_id", ForeignKey("staff.id"), primary_key=True),
    text("code_hash", primary_key=True),
    at("used_at", null=True),
)

password_links = Table(
    "password_links",
    metadata,
    text("token_hash", primary_key=True),
    Column("staff_id", ForeignKey("staff.id"), nullable=False, index=True),
    text("purpose"),  # reset | invitation
    at("made_at"),
    at("expires_at"),
    at("used_at", null=True),
)

rate_counters = Table(
    "rate_counters",
    metadata,
    text("bucket", primary_key=True),
    at("window_at"),
    Column("hits", Integer, nullable=False),
)

access_log = Table(
    "access_log",
    metadata,
    Column("seq", BigInteger, Identity(always=True), primary_key=True),
    at("at"),
    text("actor"),
    text("action"),
    text("customer_id", null=True),
    text("object_id", null=True),
    text("address", null=True),
    text("agent", null=True),
    facts(),
    Index("ix_access_log_customer_id", "customer_id", "seq"),
    Index("ix_access_log_object_id", "object_id", "seq"),
    Index("ix_access_log_actor", "actor", "seq"),
    Index("ix_access_log_action", "action", "seq"),
)
