"""Amounts at Stripe's edge: the table of its own documents, exactly or not at all."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import OutcomeUnknown, Rejected
from connectors.payments.stripe.money import from_stripe, is_served, to_stripe
from domain.money import Money, parse_amount

SERVED: Final = (
    ("USD", "10.00", 1000),
    ("EUR", "0.01", 1),
    ("HUF", "12.34", 1234),
    ("TWD", "800.00", 80_000),
    ("JPY", "500", 500),
    ("KRW", "1", 1),
    ("CLP", "1234", 1234),
    ("XOF", "7", 7),
    ("VND", "25000", 25_000),
    ("MGA", "5.00", 5),  # two decimals by ISO, none at Stripe
    ("ISK", "5", 500),  # none by ISO, two at Stripe, which are always 00
    ("BHD", "5.120", 5120),
    ("KWD", "1.000", 1000),
    ("JOD", "0.010", 10),
    ("OMR", "7.770", 7770),
    ("TND", "1.230", 1230),
    ("IDR", "100.00", 10_000),
    ("CVE", "1.00", 100),
)
REFUSED: Final = (
    *(("MGA", "5.20"), ("MGA", "0.01"), ("BHD", "5.124"), ("KWD", "0.001"), ("TND", "9.999")),
    *(("UGX", "500"), ("IQD", "1.000"), ("LYD", "1.000"), ("UYI", "1")),
)
TOLD_WRONG: Final = (
    (101, "isk"),
    (None, "usd"),
    (1.5, "usd"),
    (True, "usd"),
    ("5", "usd"),
    (5, "xxx"),
    (5, None),
    (10**15, "usd"),
)


@pytest.mark.parametrize(("currency", "amount", "units"), SERVED)
def test_an_amount_is_told_in_stripe_s_units_and_comes_back_the_same(currency: str, amount: str, units: int) -> None:
    ours = parse_amount(amount, currency)
    assert to_stripe(ours) == units
    assert from_stripe(units, currency.lower()) == ours
    assert is_served(currency)


@pytest.mark.parametrize(("currency", "amount"), REFUSED)
def test_an_amount_that_stripe_cannot_be_told_exactly_is_refused_not_rounded(currency: str, amount: str) -> None:
    with pytest.raises(Rejected):
        to_stripe(parse_amount(amount, currency))


@pytest.mark.parametrize(("units", "currency"), TOLD_WRONG)
def test_an_answer_whose_amount_is_none_is_unknown(units: object, currency: object) -> None:
    with pytest.raises(OutcomeUnknown):
        from_stripe(units, currency)


@pytest.mark.parametrize("currency", ["UGX", "IQD", "XXX", "usd", ""])
def test_a_currency_that_is_not_served_is_not_offered(currency: str) -> None:
    assert not is_served(currency)


@given(st.integers(min_value=1, max_value=10**12), st.sampled_from(sorted({currency for currency, _, _ in SERVED})))
def test_what_is_sent_always_comes_back_to_the_last_unit(minor: int, currency: str) -> None:
    ours = Money.of(minor, currency)
    try:
        units = to_stripe(ours)
    except Rejected:
        assert currency in {"MGA", "BHD", "KWD", "JOD", "OMR", "TND"}
        return
    assert from_stripe(units, currency.lower()) == ours
