"""Is row-level security without a hole? Asked by the API at start, as the portal's role: it refuses to start unless safe.

Each query below names one way in which rows would reach a customer that are not theirs (core.md §6): silently, for
PostgreSQL has no opinion about them.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import text

from store.database import Database

_HOLES: Final = """
SELECT 'role bypasses row-level security: ' || rolname FROM pg_roles
    WHERE rolname = current_user AND (rolsuper OR rolbypassrls)
UNION ALL
SELECT 'role is a shared login: ' || session_user || ' became ' || current_user WHERE session_user <> current_user
UNION ALL
SELECT 'can become another role: ' || rolname FROM pg_roles r
    WHERE pg_has_role(current_user, r.oid, 'MEMBER') AND rolname <> current_user
UNION ALL
SELECT 'owns: ' || relname FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relowner = (SELECT oid FROM pg_roles WHERE rolname = current_user)
UNION ALL
SELECT 'not forced: ' || relname FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT (relrowsecurity AND relforcerowsecurity)
      AND has_any_column_privilege(oid, 'SELECT')
UNION ALL
SELECT 'policy lets everything through: ' || tablename || '.' || policyname FROM pg_policies
    WHERE schemaname = 'public' AND (roles && ARRAY[current_user, 'public']::name[])
      AND coalesce(qual, 'true') !~ 'duly\\.customers'
UNION ALL
SELECT 'view as its owner: ' || relname FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'v' AND has_any_column_privilege(oid, 'SELECT')
      AND NOT coalesce(reloptions && ARRAY['security_invoker=true', 'security_invoker=on', 'security_invoker=1'], false)
UNION ALL
SELECT 'materialised view: ' || relname FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'm' AND has_any_column_privilege(oid, 'SELECT')
UNION ALL
SELECT 'function runs as its owner: ' || proname FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace AND prosecdef AND has_function_privilege(oid, 'EXECUTE')
UNION ALL
SELECT 'may write: ' || relname FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v')
      AND (has_table_privilege(oid, 'INSERT, UPDATE, DELETE, TRUNCATE') OR has_any_column_privilege(oid, 'INSERT, UPDATE'))
ORDER BY 1
"""


async def holes(portal: Database) -> list[str]:
    """Every hole that the role of this pool has, in words that name what to mend; empty when customers are apart."""
    async with portal.engine.connect() as connection:
        return [str(row[0]) for row in await connection.execute(text(_HOLES))]


class Unsafe(Exception):
    """The API does not start: customers could see one another. The message lists the holes."""


async def assert_safe(portal: Database) -> None:
    """Raises Unsafe unless `holes` is empty. Called once, before the first request is answered."""
    found = await holes(portal)
    if found:
        raise Unsafe("customers could see one another: " + "; ".join(found))
