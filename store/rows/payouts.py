"""What providers paid out, the parts of each, and how far their lists were read."""

from __future__ import annotations

from sqlalchemy import Boolean, CheckConstraint, Column, Date, ForeignKey, ForeignKeyConstraint, Index, Table
from sqlalchemy import text as sql

from store.rows.base import at, metadata, minor, text

payouts = Table(
    "payouts",
    metadata,
    text("connection_id", primary_key=True),
    text("provider_id", primary_key=True),
    minor("amount"),  # negative where the provider collects
    text("currency"),
    text("state"),  # domain.payouts.PayoutState
    at("made_at"),
    Column("arrives_on", Date, nullable=True),
    Column("is_itemised", Boolean, nullable=False),
    at("first_read_at"),
    at("read_at"),
    text("deposit_erp", null=True),  # the ERP's connection that shows its deposit
    text("deposit_document", null=True),
    minor("deposit_amount", null=True),
    text("deposit_currency", null=True),
    CheckConstraint("state IN ('pending', 'paid', 'failed')", name="state"),
    CheckConstraint("(deposit_erp IS NULL) = (deposit_amount IS NULL)", name="deposit_whole"),
    Index("ix_payouts_made_at", sql("made_at DESC"), "provider_id"),
)

payout_items = Table(
    "payout_items",
    metadata,
    text("connection_id", primary_key=True),
    text("provider_id", primary_key=True),
    text("payout_id"),
    text("kind"),  # domain.payouts.PayoutPart
    text("source_id", null=True),
    text("our_ref", null=True),
    minor("gross"),
    minor("fee"),
    minor("net"),
    text("currency"),
    minor("taken"),  # in the customer's currency, where that is another one
    text("taken_currency"),
    Column("payment_id", ForeignKey("payments.id"), nullable=True),
    Column("refund_id", ForeignKey("refunds.id"), nullable=True),
    ForeignKeyConstraint(
        ["connection_id", "payout_id"], ["payouts.connection_id", "payouts.provider_id"], name="fk_payout_items_payout"
    ),
    CheckConstraint("net = gross - fee", name="net"),
    CheckConstraint("kind IN ('charge', 'refund', 'fee', 'dispute', 'adjustment')", name="kind"),
    Index("ix_payout_items_payout", "connection_id", "payout_id"),
    Index("ix_payout_items_payment", "payment_id", postgresql_where=sql("payment_id IS NOT NULL")),
    Index("ix_payout_items_refund", "refund_id", postgresql_where=sql("refund_id IS NOT NULL")),
)

payout_cursors = Table(
    "payout_cursors",
    metadata,
    text("connection_id", primary_key=True),
    text("cursor", null=True),
    at("since"),  # payments that succeeded before are not looked for in payouts
    at("read_at"),
    at("judged_at", null=True),
)
