"""Refunds: what is to go back, how much of it comes off which invoice, and what of a payment is reserved or gone.

Why: staff give money back (workflows/refund_payment.py). Safe with the running version: the columns have defaults, and
nothing that it does names them.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0008"
down_revision = "0007"

_HERE = Path(__file__).parent


def upgrade() -> None:
    op.execute((_HERE / "0008_refunds.sql").read_text())


def downgrade() -> None:
    op.execute(
        """
        DROP TABLE refund_lines;
        DROP TABLE refunds;
        ALTER TABLE payments DROP CONSTRAINT ck_payments_refunds_within_captured;
        ALTER TABLE payments DROP COLUMN refunding, DROP COLUMN refunded;
        """
    )
