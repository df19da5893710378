"""What runs the house: connections, settings, the webhook inbox, outgoing mail, timelines."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, ForeignKey, Identity, Index, Integer, LargeBinary, Table
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB

from store.rows.base import at, facts, metadata, text

connections = Table(
    "connections",
    metadata,
    text("id", primary_key=True),
    text("role"),  # payments | erp
    text("connector"),
    text("mode"),  # sandbox | live
    Column("enabled", Boolean, nullable=False, server_default="true"),
    Column("fence", BigInteger, nullable=False, server_default="0"),
    facts("offers"),  # payments: method kinds and currencies in which it saves methods and charges them
    text("health", server_default="unknown"),
    text("health_note", null=True),
    text("title", null=True),
    Column("is_managed", Boolean, nullable=False, server_default="false"),  # made by staff, not by a worker's settings
    Column("version", BigInteger, nullable=False, server_default="1"),  # raised by what every process must hear of
    facts("given"),  # what it was given that is no secret
    Column("kinds", JSONB, nullable=False, server_default="[]"),
    Column("currencies", JSONB, nullable=False, server_default="[]"),
    Column("preferred", JSONB, nullable=False, server_default="[]"),  # kinds for which it goes before others
    Column("once", JSONB, nullable=True),  # the same, of one payment on a page; null: as `offers`
    facts("countries"),  # where the customer must be: of a kind and a currency; not named: anywhere
    Column("calls_per_second", Integer, nullable=True),
    Column("problems", JSONB, nullable=False, server_default="[]"),  # what the last check found
    at("checked_at", null=True),
    at("changed_at"),
    CheckConstraint("calls_per_second > 0", name="calls_per_second"),
)

connection_secrets = Table(
    "connection_secrets",
    metadata,
    text("id", primary_key=True),
    Column("connection_id", ForeignKey("connections.id"), nullable=False),
    text("name"),
    text("sealed"),  # under a key of its own, and that under the master key; '' once ended
    text("hint"),  # its last characters
    text("added_by"),
    at("added_at"),
    at("ended_at", null=True),
    Index("ix_connection_secrets_connection_id", "connection_id", "name", postgresql_where=sql("ended_at IS NULL")),
)

settings = Table(
    "settings",
    metadata,
    text("name", primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("value", JSONB, nullable=False),
    text("changed_by"),
    at("changed_at"),
)

inbox = Table(
    "inbox",
    metadata,
    text("id", primary_key=True),
    text("connection_id"),
    text("dedupe_key"),
    text("event_id"),
    text("kind"),
    text("subject"),
    text("our_ref", null=True),
    text("provider_id", null=True),
    text("claims", null=True),  # what it says happened, in our word
    text("state"),  # received | delivered (a process was woken) | handled | stale | duplicate | refused | parked
    text("reason", null=True),
    Column("deliveries", Integer, nullable=False, server_default="1"),
    Column("body", LargeBinary, nullable=True),
    facts(),  # what a connector needs to make a state of events later; nothing personal
    at("occurred_at", null=True),
    at("received_at"),
    at("handled_at", null=True),
    Index("uq_inbox_dedupe", "connection_id", "dedupe_key", unique=True),
    Index("ix_inbox_waiting", "received_at", postgresql_where=sql("state = 'received'")),
    Index("ix_inbox_delivered", "received_at", postgresql_where=sql("state = 'delivered'")),
    Index("ix_inbox_our_ref", "our_ref"),
    Index("ix_inbox_provider_id", "provider_id"),
    Index("ix_inbox_parked", "received_at", postgresql_where=sql("state = 'parked'")),
)

connection_tokens = Table(
    "connection_tokens",
    metadata,
    Column("connection_id", ForeignKey("connections.id"), primary_key=True),
    text("sealed"),  # the pair of tokens that a person's consent led to
    Column("number", BigInteger, nullable=False, server_default="1"),  # tells one pair from the next
    facts("choices"),  # what the vendor left to choose, by setting
    text("consented_by"),
    at("consented_at"),
    at("renewed_at", null=True),
    at("lost_at", null=True),  # the vendor said that the consent is gone
)

consents_asked = Table(
    "consents_asked",
    metadata,
    text("state_hash", primary_key=True),
    Column("connection_id", ForeignKey("connections.id"), nullable=False),
    text("session_hash"),
    text("asked_by"),
    at("asked_at"),
    at("expires_at"),
    at("used_at", null=True),
)

connection_cursors = Table(
    "connection_cursors",
    metadata,
    Column("connection_id", ForeignKey("connections.id"), primary_key=True),
    text("cursor", null=True),  # the provider's own name for the last event of its list that was read
    at("read_at"),
)

inbox_owners = Table(
    "inbox_owners",
    metadata,
    text("item", primary_key=True),  # what waits for a person: the id of a payment, a posting, an event, a difference
    Column("staff_id", ForeignKey("staff.id"), nullable=False),
    at("taken_at"),
)

outbox = Table(
    "outbox",
    metadata,
    text("id", primary_key=True),
    text("dedupe_key", unique=True),  # '{process}/{template}/{address}': one mail each, however often the fact is told
    text("template"),
    text("to_address"),
    text("customer_id", null=True),
    text("process_id", null=True),
    facts(),
    text("state", server_default="queued"),  # queued | sent | refused
    Column("attempts", Integer, nullable=False, server_default="0"),
    text("error_text", null=True),
    Column("seq", BigInteger, Identity(always=True), nullable=False),
    at("queued_at"),
    at("sent_at", null=True),
    Index("ix_outbox_waiting", "seq", postgresql_where=sql("state = 'queued'")),
    Index("ix_outbox_process_id", "process_id"),
)

timeline = Table(
    "timeline",
    metadata,
    text("id", primary_key=True),  # '{process}/{what}': telling it twice inserts nothing
    Column("seq", BigInteger, Identity(always=True), nullable=False),
    text("process_id"),
    text("customer_id"),
    text("kind"),
    facts(),
    at("at"),
    Index("ix_timeline_process_id", "process_id", "seq"),
)

erp_documents = Table(
    "erp_documents",
    metadata,
    text("document_id", primary_key=True),
    text("customer_id", index=True),
    Column("version", BigInteger, nullable=False),  # the document's `read_seq` that it was asked for at
    text("state"),  # kept | none: the ERP has none, or none that is kept here
    Column("content", LargeBinary, nullable=True),
    Column("size", Integer, nullable=False, server_default="0"),
    text("digest", null=True),  # SHA-256
    at("kept_at"),
    CheckConstraint("(state = 'kept') = (content IS NOT NULL)", name="kept"),
    CheckConstraint("size = coalesce(length(content), 0) AND size <= 5242880", name="size"),
)
