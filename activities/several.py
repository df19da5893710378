"""Asking about many things, a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

T = TypeVar("T")
S = TypeVar("S")

AT_ONCE: Final = 8
"""How many questions one far side is asked at the same time."""


async def of_each(rows: Sequence[T], ask: Callable[[T], Awaitable[S]]) -> list[S]:
    """The answers about all rows, in their order. After the first exception nobody else is asked, and it is raised."""
    gate = asyncio.Semaphore(AT_ONCE)
    has_failed = asyncio.Event()
    answers: dict[int, S] = {}

    async def one(place: int, row: T) -> None:
        async with gate:
            if has_failed.is_set():
                return
            try:
                answers[place] = await ask(row)
            except BaseException:
                has_failed.set()
                raise

    done = await asyncio.gather(*(one(place, row) for place, row in enumerate(rows)), return_exceptions=True)
    for each in done:
        if isinstance(each, BaseException):
            raise each
    return [answers[place] for place in range(len(rows))]
