"""QuickBooks's limits of calls, kept on our side: so many in a while, so many at once."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from connectors.errors import Throttled

_SECOND_NS: Final = 10**9
_PATIENCE_NS: Final = 5 * _SECOND_NS


class Limits:
    """One company's calls from this process. `clock` answers nanoseconds that never go back.

    A short while is waited for: a refusal in the middle of a document would leave a half of it. A long one is told.
    """

    def __init__(
        self, *, per_minute: int, per_second: int, at_once: int, clock: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._windows = ((per_minute, 60 * _SECOND_NS), (per_second, _SECOND_NS))
        self._made: deque[int] = deque(maxlen=max(per_minute, per_second))
        self._gate = asyncio.Semaphore(at_once)
        self._clock = clock

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """The right to make one call. Raises Throttled where it is too far away."""
        async with self._gate:
            while wait := self._wait_ns():
                if wait > _PATIENCE_NS:
                    seconds = -(-wait // _SECOND_NS)
                    raise Throttled("QuickBooks's calls of this minute are used up.", retry_after_seconds=seconds)
                await asyncio.sleep(wait / _SECOND_NS)
            self._made.append(self._clock())
            yield

    def _wait_ns(self) -> int:
        """How long until one more call is allowed; 0 where it is now."""
        now = self._clock()
        waits = [self._made[-calls] + span - now for calls, span in self._windows if len(self._made) >= calls]
        return max((0, *waits))
