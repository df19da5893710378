"""The house: customers, invoices, payments, holds, allocations, postings, journal, methods, access, inbox, outbox.

Why: the first schema. Tables are in 0001_tables.sql, the rules that no row may break in 0001_rules.sql.
Safe with the running version: there is none.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None

_HERE = Path(__file__).parent


def _run(script: str) -> None:
    """Many statements at once, past SQLAlchemy's reading of % signs."""
    cursor = op.get_bind().connection.cursor()
    cursor.execute(script)
    cursor.close()


def upgrade() -> None:
    for name in ("0001_tables.sql", "0001_rules.sql"):
        _run((_HERE / name).read_text())


def downgrade() -> None:
    _run(
        """
        DO $$ DECLARE t text; BEGIN
            DROP VIEW invoice_states; DROP VIEW balances;
            FOR t IN SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
                     AND relname <> 'alembic_version' LOOP
                EXECUTE format('DROP TABLE %I CASCADE', t);
            END LOOP;
            DROP FUNCTION journal_entry_balances(); DROP FUNCTION refuse_change(); DROP SEQUENCE erp_seq;
        END $$
        """
    )
