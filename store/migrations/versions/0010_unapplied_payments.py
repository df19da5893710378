"""Money of our payments that lies on no invoice can be asked for, as the ERP's own credits can.

Why: a customer whose payment came late has money here that settles nothing. Safe with the running version: it reads credits
by their own rows, and the column is null for all of those.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0010"
down_revision = "0009"

_HERE = Path(__file__).parent


def upgrade() -> None:
    op.execute((_HERE / "0010_unapplied_payments.sql").read_text())


def downgrade() -> None:
    op.execute((_HERE / "0010_down.sql").read_text())
