"""Makes a database ready: roles, the schema's owner, migrations. Run by an administrator, again and again, safely."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

ROLES: Final = ("duly_owner", "duly_portal", "duly_worker", "duly_staff")
_MIGRATIONS: Final = Path(__file__).parent / "migrations"


def migrations(admin_url: str) -> Config:
    """Alembic's configuration; there is no alembic.ini."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("sqlalchemy.url", admin_url.replace("%", "%%"))
    return config


def prepare_now(admin_url: str, passwords: Mapping[str, str] | None = None) -> None:
    """Create the roles that are missing (none a superuser, none bypassing row security) and migrate to the newest.

    `passwords` gives a role its login; without one a role keeps what it has. `admin_url` names the database.
    """
    engine = create_engine(admin_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for role in ROLES:
            # Two databases of one server may be prepared at once: an existing role is success.
            connection.execute(
                text(
                    f"DO $$ BEGIN CREATE ROLE {role} NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOINHERIT; "
                    "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
                )
            )
            password = (passwords or {}).get(role)
            if password is not None:
                quoted = password.replace("'", "''")
                connection.exec_driver_sql(f"ALTER ROLE {role} LOGIN PASSWORD '{quoted}'".replace("%", "%%"))
        database = connection.execute(text("SELECT current_database()")).scalar_one()
        connection.exec_driver_sql(f'GRANT CREATE, CONNECT ON DATABASE "{database}" TO duly_owner')
        connection.exec_driver_sql("GRANT USAGE, CREATE ON SCHEMA public TO duly_owner")
        connection.exec_driver_sql("GRANT USAGE ON SCHEMA public TO duly_portal, duly_worker, duly_staff")
    engine.dispose()
    command.upgrade(migrations(admin_url), "head")


async def prepare(admin_url: str, passwords: Mapping[str, str] | None = None) -> None:
    """`prepare_now` from asynchronous code; it blocks for a second or two and is run in a thread."""
    await asyncio.to_thread(prepare_now, admin_url, passwords)
