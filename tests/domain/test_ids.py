"""Ids: their form, their order, and nothing that a caller did not bring."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.ids import PREFIXES, compose, is_id, owner_of

moments = st.integers(min_value=0, max_value=2**48 - 1)
randomness = st.binary(min_size=10, max_size=10)
prefixes = st.sampled_from(sorted(PREFIXES))


@given(prefix=prefixes, at_ms=moments, entropy=randomness)
def test_a_composed_id_has_the_form_of_its_kind_and_of_no_other(prefix: str, at_ms: int, entropy: bytes) -> None:
    made = compose(prefix, at_ms=at_ms, entropy=entropy)
    assert is_id(made, prefix)
    assert [other for other in PREFIXES if is_id(made, other)] == [prefix]
    assert len(made) == len(prefix) + 27


@given(one=moments, other=moments, entropy=randomness, more=randomness)
def test_ids_sort_by_their_moment(one: int, other: int, entropy: bytes, more: bytes) -> None:
    first, second = compose("pay", at_ms=one, entropy=entropy), compose("pay", at_ms=other, entropy=more)
    if one != other:
        assert (first < second) == (one < other)


@given(at_ms=moments, one=randomness, other=randomness)
def test_other_randomness_makes_another_id_and_the_same_makes_the_same(at_ms: int, one: bytes, other: bytes) -> None:
    made = compose("inv", at_ms=at_ms, entropy=one)
    assert made == compose("inv", at_ms=at_ms, entropy=one)
    assert (made == compose("inv", at_ms=at_ms, entropy=other)) == (one == other)


def test_a_known_moment_makes_a_known_id() -> None:
    assert compose("pay", at_ms=0, entropy=bytes(10)) == "pay_" + "0" * 26
    assert compose("pay", at_ms=2**48 - 1, entropy=b"\xff" * 10) == "pay_7" + "z" * 25


@pytest.mark.parametrize(
    ("prefix", "at_ms", "length"), [("xyz", 0, 10), ("", 0, 10), ("pay", -1, 10), ("pay", 2**48, 10), ("pay", 0, 9)]
)
def test_an_id_is_not_made_of_anything_else(prefix: str, at_ms: int, length: int) -> None:
    with pytest.raises(ValueError, match=r"prefix|entropy"):
        compose(prefix, at_ms=at_ms, entropy=bytes(length))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pay_",
        "pay_" + "0" * 25,
        "pay_" + "0" * 27,
        "PAY_" + "0" * 26,
        "pay_" + "A" * 26,
        "pay_" + "i" * 26,
        "pay_" + "0" * 26 + "\n",
        "inv_" + "0" * 26,
        "pay-" + "0" * 26,
        "pay_" + "٠" * 26,
        "' OR 1=1 --",
    ],
)
def test_what_only_resembles_an_id_is_none(text: str) -> None:
    assert not is_id(text, "pay")


@given(st.text(max_size=40))
def test_any_text_is_asked_without_harm(text: str) -> None:
    assert is_id(text, "pay") in {True, False}


OWNER = "pay_" + "0" * 26


@pytest.mark.parametrize("reference", [OWNER, f"{OWNER}-captured", f"{OWNER}-1", f"{OWNER}-applied-2"])
def test_a_reference_of_ours_is_known_by_the_id_it_begins_with(reference: str) -> None:
    assert owner_of(reference, "pay") == OWNER
    assert owner_of(reference, "set") is None


@pytest.mark.parametrize("reference", ["", "-", "-captured", f"{OWNER}-", f"{OWNER}captured", f"{OWNER}0", f" {OWNER}-1"])
def test_a_strangers_reference_has_no_owner_here(reference: str) -> None:
    assert owner_of(reference, "pay") is None
