"""A person's consent at a vendor, where a connection needs one: its tokens, sealed, and who was sent there to give it.

Why: some vendors give no key that can be typed in. Safe with the running version: it does not know the tables.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0016"
down_revision = "0015"

_HERE = Path(__file__).parent


def upgrade() -> None:
    op.execute((_HERE / "0016_consents.sql").read_text())


def downgrade() -> None:
    op.execute("DROP TABLE consents_asked; DROP TABLE connection_tokens;")
