"""Which ERPs cannot be read just now, and how much waits for each: what staff see above every page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

AWAY_AFTER: Final = 3
"""So often in a row the first of an ERP's streams has failed: one hiccup is no news."""
AWAY: Final = f"""
SELECT json_agg(json_build_object('id', c.id, 'title', coalesce(c.title, initcap(c.connector)), 'since', s.last_ok_at,
                                  'documents', (SELECT count(*) FROM postings p WHERE p.connection_id = c.id
                                                AND p.confirmed_seq IS NULL AND p.state <> 'refused')) ORDER BY c.id)
FROM sync_cursors s JOIN connections c ON c.id = s.connection_id
WHERE s.entity = 'customers' AND s.failures >= {AWAY_AFTER} AND c.role = 'erp' AND c.enabled"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErpAway:
    """An ERP that cannot be read. `since` is when it last could be, None for never; `documents` are on their way to it."""

    connection_id: str
    title: str
    since: datetime | None
    documents: int


def erps_away(rows: Sequence[Mapping[str, Any]] | None) -> tuple[ErpAway, ...]:
    """What `AWAY` selects."""
    return tuple(
        ErpAway(
            connection_id=row["id"],
            title=row["title"],
            since=datetime.fromisoformat(row["since"]) if row["since"] else None,
            documents=row["documents"],
        )
        for row in rows or ()
    )
