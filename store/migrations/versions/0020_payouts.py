"""Payouts of providers and their parts.

Why: what arrives at the bank is charges less refunds and fees, and each part of it is to be a payment or a refund of ours.
Safe with the running version: it does not know the tables.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0020"
down_revision = "0019"

_HERE = Path(__file__).parent


def upgrade() -> None:
    op.execute((_HERE / "0020_payouts.sql").read_text())


def downgrade() -> None:
    op.execute("DROP TABLE payout_cursors; DROP TABLE payout_items; DROP TABLE payouts;")
