"""So many at once: each takes the next piece of work as soon as it is done with the last."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

Piece = TypeVar("Piece")


async def crowd(pieces: Iterable[Piece], work: Callable[[Piece], Awaitable[object]], *, hands: int) -> int:
    """Do all the work with that many hands; how many pieces there were."""
    waiting = iter(pieces)
    done = 0

    async def hand() -> None:
        nonlocal done
        for piece in waiting:
            await work(piece)
            done += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(hands):
            group.create_task(hand())
    return done
