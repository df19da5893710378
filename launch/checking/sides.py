"""Both sides of a comparison, as a command reaches them: the books, and everybody beyond who can be asked."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import settings as configuration
from connectors.erp.ports import LedgerErp
from launch.checking.everything import FarSides
from store.database import Database

STATEMENT_TIMEOUT_MS: Final = 300_000


@asynccontextmanager
async def books(current: configuration.Settings) -> AsyncIterator[Database]:
    """The database as staff read it, with time for a statement over everything."""
    if current.staff_database_url is None:
        raise LookupError("DULY_STAFF_DATABASE_URL is not set, and no machine was ever started in this folder")
    database = Database(
        current.staff_database_url.get_secret_value(), pool_size=1, statement_timeout_ms=STATEMENT_TIMEOUT_MS
    )
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def far_sides(current: configuration.Settings, database: Database) -> AsyncIterator[FarSides]:
    """Everybody whom the settings name; who is not named or does not answer is a problem, no exception."""
    import wiring

    problems: dict[str, str] = {}
    async with AsyncExitStack() as stack:
        erps: Mapping[str, LedgerErp] = {}
        try:
            erps = wiring.erps(current)
        except ValueError as error:
            problems |= dict.fromkeys(("documented_once", "balances_agree"), str(error))
        connected = wiring.connections_of(current, database, erps=erps)
        for each in (*connected.by_connection.values(), *connected.erps.values()):
            wiring.close_with(stack, each)
        stack.push_async_callback(connected.aclose)
        await connected.refresh()
        client = None
        try:
            client = await wiring.temporal_client(current)
        except (RuntimeError, ValueError) as error:
            problems["processes_running"] = f"Temporal at {current.temporal_address}: {error}"
        yield FarSides(providers=connected.by_connection, erps=connected.erps, client=client, problems=problems)
