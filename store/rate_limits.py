"""Counters in PostgreSQL, so that several API processes count together: so many hits in a window, then wait."""

from __future__ import annotations

import hashlib
import math
from datetime import datetime, timedelta

from store.database import Transaction


async def hit(tx: Transaction, subject: str, *, limit: int, window: timedelta, at: datetime) -> int | None:
    """Count one hit of a subject (such as 'sign_in/203.0.113.9'); None while it is within its limit.

    Above the limit: the seconds to wait. Subjects are stored hashed: an e-mail address in one stays private.
    The caller commits before it refuses, or refused attempts would not count.
    """
    row = await tx.row(
        """INSERT INTO rate_counters AS c (bucket, window_at, hits) VALUES (:bucket, :at, 1)
           ON CONFLICT (bucket) DO UPDATE SET
               hits = CASE WHEN c.window_at <= :over THEN 1 ELSE c.hits + 1 END,
               window_at = CASE WHEN c.window_at <= :over THEN excluded.window_at ELSE c.window_at END
           RETURNING window_at, hits""",
        bucket=hashlib.sha256(subject.encode()).hexdigest(),
        at=at,
        over=at - window,
    )
    assert row is not None
    hits = int(row.hits)
    if hits <= limit:
        return None
    opens_again_at: datetime = row.window_at + window
    return max(1, math.ceil((opens_again_at - at).total_seconds()))


async def forget_before(tx: Transaction, *, at: datetime) -> int:
    """Delete counters whose window began before that moment; how many."""
    return await tx.run("DELETE FROM rate_counters WHERE window_at < :at", at=at)
