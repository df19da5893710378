"""Transactions. The edge opens one, everything inside takes it as `tx`, leaving it commits; nobody else does.

READ COMMITTED is needed and enough: money writes take their process's own row first and documents in id order.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any, Final

from sqlalchemy.engine import Row
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from store import faults

_NAMED: Final = re.compile(r"(?<![:\w\\]):(\w+)(?!:)")


class Transaction:
    """One open transaction. Only `store` calls its methods."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def rows(self, statement: str, **values: Any) -> Sequence[Row[Any]]:
        """Every row of one statement with :named values."""
        return (await self._connection.exec_driver_sql(as_driver_takes_it(statement), values)).fetchall()

    async def row(self, statement: str, **values: Any) -> Row[Any] | None:
        """The first row, or None."""
        return (await self._connection.exec_driver_sql(as_driver_takes_it(statement), values)).first()

    async def run(self, statement: str, **values: Any) -> int:
        """Run a statement; the number of rows it touched."""
        return int((await self._connection.exec_driver_sql(as_driver_takes_it(statement), values)).rowcount)

    async def copy(self, statement: str, lines: str) -> None:
        """COPY … FROM STDIN: lines in PostgreSQL's text format, in this transaction."""
        driver = (await self._connection.get_raw_connection()).driver_connection
        assert driver is not None
        async with driver.cursor() as cursor, cursor.copy(statement) as copy:
            await copy.write(lines)

    async def connection(self) -> AsyncConnection:
        """The connection itself, for tests."""
        return self._connection


@lru_cache(maxsize=1024)
def as_driver_takes_it(statement: str) -> str:
    """A statement with :named values as psycopg wants it: %(name)s, and %% for a percent sign. A :: stays a cast.

    SQLAlchemy's `text` does the same anew at each execution, which is a quarter of what a statement costs here.
    """
    return _NAMED.sub(r"%(\1)s", statement.replace("%", "%%"))


class Database:
    """A pool of one role's connections."""

    def __init__(self, url: str, *, pool_size: int = 8, statement_timeout_ms: int = 8000) -> None:
        """`url` is postgresql+psycopg://…; a statement stops by itself before the activity that sent it does."""
        self._engine: AsyncEngine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_pre_ping=True,
            connect_args={
                "options": f"-c statement_timeout={statement_timeout_ms} -c timezone=UTC -c lock_timeout=5000",
                "connect_timeout": 5,
            },
        )

    @asynccontextmanager
    async def begin(self, point: str) -> AsyncIterator[Transaction]:
        """One transaction, committed on leaving, rolled back on an exception. `point` names it for the fault points."""
        async with self._engine.connect() as connection, connection.begin():
            yield Transaction(connection)
            await faults.reach(f"{point}.before_commit")
        await faults.reach(f"{point}.after_commit")

    @asynccontextmanager
    async def read_as(self, customers: Sequence[str], *, hide_paused: bool) -> AsyncIterator[Transaction]:
        """A portal's transaction: row-level security shows these customers' rows and nothing else.

        The values are bound to the transaction, so the connection goes back to the pool without them.
        """
        if not customers or any("," in each or not each for each in customers):
            raise ValueError("a portal reads for at least one customer")
        async with self._engine.connect() as connection, connection.begin():
            tx = Transaction(connection)
            await tx.row(
                "SELECT set_config('duly.customers', :who, true), set_config('duly.hide_paused', :paused, true)",
                who=",".join(customers),
                paused="on" if hide_paused else "off",
            )
            yield tx

    @property
    def engine(self) -> AsyncEngine:
        """For tests and start-up checks."""
        return self._engine

    async def close(self) -> None:
        """Give every connection back."""
        await self._engine.dispose()


def is_weather(error: BaseException) -> bool:
    """Whether a database error is weather (gone, restarting, lock time-out, deadlock) rather than a bug."""
    if not isinstance(error, DBAPIError):
        return False
    state = getattr(error.orig, "sqlstate", None)
    return (
        isinstance(error, OperationalError) or error.connection_invalidated or state in {"40P01", "55P03", "57P01", "57014"}
    )
