"""What a verified delivery proves is kept with its event: the few words that a connector needs to make a state of them.

Why: a provider that cannot be searched by our reference is asked together with what its deliveries told. Safe with the
running version: it neither writes nor reads the column, and what it receives meanwhile has no facts, as before.
"""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.execute("ALTER TABLE inbox ADD COLUMN facts JSONB DEFAULT '{}' NOT NULL")


def downgrade() -> None:
    op.execute("ALTER TABLE inbox DROP COLUMN facts")
