"""The bench's statistics: who takes turns when, what is compared with what, and what counts as met."""

from itertools import islice
from random import Random

import pytest

from bench.case import Different, Sample, require_same
from bench.goals import Goal, judge
from bench.pair import Bound, Spread, Verdict, orders, quantile, ratios, sign_test


def sample(operations: int, wall_seconds: float, cpu_seconds: float | None = None, **facts: float) -> Sample:
    return Sample(operations=operations, wall_seconds=wall_seconds, cpu_seconds=cpu_seconds, facts=facts)


def goal(figure: str, numerator: str | None, denominator: str | None, bound: Bound) -> Goal:
    return Goal(case="P1", says="so", figure=figure, numerator=numerator, denominator=denominator, bound=bound)


def test_every_variant_takes_one_turn_a_round_and_the_order_changes() -> None:
    rounds = list(islice(orders(["limit", "ours", "plain"], Random(1)), 20))
    assert all(sorted(turn) == ["limit", "ours", "plain"] for turn in rounds)
    assert {turn[0] for turn in rounds} == {"limit", "ours", "plain"}


def test_the_order_of_turns_is_the_same_for_the_same_seed() -> None:
    names = ["a", "b", "c", "d"]
    assert list(islice(orders(names, Random(7)), 9)) == list(islice(orders(names, Random(7)), 9))
    assert list(islice(orders(names, Random(7)), 9)) != list(islice(orders(names, Random(8)), 9))


def test_a_ratio_pairs_figures_of_the_same_round() -> None:
    # The machine is three times as slow in the second round: the ratio of the medians would be 2, or 6, or 2/3.
    assert ratios([10.0, 30.0, 11.0], [5.0, 15.0, 5.5]) == [2.0, 2.0, 2.0]


def test_rounds_that_do_not_pair_are_refused() -> None:
    with pytest.raises(ValueError):
        ratios([1.0, 2.0], [1.0])


def test_quartiles_lie_between_neighbours() -> None:
    assert quantile([1.0, 2.0, 3.0, 4.0], 0.25) == 1.75
    assert quantile([5.0], 0.75) == 5.0
    spread = Spread.of([4.0, 1.0, 3.0, 2.0, 5.0])
    assert (spread.middle, spread.low, spread.high, spread.least, spread.most) == (3.0, 2.0, 4.0, 1.0, 5.0)


def test_nothing_measured_has_no_spread() -> None:
    with pytest.raises(ValueError):
        Spread.of([])


@pytest.mark.parametrize(
    ("bound", "values", "verdict"),
    [
        (Bound(at_least=2), [2.0, 2.0, 2.0], Verdict.MET),
        (Bound(at_least=2), [1.0, 1.9, 2.0, 2.1], Verdict.INCONCLUSIVE),
        (Bound(at_least=2), [1.0, 1.0, 1.0, 1.0, 9.0], Verdict.MISSED),
        (Bound(at_most=1.5), [1.0, 1.5, 9.0], Verdict.MET),
        (Bound(at_most=1.5), [1.3, 1.4, 1.6, 1.7], Verdict.MET),
        (Bound(at_most=1.5), [1.4, 1.55, 1.6], Verdict.INCONCLUSIVE),
        (Bound(at_most=1.5), [1.4, 1.6, 1.6, 1.6, 1.6], Verdict.MISSED),
    ],
)
def test_the_median_decides_and_the_middle_half_may_leave_it_open(
    bound: Bound, values: list[float], verdict: Verdict
) -> None:
    assert bound.judge(Spread.of(values)) is verdict


def test_a_bound_bounds_something() -> None:
    with pytest.raises(ValueError):
        Bound()


def test_a_rate_is_a_ratio_of_speeds_and_wall_and_cpu_are_ratios_of_costs() -> None:
    rounds = [{"ours": sample(100, 1.0, 0.5), "limit": sample(100, 2.0, 0.25)}]
    seen = {
        figure: judge(goal(figure, "ours", "limit", Bound(at_least=0)), rounds, {}).spread
        for figure in ("rate", "wall", "cpu")
    }
    assert {figure: None if spread is None else spread.middle for figure, spread in seen.items()} == {
        "rate": 2.0,
        "wall": 0.5,
        "cpu": 2.0,
    }


def test_rounds_of_different_sizes_are_compared_by_the_operation() -> None:
    rounds = [{"ours": sample(10, 1.0), "limit": sample(1000, 10.0)}]
    judged = judge(goal("wall", "ours", "limit", Bound(at_most=10)), rounds, {})
    assert judged.spread is not None
    assert judged.spread.middle == 10.0


def test_a_fact_is_judged_by_itself() -> None:
    rounds = [{"ours": sample(1, 1.0, p99_ms=8.0)}, {"ours": sample(1, 1.0, p99_ms=12.0)}]
    assert judge(goal("p99_ms", "ours", None, Bound(at_most=10)), rounds, {}).verdict is Verdict.MET
    assert judge(goal("p99_ms", "ours", None, Bound(at_most=7)), rounds, {}).verdict is Verdict.MISSED


def test_a_fact_of_the_whole_case_is_judged_once() -> None:
    assert judge(goal("lost", None, None, Bound(at_most=0)), [], {"lost": 0.0}).verdict is Verdict.MET
    assert judge(goal("lost", None, None, Bound(at_most=0)), [], {"lost": 1.0}).verdict is Verdict.MISSED


def test_what_was_not_measured_is_missed() -> None:
    judged = judge(goal("cpu", "ours", "limit", Bound(at_most=9)), [{"ours": sample(1, 1.0), "limit": sample(1, 1.0)}], {})
    assert (judged.spread, judged.verdict) == (None, Verdict.MISSED)


def test_chance_alone_is_named() -> None:
    assert sign_test([2.0] * 7, than=1.0) == pytest.approx(2 / 128)
    assert sign_test([0.5, 2.0], than=1.0) == 1.0
    assert sign_test([1.0], than=1.0) == 1.0


def test_variants_that_answer_differently_are_found() -> None:
    require_same("the sum", {"ours": 3, "limit": 3})
    with pytest.raises(Different, match="limit answers 4, ours 3"):
        require_same("the sum", {"ours": 3, "limit": 4})
