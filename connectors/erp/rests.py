"""How often an ERP is read whose vendor sells only so many calls a day or a month."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from connectors.errors import Misconfigured

_DAY_SECONDS: Final = 86_400


class Rest:
    """What was just read to its end is not asked for again for `seconds`. A process that starts anew asks at once."""

    def __init__(self, seconds: int, *, now_seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._now_seconds = now_seconds
        self._cursor: str | None = None
        self._began = 0.0

    def holds(self, cursor: str) -> bool:
        """Whether whoever asks from this cursor on was answered 'nothing more' a moment ago."""
        return self._cursor == cursor and self._now_seconds() - self._began < self._seconds

    def begin(self, cursor: str) -> None:
        """All was read; the next one asks from this cursor on."""
        self._cursor, self._began = cursor, self._now_seconds()


def seconds_between_reads(given: str | None, *, otherwise: int) -> int:
    """What staff typed. Raises Misconfigured for what is no number of seconds of at most a day."""
    if not given:
        return otherwise
    if not (given.isascii() and given.isdigit()) or int(given) > _DAY_SECONDS:
        raise Misconfigured(f"How often it is read is a whole number of seconds, at most {_DAY_SECONDS}.")
    return int(given)
