"""API keys, the requests that are answered once, and the order in which the API lists everything.

Why: programs of others come in (api/v1/). Safe with the running version: it knows neither table.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"

_HERE = Path(__file__).parent


def _run(script: str) -> None:
    """Many statements at once, past SQLAlchemy's reading of % signs."""
    cursor = op.get_bind().connection.cursor()
    cursor.execute(script)
    cursor.close()


def upgrade() -> None:
    _run((_HERE / "0002_api_keys.sql").read_text())


def downgrade() -> None:
    _run(
        """
        DROP INDEX ix_payments_opened;
        DROP INDEX ix_invoices_issued;
        DROP TABLE idempotent_requests;
        DROP TABLE api_keys;
        """
    )
