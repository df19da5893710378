"""How many requests a key may make: a minute's worth at once, then as they are given back, evenly.

Kept in this process only: a count in the database would make a write of every read. With several API processes a key has
as many allowances; what is protected is each process.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

_MINUTE: Final = timedelta(minutes=1)
_KEYS_MOST: Final = 10_000


@dataclass(slots=True)
class Allowance:
    """Remembers for each key when all that it took will have been given back (the generic cell rate algorithm)."""

    per_minute: int
    _even_at: dict[str, datetime] = field(default_factory=dict)

    def take(self, key_id: str, *, at: datetime) -> int | None:
        """One request: None while it may pass, else the whole seconds to wait."""
        each = _MINUTE / self.per_minute
        even_at = min(max(self._even_at.get(key_id, at), at), at + _MINUTE) + each
        too_early = even_at - at - _MINUTE
        if too_early > timedelta(0):
            return math.ceil(too_early / timedelta(seconds=1))
        if key_id not in self._even_at and len(self._even_at) >= _KEYS_MOST:
            self._even_at.clear()  # as after a restart
        self._even_at[key_id] = even_at
        return None
