"""An index of the events that woke a process and of which nothing was heard since.

Why: the sweep looks for them (activities/events.py). Safe with the running version, which does not.
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("CREATE INDEX ix_inbox_delivered ON inbox (received_at) WHERE state = 'delivered'")


def downgrade() -> None:
    op.execute("DROP INDEX ix_inbox_delivered")
