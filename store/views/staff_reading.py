"""How the reading of an ERP is getting on, stream by stream. Read as `duly_staff`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from store.database import Transaction
from store.views.staff import shaped

ORDER: Final = ("customers", "invoices", "credits", "payments", "quotes", "recurring")
"""In which order they are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErpLine:
    """An ERP that is read: one that staff connected, or (`is_managed` False) the one that the settings name."""

    id: str
    title: str | None
    connector: str
    enabled: bool
    is_managed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamLine:
    """One stream. `expected` rows of its first load, where the ERP says so; `last_error` until a page is read again."""

    entity: str
    rows_read: int
    expected: int | None
    last_run_at: datetime | None
    last_ok_at: datetime | None
    loaded_at: datetime | None
    last_error: str | None
    failures: int
    next_try_at: datetime | None

    @property
    def percent(self) -> int | None:
        """How much of a first load is there; None where it is over, or nobody knows of how much."""
        if self.loaded_at is not None or not self.expected:
            return None
        return min(100 * self.rows_read // self.expected, 100)


async def erps(tx: Transaction) -> Sequence[ErpLine]:
    """Every ERP, in order of its id."""
    rows = await tx.rows("SELECT id, title, connector, enabled, is_managed FROM connections WHERE role = 'erp' ORDER BY id")
    return [shaped(ErpLine, row) for row in rows]


async def erp(tx: Transaction, connection_id: str) -> ErpLine | None:
    """One ERP."""
    row = await tx.row(
        "SELECT id, title, connector, enabled, is_managed FROM connections WHERE role = 'erp' AND id = :id", id=connection_id
    )
    return None if row is None else shaped(ErpLine, row)


async def streams(tx: Transaction, connection_id: str) -> Sequence[StreamLine]:
    """Its streams, as they are read; none before the first one was begun."""
    rows = await tx.rows(
        """SELECT entity, rows_read, expected, last_run_at, last_ok_at, loaded_at, last_error, failures, next_try_at
           FROM sync_cursors WHERE connection_id = :id ORDER BY array_position(cast(:order AS text[]), entity), entity""",
        id=connection_id,
        order=list(ORDER),
    )
    return [shaped(StreamLine, row) for row in rows]
