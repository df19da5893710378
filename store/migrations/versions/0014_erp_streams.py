"""What else an ERP is read for (payment documents, quotes, templates), and how each of its streams is getting on.

Why: reconciliation compares postings with the ERP's own payment documents, customers see their quotes and what recurs, and
staff see when each stream was last read, what went wrong and when it is tried again. Safe with the running version: it knows
none of the tables, writes cursors without the new columns, and never makes a row that they forbid.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0014"
down_revision = "0013"

_HERE = Path(__file__).parent


def upgrade() -> None:
    op.execute((_HERE / "0014_erp_streams.sql").read_text())


def downgrade() -> None:
    op.execute(
        """DROP TABLE erp_payments, erp_quotes, erp_recurring;
           DELETE FROM sync_cursors WHERE read_at IS NULL OR entity IN ('payments', 'quotes', 'recurring');
           ALTER TABLE sync_cursors ALTER COLUMN read_at SET NOT NULL, ALTER COLUMN rows_read TYPE INTEGER,
               DROP COLUMN last_run_at, DROP COLUMN last_ok_at, DROP COLUMN ok_seq, DROP COLUMN loaded_at,
               DROP COLUMN failed_at, DROP COLUMN failures, DROP COLUMN next_try_at, DROP COLUMN expected;
           DELETE FROM differences WHERE customer_id IS NULL;
           ALTER TABLE differences ALTER COLUMN customer_id SET NOT NULL"""
    )
