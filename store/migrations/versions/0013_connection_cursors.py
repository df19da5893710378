"""How far each connection's list of events has been read.

Why: a provider is asked for what its webhooks may not have brought (activities/catching_up.py), and staff are shown what
came back. Safe with the running version: it does not know the table.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0013"
down_revision = "0012"

_HERE = Path(__file__).parent


def upgrade() -> None:
    op.execute((_HERE / "0013_connection_cursors.sql").read_text())


def downgrade() -> None:
    op.execute("DROP INDEX ix_payments_came_back; DROP TABLE connection_cursors;")
