"""How far each connection's list of events has been read."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from store.database import Transaction


class Cursor(NamedTuple):
    """The provider's own name for the last event that was read (None: its list was empty), and when it was asked."""

    cursor: str | None
    read_at: datetime


async def load(tx: Transaction, connection_id: str) -> Cursor | None:
    """Where the last look ended; None for a connection that was never asked."""
    row = await tx.row("SELECT cursor, read_at FROM connection_cursors WHERE connection_id = :id", id=connection_id)
    return None if row is None else Cursor(row.cursor, row.read_at)


async def keep(tx: Transaction, connection_id: str, cursor: str | None, *, read_at: datetime) -> None:
    """Where this look ended. One that was slower than another never takes the later one's time back."""
    await tx.run(
        """INSERT INTO connection_cursors AS c (connection_id, cursor, read_at) VALUES (:id, :cursor, :at)
           ON CONFLICT (connection_id) DO UPDATE SET cursor = excluded.cursor, read_at = excluded.read_at
           WHERE c.read_at <= excluded.read_at""",
        id=connection_id,
        cursor=cursor,
        at=read_at,
    )
