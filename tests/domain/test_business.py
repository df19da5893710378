"""The business's settings: each refuses what is not of its kind, and says so."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from domain.business import BusinessSettings, checked, from_rows

BY_KIND = {
    kind: sorted(each.name for each in fields(BusinessSettings) if str(each.type) == kind)
    for kind in {str(each.type) for each in fields(BusinessSettings)}
}
WRONG: dict[str, list[object]] = {
    "bool": [1, 0, "true", None, [], {}, 1.0],
    "str": [1, None, True, [], {}, b"x", "x" * 201],
    "int": [True, "30", 1.5, None, 0, -1, 10**9],
    "MinimumBasis": ["", "all", None, True, 1, "Overdue", ["due"]],
    "Mapping[str, int]": [
        None,
        5,
        "USD",
        [],
        {"USD": "5"},
        {"USD": 1.5},
        {"USD": True},
        {"USD": -1},
        {"USD": 10**15},
        {"usd": 1},
        {"XXX": 1},
        {"": 1},
        {1: 1},
    ],
    "Sequence[str]": [None, 5, "mon", {}, [1], ["someday"], ["mon", None], ["2026-02-30"], ["2026-01-01"] * 401],
}
RIGHT: dict[str, list[object]] = {
    "bool": [True, False],
    "str": ["#0F5a4a"],
    "int": [1, 24],
    "MinimumBasis": ["none", "overdue", "due", "total"],
    "Mapping[str, int]": [{}, {"USD": 0}, {"USD": 1_000_000, "JPY": 5}],
    "Sequence[str]": [],  # the two of them take different words: below
}


def cases(values: dict[str, list[object]]) -> list[Any]:
    return [
        pytest.param(name, value, id=f"{name}-{str(value)[:20]}")
        for kind, names in sorted(BY_KIND.items())
        for name in names
        for value in values[kind]
    ]


def test_every_kind_of_setting_is_tried() -> None:
    assert set(BY_KIND) == set(WRONG) == set(RIGHT)


@pytest.mark.parametrize(("name", "value"), cases(WRONG))
def test_a_setting_refuses_what_is_not_of_its_kind_and_says_what_it_takes(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=r"^(it|a colour) ") as refused:
        checked(name, value)
    assert str(refused.value)


OF_THEIR_OWN_SHAPE = {"time_zone", "bank_account"}


@pytest.mark.parametrize(("name", "value"), [case for case in cases(RIGHT) if case.values[0] not in OF_THEIR_OWN_SHAPE])
def test_a_setting_takes_what_is_of_its_kind(name: str, value: object) -> None:
    assert checked(name, value) == value
    assert getattr(from_rows({name: value}), name) == value


@pytest.mark.parametrize("each", fields(BusinessSettings), ids=lambda each: each.name)
def test_every_default_is_a_value_that_the_setting_takes(each: Any) -> None:
    default = getattr(BusinessSettings(), each.name)
    assert checked(each.name, default) == default


@pytest.mark.parametrize("colour", ["", "0f5a4a", "#0f5a4", "#0f5a4g", "#0f5a4a0", "red", "#0f5a4a;}", "#٠٠٠٠٠٠"])
def test_a_colour_is_six_digits_and_nothing_that_a_style_sheet_would_run(colour: str) -> None:
    with pytest.raises(ValueError, match="colour"):
        checked("accent_colour", colour)


@pytest.mark.parametrize(("name", "low", "high"), [("link_days", 1, 90), ("session_hours", 1, 24)])
def test_a_link_lives_at_most_90_days_and_a_session_24_hours(name: str, low: int, high: int) -> None:
    assert (checked(name, low), checked(name, high)) == (low, high)
    for value in (low - 1, high + 1):
        with pytest.raises(ValueError, match=f"between {low} and {high}"):
            checked(name, value)


def test_a_working_week_is_kept_in_its_order_and_has_a_day() -> None:
    assert checked("working_week", ["fri", "mon", "mon"]) == ["mon", "fri"]
    with pytest.raises(ValueError, match="one or more"):
        checked("working_week", [])


def test_holidays_are_days_kept_sorted_and_once() -> None:
    assert checked("holidays", ["2026-12-25", "2026-01-01", "2026-12-25"]) == ["2026-01-01", "2026-12-25"]


def test_columns_keep_their_order_and_number_and_what_is_open_stay() -> None:
    assert checked("columns", ["open", "due", "number"]) == ["open", "due", "number"]
    for wrong, why in (
        (["number", "due"], "number and open"),
        (["open"], "number and open"),
        (["number", "open", "due", "due"], "once"),
        (["number", "open", "customer"], "made of"),
    ):
        with pytest.raises(ValueError, match=why):
            checked("columns", wrong)


def test_a_setting_that_does_not_exist_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        checked("no_such_setting", True)


def test_what_is_stored_is_a_copy_of_what_was_given() -> None:
    given = {"USD": 1}
    stored = checked("card_limit", given)
    given["USD"] = 2
    assert stored == {"USD": 1}


def test_rows_of_settings_that_no_longer_exist_are_left_out() -> None:
    assert from_rows({"gone": 1, "show_balance": False}) == BusinessSettings(show_balance=False)


def test_a_business_that_sets_nothing_may_be_paid_in_parts_by_any_method_without_limits() -> None:
    settings = BusinessSettings()
    assert settings.may_pay
    assert settings.partial_payment
    assert (settings.minimum_payment, settings.card_limit, settings.minimum_partial) == ("none", {}, {})
    assert settings.exclude_paused
    assert not settings.pay_disputed
    assert not settings.pay_instalments


@pytest.mark.parametrize(
    "account", ["GB33BUKB20201555555556", "GB33 BUKB", "20-00-00 5577991", "DE00 0000", "٢٠٠٠٠٠٥٥٧٧٩٩١١", "IBAN", "x" * 22]
)
def test_an_account_that_payments_by_bank_go_to_is_one(account: str) -> None:
    with pytest.raises(ValueError, match="IBAN"):
        checked("bank_account", account)
    for right in ("", "GB33 BUKB 2020 1555 5555 55", "de89370400440532013000", "20-00-00 55779911"):
        assert checked("bank_account", right) == right


@pytest.mark.parametrize("zone", ["", "London", "Europe/Atlantis", "../etc/passwd", "/etc/localtime", "UTC+1", "\x00"])
def test_a_time_zone_is_one_that_the_world_has(zone: str) -> None:
    with pytest.raises(ValueError, match="time zone"):
        checked("time_zone", zone)
    assert checked("time_zone", "Asia/Tokyo") == "Asia/Tokyo"
