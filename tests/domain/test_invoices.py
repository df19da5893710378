"""What a person sees of an invoice, and when it may be chosen."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.business import BusinessSettings
from domain.invoices import (
    COUNTED,
    InvoiceStatus,
    days_late,
    is_overdue,
    is_visible,
    status_of,
    why_not_payable,
)
from tests.domain.examples import TODAY, an_invoice

S = InvoiceStatus
DEFAULTS = BusinessSettings()
WORDS = ("draft", "open", "paid", "in_dispute", "in_instalments", "written_off", "closed", "void", "unknown")

# What an invoice needs to reach each row of the order of precedence, from the first row to the last.
ROWS: list[tuple[InvoiceStatus, dict[str, Any]]] = [
    (S.WRITTEN_OFF, {"erp_status": "written_off"}),
    (S.CLOSED, {"erp_status": "closed"}),
    (S.PAID, {"open_minor": 0}),
    (S.REQUESTED, {"held_minor": 10_000, "requested_minor": 10_000}),
    (S.PAYMENT_PENDING, {"held_minor": 10_000}),
    (S.IN_DISPUTE, {"erp_status": "in_dispute"}),
    (S.IN_INSTALMENTS, {"erp_status": "in_instalments"}),
    (S.PARTIALLY_PAID, {"open_minor": 9_999}),
    (S.OPEN, {}),
]


@pytest.mark.parametrize(("status", "facts"), ROWS, ids=[status.value for status, _ in ROWS])
def test_each_row_is_reached_by_its_own_facts(status: InvoiceStatus, facts: dict[str, Any]) -> None:
    assert status_of(an_invoice(**facts)) is status


@pytest.mark.parametrize("earlier", range(len(ROWS)))
def test_an_earlier_row_wins_over_every_later_one(earlier: int) -> None:
    status, facts = ROWS[earlier]
    for _, later in ROWS[earlier + 1 :]:
        assert status_of(an_invoice(**{**later, **facts})) is status


def test_every_status_has_its_row() -> None:
    assert [status for status, _ in ROWS] == list(InvoiceStatus)


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ({"erp_status": "paid"}, S.OPEN),  # our own return is in the figures, the ERP's word is older
        ({"erp_status": "unknown"}, S.OPEN),
        ({"erp_status": "unknown", "open_minor": 0}, S.PAID),
        ({"open_minor": -500}, S.PAID),
        ({"total_minor": 0, "open_minor": 0}, S.PAID),
        ({"erp_status": "written_off", "open_minor": 0}, S.WRITTEN_OFF),
        ({"held_minor": 9_999}, S.OPEN),
        ({"open_minor": 4_000, "held_minor": 4_000}, S.PAYMENT_PENDING),
        ({"open_minor": 4_000, "held_minor": 1}, S.PARTIALLY_PAID),
        ({"open_minor": 4_000, "held_minor": 9_000}, S.PAYMENT_PENDING),
        ({"open_minor": 12_000}, S.OPEN),  # the total was raised after the row was read
    ],
)
def test_the_figures_decide_between_the_rows(facts: dict[str, Any], status: InvoiceStatus) -> None:
    assert status_of(an_invoice(**facts)) is status


def test_balance_counts_what_is_owed_and_nothing_else() -> None:
    assert {S.WRITTEN_OFF, S.CLOSED, S.PAID} == set(InvoiceStatus) - COUNTED


@given(open_minor=st.integers(-(10**6), 10**6), held_minor=st.integers(0, 10**6), word=st.sampled_from(WORDS))
def test_available_is_what_is_open_and_not_held_and_never_negative(open_minor: int, held_minor: int, word: str) -> None:
    invoice = an_invoice(open_minor=open_minor, held_minor=held_minor, erp_status=word)
    assert invoice.available_minor == max(0, open_minor - held_minor)
    if status_of(invoice) in {S.PAID, S.PAYMENT_PENDING}:
        assert invoice.available_minor == 0


# ---------------------------------------------------------------- seeing and choosing


@pytest.mark.parametrize("word", WORDS)
def test_only_drafts_and_void_ones_are_invisible_by_their_word(word: str) -> None:
    assert is_visible(an_invoice(erp_status=word), DEFAULTS) is (word not in {"draft", "void"})


@pytest.mark.parametrize(("exclude_paused", "visible"), [(True, False), (False, True)])
def test_a_paused_one_is_invisible_while_the_setting_is_on(exclude_paused: bool, visible: bool) -> None:
    assert is_visible(an_invoice(paused=True), BusinessSettings(exclude_paused=exclude_paused)) is visible


@pytest.mark.parametrize(
    ("facts", "settings", "selectable"),
    [
        ({}, {}, True),
        ({"open_minor": 1}, {}, True),
        ({"erp_status": "in_dispute"}, {}, False),
        ({"erp_status": "in_dispute"}, {"pay_disputed": True}, True),
        ({"erp_status": "in_instalments"}, {}, False),
        ({"erp_status": "in_instalments"}, {"pay_instalments": True}, True),
        ({"erp_status": "in_dispute"}, {"pay_instalments": True}, False),
        ({"erp_status": "in_instalments"}, {"pay_disputed": True}, False),
        ({"erp_status": "unknown"}, {"pay_disputed": True, "pay_instalments": True}, False),
        ({"erp_status": "unknown", "open_minor": 5}, {}, False),
        ({"erp_status": "written_off"}, {}, False),
        ({"erp_status": "closed"}, {}, False),
        ({"open_minor": 0}, {}, False),
        ({"held_minor": 10_000}, {}, False),
    ],
)
def test_what_may_be_chosen_follows_the_status_and_the_settings(
    facts: dict[str, Any], settings: dict[str, bool], selectable: bool
) -> None:
    reason = why_not_payable(an_invoice(**facts), BusinessSettings(**settings))  # type: ignore[arg-type]
    assert (reason is None) is selectable
    assert reason is None or reason.strip()


@given(
    open_minor=st.integers(-5, 5),
    held_minor=st.integers(0, 8),
    word=st.sampled_from(WORDS),
    disputed=st.booleans(),
    instalments=st.booleans(),
)
def test_what_may_be_chosen_has_something_left_to_pay(
    open_minor: int, held_minor: int, word: str, disputed: bool, instalments: bool
) -> None:
    invoice = an_invoice(total_minor=5, open_minor=open_minor, held_minor=held_minor, erp_status=word)
    settings = BusinessSettings(pay_disputed=disputed, pay_instalments=instalments)
    if why_not_payable(invoice, settings) is None:
        assert invoice.available_minor > 0
        assert status_of(invoice) in COUNTED


# ---------------------------------------------------------------- lateness


@pytest.mark.parametrize(
    ("due", "paid", "shown"),
    [
        (TODAY + timedelta(days=1), None, None),
        (TODAY, None, 0),
        (TODAY - timedelta(days=1), None, 1),
        (TODAY - timedelta(days=400), None, 400),
        (TODAY - timedelta(days=30), TODAY - timedelta(days=20), 10),
        (TODAY - timedelta(days=30), TODAY - timedelta(days=30), 0),
        (TODAY - timedelta(days=30), TODAY - timedelta(days=31), None),
        (TODAY - timedelta(days=3), TODAY + timedelta(days=5), 3),  # a bookkeeper's date in the future
        (TODAY + timedelta(days=3), TODAY + timedelta(days=9), None),
        (date(2024, 2, 29), date(2024, 3, 1), 1),
    ],
)
def test_days_late_are_blank_until_due_zero_on_the_day_and_frozen_once_paid(
    due: date, paid: date | None, shown: int | None
) -> None:
    assert days_late(due_on=due, today=TODAY, paid_on=paid) == shown


days = st.dates(date(2020, 1, 1), date(2030, 1, 1))


@given(due=days, paid=days, later=st.integers(0, 999))
def test_days_late_never_grow_after_the_payment(due: date, paid: date, later: int) -> None:
    on_the_day = days_late(due_on=due, today=paid, paid_on=paid)
    assert days_late(due_on=due, today=paid + timedelta(days=later), paid_on=paid) == on_the_day


@pytest.mark.parametrize(
    ("facts", "overdue"),
    [
        ({"due_on": TODAY}, False),
        ({"due_on": TODAY - timedelta(days=1)}, True),
        ({"due_on": TODAY - timedelta(days=1), "open_minor": 0}, False),
        ({"due_on": TODAY - timedelta(days=1), "held_minor": 10_000}, True),
        ({"due_on": TODAY - timedelta(days=1), "erp_status": "in_dispute"}, True),
        ({"due_on": TODAY - timedelta(days=1), "erp_status": "written_off"}, False),
        ({"due_on": TODAY - timedelta(days=1), "erp_status": "closed"}, False),
    ],
)
def test_overdue_is_due_before_today_and_still_owed(facts: dict[str, Any], overdue: bool) -> None:
    assert is_overdue(an_invoice(**facts), today=TODAY) is overdue
