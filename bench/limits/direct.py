"""The product's statements through psycopg alone: what is left of a query when nothing stands in between."""

import re
from functools import lru_cache
from typing import Any, Final

import psycopg
from psycopg.rows import namedtuple_row

_NAMED: Final = re.compile(r"(?<!:):([a-z_]+)")


class Direct:
    """Answers like `store.database.Transaction`, for reading."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._connection = connection

    async def rows(self, statement: str, **values: Any) -> list[Any]:
        """Every row."""
        cursor = self._connection.cursor()
        await cursor.execute(_as_psycopg_takes_it(statement), values, prepare=True)
        return await cursor.fetchall()

    async def row(self, statement: str, **values: Any) -> Any:
        """The first row, or None."""
        cursor = self._connection.cursor(row_factory=namedtuple_row)
        await cursor.execute(_as_psycopg_takes_it(statement), values, prepare=True)
        return await cursor.fetchone()


@lru_cache(maxsize=64)
def _as_psycopg_takes_it(statement: str) -> bytes:
    return _NAMED.sub(r"%(\1)s", statement.replace("%", "%%")).encode()
