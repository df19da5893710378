"""What commands share that read and write as staff do: the database, and how they say no."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NoReturn

import typer
from rich.console import Console

import settings as configuration
from store.database import Database


@asynccontextmanager
async def staff_database() -> AsyncIterator[Database]:
    """The database as the staff's role. Raises LookupError where nothing says which it is."""
    address = configuration.Settings().staff_database_url
    if address is None:
        raise LookupError("DULY_STAFF_DATABASE_URL is not set, and no machine was ever started in this folder")
    database = Database(address.get_secret_value(), pool_size=1)
    try:
        yield database
    finally:
        await database.close()


def fail(sentence: str) -> NoReturn:
    """Say why not, and end with status 1."""
    Console(stderr=True, highlight=False).print(sentence)
    raise typer.Exit(1)
