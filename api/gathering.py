"""Work that comes while other work of its kind is being written is written together with what comes beside it.

One transaction for each delivery costs a sync of the disk and four round trips; eight that arrive together cost that once.
Nobody is kept waiting to fill a batch: the first that comes goes at once, and what comes meanwhile is the next batch.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")
logger = logging.getLogger(__name__)

TOGETHER: Final = 32
"""So many are written together at most: a batch that fails is begun again by each of them alone."""
WAITING: Final = 256
"""Where so many wait, who comes goes alone, as it would without any of this: it then waits for a connection."""


class Gathering(Generic[T, R]):
    """`together` writes several and answers for each of them, in their order, once they are written: committed."""

    def __init__(self, together: Callable[[Sequence[T]], Awaitable[Sequence[R]]]) -> None:
        self._together = together
        self._waiting: deque[tuple[T, asyncio.Future[R | None]]] = deque()
        self._writing: asyncio.Task[None] | None = None

    async def add(self, one: T) -> R | None:
        """What became of it, or None where it was not written with others, whatever the reason: the caller does it alone."""
        if len(self._waiting) >= WAITING:
            return None
        answer: asyncio.Future[R | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((one, answer))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        return await answer

    async def _write(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(TOGETHER, len(self._waiting)))]
            told: Sequence[R | None] = [None] * len(batch)
            try:
                told = await self._together([one for one, _ in batch])
            except Exception as error:  # whichever of them it was, or the weather: each finds out for itself
                logger.warning("%d that came together are written one by one: %s", len(batch), type(error).__name__)
            for (_, answer), said in zip(batch, told, strict=True):
                if not answer.done():  # its sender may have gone away meanwhile
                    answer.set_result(said)
