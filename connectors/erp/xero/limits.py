"""Xero's limits, kept here: so many calls at once, in a minute and in a day, for each organisation and app.

A call that would break one is not sent: after a short wait it goes, else the caller is told when to come again.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from connectors.errors import Throttled

_PATIENCE_SECONDS: Final = 3.0
MINUTE_SECONDS: Final = 60.0
DAY_SECONDS: Final = 86_400.0


class Limiter:
    """One organisation's calls from this process."""

    def __init__(
        self, *, at_once: int, per_minute: int, per_day: int, now_seconds: Callable[[], float] = time.monotonic
    ) -> None:
        minute_seconds: deque[float] = deque()
        day_seconds: deque[float] = deque()
        self._at_once = asyncio.Semaphore(at_once)
        self._windows = ((MINUTE_SECONDS, per_minute, minute_seconds), (DAY_SECONDS, per_day, day_seconds))
        self._now_seconds = now_seconds
        self._silent_until = 0.0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """A turn to make one call. Raises Throttled where that would be too long to wait for."""
        async with self._at_once:
            wait_seconds = self._wait_seconds()
            if wait_seconds > _PATIENCE_SECONDS:
                raise Throttled("Xero's limit of calls is reached.", retry_after_seconds=int(wait_seconds) + 1)
            if wait_seconds > 0:
                await asyncio.sleep(wait_seconds)
            for _, _, calls in self._windows:
                calls.append(self._now_seconds())
            yield

    def told_to_wait(self, seconds: int) -> None:
        """Xero itself asks for patience: nothing is sent before."""
        self._silent_until = max(self._silent_until, self._now_seconds() + seconds)

    def _wait_seconds(self) -> float:
        now = self._now_seconds()
        wait_seconds = self._silent_until - now
        for length, limit, calls in self._windows:
            while calls and calls[0] <= now - length:
                calls.popleft()
            if len(calls) >= limit:
                wait_seconds = max(wait_seconds, calls[len(calls) - limit] + length - now)
        return wait_seconds
