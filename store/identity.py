"""Fresh ids: the moment and the randomness that `domain.ids` is told."""

from __future__ import annotations

import secrets
import time

from domain import ids


def fresh_id(prefix: str) -> str:
    """A new id with that prefix, such as 'pay_…'. Its time part sorts; it means nothing else."""
    return ids.compose(prefix, at_ms=time.time_ns() // 1_000_000, entropy=secrets.token_bytes(10))
