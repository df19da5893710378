"""Amounts at Adyen's edge: the table of its own documents, exactly or not at all."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import OutcomeUnknown, Rejected
from connectors.payments.adyen.money import from_adyen, is_served, to_adyen
from domain.money import Money, parse_amount

SERVED: Final = (
    ("USD", "10.00", 1000),
    ("EUR", "0.01", 1),
    ("JPY", "500", 500),
    ("VND", "25000", 25_000),
    ("CLP", "1234", 123_400),  # none by ISO, two at Adyen
    ("ISK", "5", 500),
    ("CVE", "7.00", 7),  # two by ISO, none at Adyen
    ("IDR", "25000.00", 25_000),
    ("BHD", "5.124", 5124),
    ("KWD", "0.001", 1),
    ("TND", "9.999", 9999),
)
TOLD_WRONG: Final = (
    (101, "ISK"),
    (1, "CLP"),
    (None, "USD"),
    (1.5, "USD"),
    (True, "USD"),
    ("5", "USD"),
    (5, "usd"),
    (5, None),
)


@pytest.mark.parametrize(("currency", "amount", "units"), SERVED)
def test_an_amount_is_told_in_adyen_s_units_and_comes_back_the_same(currency: str, amount: str, units: int) -> None:
    ours = parse_amount(amount, currency)
    assert to_adyen(ours) == units
    assert from_adyen(units, currency) == ours
    assert is_served(currency)


@pytest.mark.parametrize(("currency", "amount"), [("IDR", "1.50"), ("CVE", "0.01"), ("MGA", "5.00"), ("IQD", "1.000")])
def test_an_amount_that_adyen_cannot_be_told_exactly_is_refused_not_rounded(currency: str, amount: str) -> None:
    with pytest.raises(Rejected):
        to_adyen(parse_amount(amount, currency))


@pytest.mark.parametrize(("units", "currency"), TOLD_WRONG)
def test_an_answer_of_adyen_s_whose_amount_is_none_is_unknown(units: object, currency: object) -> None:
    with pytest.raises(OutcomeUnknown):
        from_adyen(units, currency)


@pytest.mark.parametrize("currency", ["MGA", "IQD", "XXX", "usd", ""])
def test_a_currency_that_adyen_is_not_sent_is_not_offered(currency: str) -> None:
    assert not is_served(currency)


@given(st.integers(min_value=1, max_value=10**12), st.sampled_from(sorted({currency for currency, _, _ in SERVED})))
def test_what_is_sent_to_adyen_always_comes_back_to_the_last_unit(minor: int, currency: str) -> None:
    ours = Money.of(minor, currency)
    try:
        units = to_adyen(ours)
    except Rejected:
        assert currency in {"CVE", "IDR"}
        return
    assert from_adyen(units, currency) == ours
