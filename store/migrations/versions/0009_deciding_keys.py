"""A worker may ask whether a key has a scope at this moment: an approval by a program counts by the key's own scope.

Why: a decision is checked where it is written, in the worker, which reads no keys and still reads none: the function answers
yes or no. Safe with the running version: nothing that it does names the function.
"""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.execute(
        """
        CREATE FUNCTION key_has_scope(key_id text, wanted text) RETURNS boolean
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
            SELECT EXISTS (SELECT 1 FROM public.api_keys k
                           WHERE k.id = key_id AND k.revoked_at IS NULL AND wanted = ANY (k.scopes))
        $$;
        REVOKE ALL ON FUNCTION key_has_scope(text, text) FROM PUBLIC;
        GRANT EXECUTE ON FUNCTION key_has_scope(text, text) TO duly_worker;
        """
    )


def downgrade() -> None:
    op.execute("DROP FUNCTION key_has_scope(text, text)")
