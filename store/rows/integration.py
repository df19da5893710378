"""What programs of others come in with: their API keys, and the requests that are answered once however often they come."""

from __future__ import annotations

from sqlalchemy import Column, Date, ForeignKey, Integer, Table
from sqlalchemy.dialects.postgresql import ARRAY, TEXT

from store.rows.base import at, metadata, text

api_keys = Table(
    "api_keys",
    metadata,
    text("id", primary_key=True),
    text("label"),
    text("prefix", unique=True),  # the part of the key that is shown in lists
    text("secret_hash"),
    Column("scopes", ARRAY(TEXT), nullable=False),
    text("created_by"),
    at("created_at"),
    Column("last_used_on", Date, nullable=True),
    at("revoked_at", null=True),
)

idempotent_requests = Table(
    "idempotent_requests",
    metadata,
    Column("api_key_id", ForeignKey("api_keys.id"), primary_key=True),
    text("key_hash", primary_key=True),
    text("operation"),
    text("request_hash"),
    text("object_id", unique=True),  # the payment, set-up, change or link that this request makes, and no other one does
    Column("status", Integer, nullable=True),
    text("answer", null=True),
    at("asked_at"),
    at("answered_at", null=True),
)
