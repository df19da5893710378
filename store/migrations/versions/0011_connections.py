"""Staff connect payment providers: what each connection was given, and its secrets, sealed.

Why: a provider was what the environment of every process said. Safe with the running version: it reads connections by
columns that stay, and those it does not know have defaults.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0011"
down_revision = "0010"

_HERE = Path(__file__).parent


def upgrade() -> None:
    op.execute((_HERE / "0011_connections.sql").read_text())


def downgrade() -> None:
    op.execute(
        """
        REVOKE INSERT, UPDATE ON connections FROM duly_staff;
        DROP TABLE connection_secrets;
        ALTER TABLE connections
            DROP COLUMN title, DROP COLUMN is_managed, DROP COLUMN version, DROP COLUMN given, DROP COLUMN kinds,
            DROP COLUMN currencies, DROP COLUMN preferred, DROP COLUMN once, DROP COLUMN countries,
            DROP COLUMN calls_per_second, DROP COLUMN problems, DROP COLUMN checked_at;
        """
    )
