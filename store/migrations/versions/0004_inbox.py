"""What waits for a person: who has taken it up, and indexes that find it.

Why: the staff inbox (api/staff/inbox.py). Safe with the running version: it does not know the table.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0004"
down_revision = "0003"

_HERE = Path(__file__).parent


def upgrade() -> None:
    op.execute((_HERE / "0004_inbox.sql").read_text())


def downgrade() -> None:
    op.execute(
        """
        DROP INDEX ix_inbox_parked;
        DROP INDEX ix_postings_refused;
        DROP TABLE inbox_owners;
        """
    )
