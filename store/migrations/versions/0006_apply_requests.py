"""Credits of the ERP, and requests to apply them.

Why: a customer asks that a credit note or a prepayment settles invoices, and staff decide. Safe with the running version:
what it knows keeps its shape; a column that may now be empty is filled by everything that it writes.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0006"
down_revision = "0005"

_HERE = Path(__file__).parent


def upgrade() -> None:
    op.execute((_HERE / "0006_apply_requests.sql").read_text())


def downgrade() -> None:
    op.execute((_HERE / "0006_down.sql").read_text())
