"""Runs migrations as the owner of the schema, with a lock timeout so that none stands in the way of payments."""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine, text

from store.rows import metadata

url = context.config.get_main_option("sqlalchemy.url")
if url is None:
    raise RuntimeError("migrations run through store.provision, which names the database")
with create_engine(url).connect() as connection:
    connection.execute(text("SET lock_timeout = '4s'"))
    connection.execute(text("SET ROLE duly_owner"))
    connection.commit()
    context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
