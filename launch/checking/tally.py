"""Collecting who breaks a rule while pages are walked through."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from store.checks import Finding, Offender

T = TypeVar("T")

PAGE: Final = 200
AT_ONCE: Final = 8
"""How many questions one far side is asked at the same time."""

Advance = Callable[[int], None]
"""Told how many more were looked at."""


def nobody_watches(_looked_at: int) -> None:
    """No progress bar."""


@dataclass(slots=True, kw_only=True)
class Tally:
    """Counts everything, keeps the first few by id."""

    name: str
    says: str
    most: int = 5
    looked_at: int = 0
    found: list[Offender] = field(default_factory=list)
    count: int = 0

    def blame(self, offender_id: str, what: str) -> None:
        """One more breaks it."""
        self.count += 1
        self.found.append(Offender(id=offender_id, what=what))
        self.found = sorted(self.found, key=lambda each: each.id)[: self.most]

    def finding(self, problem: str | None = None) -> Finding:
        """What was found so far; with a `problem` the rest could not be looked at."""
        return Finding(
            name=self.name,
            says=self.says,
            count=self.count,
            offenders=tuple(self.found),
            looked_at=self.looked_at,
            problem=problem,
        )


async def of_each(rows: Sequence[T], ask: Callable[[T], Awaitable[None]]) -> None:
    """Ask about every row, a few at a time. After the first exception nobody else is asked, and it is raised."""
    gate = asyncio.Semaphore(AT_ONCE)
    has_failed = asyncio.Event()

    async def one(row: T) -> None:
        async with gate:
            if has_failed.is_set():
                return
            try:
                await ask(row)
            except BaseException:
                has_failed.set()
                raise

    answers = await asyncio.gather(*(one(row) for row in rows), return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer


def listed(words: Iterable[object]) -> str:
    """'a, b and c' without the fuss: 'a, b, c', or 'nothing'."""
    return ", ".join(str(word) for word in words) or "nothing"
