"""What statements of account and documents need: the day an invoice ended, the journal for its customer, the ERP's PDFs.

Why: a statement is rebuilt from the journal and from what the ERP dated; an ERP does not date everything. Safe with the
running version: it neither knows the table nor writes the column, whose place a trigger fills.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0015"
down_revision = "0014"

_HERE = Path(__file__).parent


def upgrade() -> None:
    op.execute((_HERE / "0015_statements.sql").read_text())


def downgrade() -> None:
    op.execute((_HERE / "0015_down.sql").read_text())
