"""Reads `goals.toml`, and says of each goal whether a run met it."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.case import Sample
from bench.pair import Bound, Spread, Verdict, ratios

FILE: Final = Path(__file__).parent / "goals.toml"
_FIELDS: Final = frozenset({"case", "says", "figure", "numerator", "denominator", "at_least", "at_most"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One promise. `numerator` None: a fact of the whole case; `denominator` None: a figure of one variant by itself."""

    case: str
    says: str
    figure: str
    numerator: str | None
    denominator: str | None
    bound: Bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A goal with what was seen. `spread` is None where the figure was not measured, which no verdict forgives."""

    goal: Goal
    spread: Spread | None
    verdict: Verdict


def read(file: Path = FILE) -> list[Goal]:
    """Every goal. Raises ValueError for one with a field that nobody knows."""
    return [_goal(each) for each in tomllib.loads(file.read_text())["goal"]]


def _goal(told: Mapping[str, Any]) -> Goal:
    if unknown := set(told) - _FIELDS:
        raise ValueError(f"a goal of {told.get('case')} has {', '.join(sorted(unknown))}")
    if "denominator" in told and "numerator" not in told:
        raise ValueError(f"a goal of {told.get('case')} divides nothing")
    return Goal(
        case=told["case"],
        says=told["says"],
        figure=told["figure"],
        numerator=told.get("numerator"),
        denominator=told.get("denominator"),
        bound=Bound(at_least=told.get("at_least"), at_most=told.get("at_most")),
    )


def require_known(wanted: Sequence[Goal], variants: Sequence[str]) -> None:
    """Raises ValueError for a goal that names a variant which its case does not have."""
    for goal in wanted:
        for name in (goal.numerator, goal.denominator):
            if name is not None and name not in variants:
                raise ValueError(f"a goal of {goal.case} speaks of {name}; there are {', '.join(variants)}")


def judge(goal: Goal, rounds: Sequence[Mapping[str, Sample]], facts: Mapping[str, float]) -> Judged:
    """What the rounds (variant → sample) and the facts of the case say about a goal."""
    values = _values(goal, rounds, facts)
    if not values:
        return Judged(goal=goal, spread=None, verdict=Verdict.MISSED)
    spread = Spread.of(values)
    return Judged(goal=goal, spread=spread, verdict=goal.bound.judge(spread))


def _values(goal: Goal, rounds: Sequence[Mapping[str, Sample]], facts: Mapping[str, float]) -> list[float]:
    if goal.numerator is None:
        return [facts[goal.figure]] if goal.figure in facts else []
    above = _figures(goal.figure, goal.numerator, rounds)
    if goal.denominator is None or not above:
        return above
    below = _figures(goal.figure, goal.denominator, rounds)
    return ratios(above, below) if below else []


def _figures(figure: str, variant: str, rounds: Sequence[Mapping[str, Sample]]) -> list[float]:
    seen = [samples[variant].figure(figure) for samples in rounds if variant in samples]
    return [value for value in seen if value is not None]
