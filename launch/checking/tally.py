"""Collecting who breaks a rule while pages are walked through."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from store.checks import Finding, Offender

PAGE: Final = 200

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


def listed(words: Iterable[object]) -> str:
    """'a, b and c' without the fuss: 'a, b, c', or 'nothing'."""
    return ", ".join(str(word) for word in words) or "nothing"
