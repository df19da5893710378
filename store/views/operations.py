"""The books in figures, for whoever runs Duly: how much waits, and for how long. One statement, each part by an index.

Nothing is counted that grows for ever: what is in flight, what waits, what is open, and the last hour.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from store.database import Transaction

_FIGURES: Final = """
    SELECT 'duly_payments_in_flight' AS name, state AS label, count(*) AS number FROM payments
    WHERE state IN ('charging','awaiting_customer','processing','unknown') GROUP BY state
    UNION ALL
    SELECT 'duly_payments_last_hour', state, count(*) FROM payments WHERE opened_at > :hour_ago GROUP BY state
    UNION ALL
    SELECT 'duly_unknown_charge_oldest_seconds', '', extract(epoch FROM :at - min(unknown_since))::bigint
    FROM payments WHERE state = 'unknown' AND state IN ('charging','awaiting_customer','processing','unknown')
    UNION ALL
    SELECT w.name, '', w.number
    FROM (SELECT count(*) AS waiting, extract(epoch FROM :at - min(received_at))::bigint AS oldest
          FROM inbox WHERE state = 'received') i,
         LATERAL (VALUES ('duly_inbox_waiting', i.waiting), ('duly_inbox_oldest_seconds', i.oldest)) AS w(name, number)
    UNION ALL
    SELECT w.name, '', w.number
    FROM (SELECT count(*) AS waiting, extract(epoch FROM :at - min(queued_at))::bigint AS oldest
          FROM outbox WHERE state = 'queued') o,
         LATERAL (VALUES ('duly_outbox_waiting', o.waiting), ('duly_outbox_oldest_seconds', o.oldest)) AS w(name, number)
    UNION ALL
    SELECT 'duly_postings_waiting', state, count(*) FROM postings WHERE confirmed_seq IS NULL GROUP BY state
    UNION ALL
    SELECT 'duly_postings_oldest_seconds', '', extract(epoch FROM :at - min(queued_at))::bigint
    FROM postings WHERE confirmed_seq IS NULL
    UNION ALL
    SELECT 'duly_differences_open', kind, count(*) FROM differences WHERE closed_at IS NULL GROUP BY kind
    UNION ALL
    SELECT 'duly_erp_read_age_seconds', connection_id, extract(epoch FROM :at - read_at)::bigint
    FROM sync_cursors WHERE entity = 'invoices'
"""


async def figures(tx: Transaction, *, at: datetime) -> Sequence[tuple[str, str, int]]:
    """(gauge, label or '', number), as `connectors/telemetry/metrics.py` shows them; ages in seconds, never below 0."""
    rows = await tx.rows(_FIGURES, at=at, hour_ago=at - timedelta(hours=1))
    return [(row.name, row.label, max(int(row.number), 0)) for row in rows if row.number is not None]
