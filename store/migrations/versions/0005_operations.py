"""Open differences by an index, and the trace that a posting belongs to.

Why: metrics are read at every scrape, and one trace goes from the click to the ERP. Safe with the running version: the
column may be empty, and nothing that it does names it.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0005"
down_revision = "0004"

_HERE = Path(__file__).parent


def upgrade() -> None:
    op.execute((_HERE / "0005_operations.sql").read_text())


def downgrade() -> None:
    op.execute("ALTER TABLE postings DROP COLUMN trace")
    op.execute("DROP INDEX ix_differences_open")
