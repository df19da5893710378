"""`bench/goals.toml` speaks of cases and variants that exist, and says something that a run can miss."""

from pathlib import Path

import pytest

from bench import goals
from bench.cases import all_cases


def test_every_goal_is_of_a_case_that_exists_and_every_case_has_a_goal() -> None:
    assert {goal.case for goal in goals.read()} == {case.id for case in all_cases()}


def test_no_goal_is_written_twice() -> None:
    seen = [(goal.case, goal.figure, goal.numerator, goal.denominator) for goal in goals.read()]
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize("told", ["numerater = 'ours'", "denominator = 'limit'"])
def test_a_goal_with_a_slip_of_the_pen_is_refused(told: str, tmp_path: Path) -> None:
    file = tmp_path / "goals.toml"
    file.write_text(f"[[goal]]\ncase = 'P1'\nsays = 'so'\nfigure = 'cpu'\nat_most = 1\n{told}\n")
    with pytest.raises(ValueError):
        goals.read(file)
