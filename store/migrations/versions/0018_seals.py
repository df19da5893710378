"""Seals of the journal, each chained to the one before: a change of what was sealed shows.

Why: whoever gets an export can recompute the seal of the day. Safe with the running version: it books as before, and shares
a lock that only a seal takes alone.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0018"
down_revision = "0017"

_HERE = Path(__file__).parent


def upgrade() -> None:
    op.execute((_HERE / "0018_seals.sql").read_text())


def downgrade() -> None:
    op.execute("DROP TRIGGER within_a_seal ON journal_entries; DROP FUNCTION share_the_boundary(); DROP TABLE seals;")
