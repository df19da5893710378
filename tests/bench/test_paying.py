"""What is made of the waits of customers who paid."""

import pytest

from bench.paying.loop import percentile


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1), (0.05, 1), (0.5, 10), (0.95, 19), (0.951, 20), (1.0, 20)])
def test_a_percentile_is_a_value_that_was_seen(share: float, expected: int) -> None:
    assert percentile(list(range(20, 0, -1)), share) == expected


def test_the_only_wait_is_every_percentile() -> None:
    assert {percentile([7.0], share) for share in (0.0, 0.5, 0.95, 1.0)} == {7.0}
