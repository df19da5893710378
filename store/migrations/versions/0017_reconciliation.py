"""Reconciliation: differences of documents, with an end that says how; runs that say what they looked at.

Why: provider, Duly and ERP are compared every night and at a press of a button, and a person closes what needs a person.
Safe with the running version: it writes differences without the new columns, and each has a customer.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0017"
down_revision = "0016"

_HERE = Path(__file__).parent


def upgrade() -> None:
    op.execute((_HERE / "0017_reconciliation.sql").read_text())


def downgrade() -> None:
    op.execute(
        """DROP TABLE reconciliations; DROP INDEX ix_postings_reversals; ALTER TABLE postings DROP COLUMN currency;
           DROP INDEX uq_differences_item; DROP INDEX ix_differences_item;
           ALTER TABLE differences DROP CONSTRAINT ck_differences_accepted_for_a_reason,
               DROP CONSTRAINT ck_differences_closed_how, DROP COLUMN item, DROP COLUMN connection_id,
               DROP COLUMN last_seen_at, DROP COLUMN tell_at, DROP COLUMN closed_how, DROP COLUMN closed_by,
               DROP COLUMN close_reason;"""
    )
