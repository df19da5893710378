"""How often an ERP is read whose vendor counts the calls."""

import pytest

from connectors.erp.rests import Rest, seconds_between_reads
from connectors.errors import Misconfigured


def test_only_what_was_just_read_to_its_end_rests() -> None:
    now = [1_000.0]
    rest = Rest(120, now_seconds=lambda: now[0])
    assert not rest.holds("")
    rest.begin("after all")
    assert rest.holds("after all")
    assert not rest.holds("")
    now[0] += 120
    assert not rest.holds("after all")


@pytest.mark.parametrize(("given", "seconds"), [(None, 300), ("", 300), ("0", 0), ("86400", 86_400)])
def test_what_is_typed_is_taken_and_nothing_is_the_vendors_own(given: str | None, seconds: int) -> None:
    assert seconds_between_reads(given, otherwise=300) == seconds


@pytest.mark.parametrize("given", ["-1", "1.5", "soon", "٣", "86401"])
def test_what_is_no_number_of_seconds_is_said(given: str) -> None:
    with pytest.raises(Misconfigured, match="whole number of seconds"):
        seconds_between_reads(given, otherwise=300)
