"""Rounds and what is made of them: variants take turns, and only figures of the same round are compared.

On a shared machine an absolute figure moves threefold within minutes; the ratio of two neighbours hardly moves.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from statistics import median


class Verdict(StrEnum):
    """What a run says about a goal."""

    MET = "met"
    INCONCLUSIVE = "inconclusive"
    MISSED = "missed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Several values of one thing: the middle, the middle half (`low` to `high`), and the ends."""

    middle: float
    low: float
    high: float
    least: float
    most: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Raises ValueError without a value."""
        if not values:
            raise ValueError("nothing was measured")
        ordered = sorted(values)
        return cls(
            middle=median(ordered),
            low=quantile(ordered, 0.25),
            high=quantile(ordered, 0.75),
            least=ordered[0],
            most=ordered[-1],
            count=len(ordered),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """Where a figure has to be; one of the two, or both."""

    at_least: float | None = None
    at_most: float | None = None

    def __post_init__(self) -> None:
        if self.at_least is None and self.at_most is None:
            raise ValueError("a bound needs at_least or at_most")

    def holds(self, value: float) -> bool:
        """Whether a value is inside."""
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)

    def judge(self, spread: Spread) -> Verdict:
        """Met by the median; inconclusive where only the middle half of the rounds reaches it; missed otherwise."""
        if self.holds(spread.middle):
            return Verdict.MET
        reaches = (self.at_least is None or spread.high >= self.at_least) and (
            self.at_most is None or spread.low <= self.at_most
        )
        return Verdict.INCONCLUSIVE if reaches else Verdict.MISSED

    def __str__(self) -> str:
        parts = []
        if self.at_least is not None:
            parts.append(f"≥ {self.at_least:g}")
        if self.at_most is not None:
            parts.append(f"≤ {self.at_most:g}")
        return " and ".join(parts)


def quantile(ordered: Sequence[float], part: float) -> float:
    """The value below which that part of the ordered values lies, between neighbours in a straight line."""
    position = (len(ordered) - 1) * part
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def ratios(numerators: Sequence[float], denominators: Sequence[float]) -> list[float]:
    """Round by round. Raises ValueError when the rounds do not pair."""
    return [above / below for above, below in zip(numerators, denominators, strict=True)]


def orders(names: Sequence[str], chance: Random) -> Iterator[list[str]]:
    """For each round, in which order the variants take their turn: every one once, in an order of its own."""
    while True:
        turn = list(names)
        chance.shuffle(turn)
        yield turn


def sign_test(values: Sequence[float], *, than: float) -> float:
    """How likely so many of the values lie on one side of `than` by chance alone (two-sided)."""
    above = sum(value > than for value in values)
    below = sum(value < than for value in values)
    trials, fewer = above + below, min(above, below)
    if trials == 0:
        return 1.0
    ways = sum(math.comb(trials, each) for each in range(fewer + 1))
    return min(1.0, 2 * ways / float(2**trials))
