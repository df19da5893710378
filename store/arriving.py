"""Rows on their way into a table: as JSON in the statement itself where they are few, by COPY into a temporary table where
they are many. What takes them in is the same statement.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from store.database import Transaction

MANY: Final = 64
"""From so many rows on a COPY costs less than JSON that is read again by every statement."""

_Column = str | int | bool | list[Any] | dict[str, Any] | None


class Arrived(NamedTuple):
    """Where a statement finds the rows: after FROM, under the name t, and the values that this needs."""

    source: str
    values: Mapping[str, str]


async def arrive(tx: Transaction, name: str, columns: Mapping[str, str], rows: Sequence[Mapping[str, _Column]]) -> Arrived:
    """Make rows readable for the statements of this transaction. Each has all `columns`, whose types are told by name."""
    typed = ", ".join(f"{column} {kind}" for column, kind in columns.items())
    if len(rows) < MANY:
        return Arrived(f"jsonb_to_recordset(cast(:rows AS jsonb)) AS t({typed})", {"rows": json.dumps(rows)})
    # Emptied by each commit, so what is there is this transaction's.
    await tx.run(f"CREATE TEMPORARY TABLE IF NOT EXISTS told_{name} ({typed}) ON COMMIT DELETE ROWS")
    await tx.run(f"TRUNCATE told_{name}")
    await tx.copy(f"COPY told_{name} ({', '.join(columns)}) FROM STDIN", lines_of(rows, tuple(columns)))
    return Arrived(f"told_{name} AS t", {})


def lines_of(rows: Iterable[Mapping[str, _Column]], columns: Sequence[str]) -> str:
    """Rows in the text format of COPY."""
    return "".join("\t".join([_field(row[name]) for name in columns]) + "\n" for row in rows)


def _field(value: _Column) -> str:
    kind = type(value)
    if isinstance(value, str):
        if "\\" in value:
            value = value.replace("\\", "\\\\")
        if value.isprintable():
            return value
        return value.replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    if value is None:
        return r"\N"
    if kind is bool:
        return "t" if value else "f"
    if kind is int:
        return str(value)
    # JSON has no tab and no line end of its own.
    return json.dumps(value).replace("\\", "\\\\") if value else ("[]" if kind is list else "{}")
