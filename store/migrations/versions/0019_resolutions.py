"""What a person decided about a refused posting: another date, or never.

Why: a closed period and a payment that somebody enters by hand need more than sending it again. Safe with the running
version: it does not know the columns, and both are null.
"""

from __future__ import annotations

from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.execute("ALTER TABLE postings ADD COLUMN dated_on DATE, ADD COLUMN ignored_at TIMESTAMP WITH TIME ZONE")


def downgrade() -> None:
    op.execute("ALTER TABLE postings DROP COLUMN dated_on, DROP COLUMN ignored_at")
