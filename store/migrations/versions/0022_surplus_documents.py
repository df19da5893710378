"""A posting that takes one of two documents back names it by the ERP's own id: both bear our reference.

Safe with the running version: it does not know the column, and writes no posting that needs it.
"""

from __future__ import annotations

from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.execute("ALTER TABLE postings ADD COLUMN about_erp_id TEXT")


def downgrade() -> None:
    op.execute("ALTER TABLE postings DROP COLUMN about_erp_id")
