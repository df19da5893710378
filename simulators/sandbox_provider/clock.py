"""The provider's clock: real time plus an offset that tests move forward. Milliseconds since 1970, UTC."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from simulators.sandbox_provider.storage import Storage

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def wall_ms() -> int:
    """Real time, for what real time governs: retries, signatures, the lag of a search."""
    return time.time_ns() // 1_000_000


def iso(at_ms: int) -> str:
    """A moment as the API writes it: '2026-01-31T12:00:00.000+00:00'."""
    return (_EPOCH + timedelta(milliseconds=at_ms)).isoformat(timespec="milliseconds")


def from_iso(text: str) -> int:
    """Milliseconds of an ISO 8601 moment. Raises ValueError when it has no offset from UTC."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a moment needs its offset from UTC")
    return (moment - _EPOCH) // timedelta(milliseconds=1)


class Clock:
    """Business time of the provider. Moves with real time; `advance` adds to it, and the offset survives a restart."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._offset_ms = storage.number("clock_offset_ms", 0)

    def now_ms(self) -> int:
        """The provider's present."""
        return wall_ms() + self._offset_ms

    def advance(self, seconds: int) -> None:
        """Move forward; there is no way back."""
        if seconds < 0:
            raise ValueError("the clock only moves forward")
        self._offset_ms += seconds * 1000
        self._storage.set_knob("clock_offset_ms", self._offset_ms)
