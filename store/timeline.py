"""Timelines: what happened in a process, told once, in the transaction of the fact itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

from store.database import Transaction


async def tell(
    tx: Transaction,
    *,
    process_id: str,
    customer_id: str,
    kind: str,
    at: datetime,
    facts: Mapping[str, str | int | None] | None = None,
    once: str | None = None,
) -> None:
    """Add an event. `once` tells several events of a kind apart (a posting's id, a check's number)."""
    await tx.run(
        """INSERT INTO timeline (id, process_id, customer_id, kind, facts, at)
           VALUES (:id, :process, :customer, :kind, cast(:facts AS jsonb), :at) ON CONFLICT (id) DO NOTHING""",
        id=f"{process_id}/{kind}" if once is None else f"{process_id}/{kind}/{once}",
        process=process_id,
        customer=customer_id,
        kind=kind,
        facts=json.dumps(dict(facts or {})),
        at=at,
    )
