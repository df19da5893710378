"""Second factors, recovery codes, links that set a password, and sessions that know where they come from and who views.

Why: staff accounts (api/staff/account.py, api/staff/people.py) and 'view as customer' (api/access/viewing.py). Safe with
the running version: it neither knows the tables nor names the columns, which may be empty.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0007"
down_revision = "0006"

_HERE = Path(__file__).parent


def upgrade() -> None:
    op.execute((_HERE / "0007_accounts.sql").read_text())


def downgrade() -> None:
    op.execute(
        """
        DELETE FROM sessions WHERE viewer_id IS NOT NULL OR kind = 'staff_code';
        DROP INDEX ix_access_log_action;
        DROP INDEX ix_access_log_actor;
        DROP INDEX ix_sessions_viewer_id;
        ALTER TABLE sessions DROP COLUMN viewer_id, DROP COLUMN address, DROP COLUMN agent;
        DROP TABLE password_links;
        DROP TABLE recovery_codes;
        DROP TABLE second_factors;
        """
    )
