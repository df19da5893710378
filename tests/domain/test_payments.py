"""Whether a payment may be opened: each rule that says no has a test of its own name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.allocation import Line
from domain.business import BusinessSettings, MinimumBasis
from domain.invoices import InvoiceFacts
from domain.methods import MethodKind
from domain.payments import Balances, Plan, Wish, balances_of, plan
from domain.refusals import Refusal
from tests.domain.examples import TODAY, a_wish, an_invoice, open_amounts, some_invoices

DEFAULTS = BusinessSettings()
AN_INVOICE = an_invoice()


def planned(
    wish: Wish,
    invoices: Iterable[InvoiceFacts] = (AN_INVOICE,),
    settings: BusinessSettings = DEFAULTS,
    balances: Balances | None = None,
) -> Plan:
    made = plan(wish, {each.id: each for each in invoices}, settings, balances)
    assert isinstance(made, Plan), made.sentence
    return made


def refused(
    wish: Wish,
    invoices: Iterable[InvoiceFacts] = (AN_INVOICE,),
    settings: BusinessSettings = DEFAULTS,
    balances: Balances | None = None,
) -> Refusal:
    made = plan(wish, {each.id: each for each in invoices}, settings, balances)
    assert isinstance(made, Refusal)
    assert "—" not in made.sentence, "a fact of the sentence is missing"
    return made


# ---------------------------------------------------------------- what may be paid


@given(amounts=open_amounts, data=st.data())
def test_a_plan_holds_exactly_what_was_asked_in_oldest_first_order(amounts: list[int], data: st.DataObject) -> None:
    invoices = [each for each in some_invoices(amounts) if each.available_minor]
    asked = [(each.id, data.draw(st.integers(1, each.available_minor))) for each in invoices]
    if not asked:
        return
    made = planned(a_wish(*data.draw(st.permutations(asked))), invoices)
    assert [(line.invoice_id, line.minor) for line in made.lines] == asked
    assert made.amount.minor == sum(minor for _, minor in asked)
    assert made.amount.currency == "USD"


def test_200_invoices_are_one_payment() -> None:
    invoices = some_invoices([7] * 200)
    assert planned(a_wish(*((each.id, 7) for each in invoices)), invoices).amount.minor == 1_400


def test_what_another_payment_leaves_of_an_invoice_may_be_paid() -> None:
    held = an_invoice(held_minor=9_000)
    assert planned(a_wish(("inv_a", 1_000)), [held]).amount.minor == 1_000


# ---------------------------------------------------------------- the shape of a wish


def test_paying_off_refuses_everything_when_both_switches_are_off() -> None:
    off = BusinessSettings(one_time_payment=False, charge_on_file=False)
    assert not off.may_pay
    for keeps in (True, False):
        assert refused(a_wish(("inv_a", 10_000), keeps_method=keeps), settings=off).rule == "paying_off"


def test_one_time_off_refuses_a_method_that_is_not_kept_and_no_other() -> None:
    settings = BusinessSettings(one_time_payment=False)
    assert refused(a_wish(("inv_a", 10_000)), settings=settings).rule == "one_time_off"
    planned(a_wish(("inv_a", 10_000), keeps_method=True), settings=settings)


def test_saved_methods_off_refuses_a_kept_method_and_no_other() -> None:
    settings = BusinessSettings(charge_on_file=False)
    assert refused(a_wish(("inv_a", 10_000), keeps_method=True), settings=settings).rule == "saved_methods_off"
    planned(a_wish(("inv_a", 10_000)), settings=settings)


def test_nothing_selected_is_refused() -> None:
    assert refused(a_wish()).rule == "nothing_selected"


def test_too_many_invoices_are_refused_and_never_cut() -> None:
    invoices = some_invoices([7] * 201)
    refusal = refused(a_wish(*((each.id, 7) for each in invoices)), invoices)
    assert refusal.rule == "too_many_invoices"
    assert refusal.facts == {"most": 200, "asked": 201}


def test_an_invoice_listed_twice_is_refused() -> None:
    assert refused(a_wish(("inv_a", 1), ("inv_a", 2))).rule == "invoice_listed_twice"


@pytest.mark.parametrize("minor", [0, -1, -10_000])
def test_an_amount_that_is_not_positive_is_refused(minor: int) -> None:
    others = some_invoices([100_000])
    wish = a_wish(("inv_000", 50_000), ("inv_a", minor))
    assert refused(wish, [AN_INVOICE, *others]).rule == "amount_not_positive"


# ---------------------------------------------------------------- each invoice


@pytest.mark.parametrize(
    "facts", [{"erp_status": "draft"}, {"erp_status": "void"}, {"paused": True}], ids=["draft", "void", "paused"]
)
def test_invoice_not_found_answers_for_what_a_customer_may_not_see(facts: dict[str, Any]) -> None:
    hidden = refused(a_wish(("inv_a", 10_000)), [an_invoice(**facts)])
    absent = refused(a_wish(("inv_a", 10_000)), [])
    assert hidden == absent
    assert (absent.rule, absent.status) == ("invoice_not_found", 404)


def test_a_paused_invoice_is_paid_where_paused_ones_are_shown() -> None:
    planned(a_wish(("inv_a", 10_000)), [an_invoice(paused=True)], BusinessSettings(exclude_paused=False))


def test_currency_mismatch_refuses_an_invoice_of_another_currency() -> None:
    euros = an_invoice(id="inv_e", currency="EUR")
    assert refused(a_wish(("inv_a", 10_000), ("inv_e", 10_000)), [AN_INVOICE, euros]).rule == "currency_mismatch"
    assert refused(a_wish(("inv_a", 10_000), currency="EUR")).rule == "currency_mismatch"


def test_parent_not_payable_refuses_the_multi_site_invoice_itself() -> None:
    refusal = refused(a_wish(("inv_a", 10_000)), [an_invoice(is_parent=True)])
    assert refusal.rule == "parent_not_payable"
    assert refusal.facts["number"] == "INV-1"


@pytest.mark.parametrize("open_minor", [0, -500])
def test_invoice_paid_refuses_what_has_nothing_open(open_minor: int) -> None:
    refusal = refused(a_wish(("inv_a", 1)), [an_invoice(open_minor=open_minor)])
    assert (refusal.rule, refusal.status) == ("invoice_paid", 409)


def test_invoice_being_paid_names_who_and_since_when() -> None:
    pending = an_invoice(held_minor=10_000, held_by="Ann Lee", held_since="10:15")
    refusal = refused(a_wish(("inv_a", 1)), [pending])
    assert refusal.rule == "invoice_being_paid"
    assert "Ann Lee since 10:15" in refusal.sentence
    assert refused(a_wish(("inv_a", 1)), [an_invoice(held_minor=10_000)]).rule == "invoice_being_paid"


@pytest.mark.parametrize("word", ["written_off", "closed", "in_dispute", "in_instalments", "unknown"])
def test_invoice_not_payable_says_why(word: str) -> None:
    refusal = refused(a_wish(("inv_a", 10_000)), [an_invoice(erp_status=word)])
    assert refusal.rule == "invoice_not_payable"
    assert refusal.facts["reason"]


@pytest.mark.parametrize(("held", "asked"), [(0, 10_001), (4_000, 6_001), (9_999, 2)])
def test_amount_exceeds_available_refuses_one_unit_too_much(held: int, asked: int) -> None:
    invoice = an_invoice(held_minor=held)
    refusal = refused(a_wish(("inv_a", asked)), [invoice])
    assert refusal.rule == "amount_exceeds_available"
    planned(a_wish(("inv_a", asked - 1)), [invoice])


def test_amount_out_of_range_refuses_a_sum_that_no_payment_reaches() -> None:
    invoices = some_invoices([10**15 - 1, 10**15 - 1])
    wish = a_wish(*((each.id, 10**15 - 1) for each in invoices))
    assert refused(wish, invoices).rule == "amount_out_of_range"


def test_the_first_bad_invoice_in_the_order_asked_is_the_one_named() -> None:
    paid, parent = an_invoice(id="inv_p", number="P", open_minor=0), an_invoice(id="inv_q", number="Q", is_parent=True)
    assert refused(a_wish(("inv_q", 1), ("inv_p", 1)), [paid, parent]).facts["number"] == "Q"
    assert refused(a_wish(("inv_p", 1), ("inv_q", 1)), [paid, parent]).facts["number"] == "P"


# ---------------------------------------------------------------- partial payment


def test_partial_not_allowed_refuses_a_part_while_the_switch_is_off() -> None:
    settings = BusinessSettings(partial_payment=False)
    assert refused(a_wish(("inv_a", 9_999)), settings=settings).rule == "partial_not_allowed"
    planned(a_wish(("inv_a", 10_000)), settings=settings)


def test_all_that_is_available_is_no_part_even_while_another_payment_holds_some() -> None:
    settings = BusinessSettings(partial_payment=False)
    planned(a_wish(("inv_a", 6_000)), [an_invoice(held_minor=4_000)], settings)


@pytest.mark.parametrize(("asked", "allowed"), [(2_499, False), (2_500, True), (10_000, True)])
def test_below_minimum_refuses_a_part_under_the_partial_minimum(asked: int, allowed: bool) -> None:
    settings = BusinessSettings(minimum_partial={"USD": 2_500})
    if allowed:
        planned(a_wish(("inv_a", asked)), settings=settings)
    else:
        assert refused(a_wish(("inv_a", asked)), settings=settings).rule == "below_minimum"


def test_where_less_than_the_partial_minimum_is_open_the_whole_is_the_minimum() -> None:
    settings = BusinessSettings(minimum_partial={"USD": 2_500})
    small = an_invoice(open_minor=2_000)
    planned(a_wish(("inv_a", 2_000)), [small], settings)
    assert refused(a_wish(("inv_a", 1_999)), [small], settings).facts["minimum"] == "20.00 USD"


def test_the_partial_minimum_is_of_the_payment_and_of_its_currency() -> None:
    settings = BusinessSettings(minimum_partial={"USD": 2_500, "EUR": 9_000})
    invoices = some_invoices([2_000, 2_000])
    planned(a_wish(("inv_000", 2_000), ("inv_001", 500)), invoices, settings)
    assert refused(a_wish(("inv_000", 2_000), ("inv_001", 499)), invoices, settings).rule == "below_minimum"


# ---------------------------------------------------------------- the minimum payment and the card limit

SUMS = Balances(overdue=3_000, due=5_000, total=9_000)


@pytest.mark.parametrize(("basis", "minimum"), [("overdue", 3_000), ("due", 5_000), ("total", 9_000)])
def test_below_minimum_names_the_sum_it_used_and_allows_the_sum_itself(basis: MinimumBasis, minimum: int) -> None:
    settings = BusinessSettings(minimum_payment=basis)
    refusal = refused(a_wish(("inv_a", minimum - 1)), settings=settings, balances=SUMS)
    assert refusal.rule == "below_minimum"
    assert {"overdue": "overdue", "due": "due today", "total": "whole"}[basis] in refusal.sentence
    planned(a_wish(("inv_a", minimum)), settings=settings, balances=SUMS)


def test_no_minimum_needs_no_sums() -> None:
    planned(a_wish(("inv_a", 1)))


def test_a_minimum_without_the_sums_is_a_bug_and_no_refusal() -> None:
    with pytest.raises(ValueError, match="balances are needed"):
        plan(a_wish(("inv_a", 1)), {"inv_a": AN_INVOICE}, BusinessSettings(minimum_payment="due"), None)


@pytest.mark.parametrize(
    ("kind", "asked", "allowed"),
    [
        (MethodKind.CARD, 5_000, True),
        (MethodKind.CARD, 5_001, False),
        (MethodKind.US_BANK_ACCOUNT, 5_001, True),
        (MethodKind.SEPA_DEBIT, 5_001, True),
        (MethodKind.BACS_DEBIT, 5_001, True),
    ],
)
def test_card_above_limit_allows_the_limit_itself_and_every_bank_debit(kind: MethodKind, asked: int, allowed: bool) -> None:
    settings = BusinessSettings(card_limit={"USD": 5_000})
    wish = a_wish(("inv_a", asked), kind=kind)
    if allowed:
        planned(wish, settings=settings)
    else:
        assert refused(wish, settings=settings).rule == "card_above_limit"


def test_a_card_limit_of_zero_refuses_every_card_and_of_another_currency_none() -> None:
    assert refused(a_wish(("inv_a", 1)), settings=BusinessSettings(card_limit={"USD": 0})).rule == "card_above_limit"
    planned(a_wish(("inv_a", 1)), settings=BusinessSettings(card_limit={"EUR": 0}))


# ---------------------------------------------------------------- the sums


def test_the_sums_follow_the_due_date_to_the_day() -> None:
    invoices = [
        an_invoice(id=f"inv_{days}", due_on=TODAY + timedelta(days=days), open_minor=10 ** (days + 2)) for days in (-1, 0, 1)
    ]
    assert balances_of(invoices, currency="USD", today=TODAY) == Balances(overdue=10, due=110, total=1_110)


@pytest.mark.parametrize(
    ("facts", "counted"),
    [
        ({}, True),
        ({"held_minor": 10_000}, True),
        ({"erp_status": "in_dispute"}, True),
        ({"erp_status": "in_instalments"}, True),
        ({"open_minor": -100}, False),
        ({"erp_status": "written_off"}, False),
        ({"erp_status": "closed"}, False),
        ({"erp_status": "draft"}, False),
        ({"erp_status": "void"}, False),
        ({"is_parent": True}, False),
        ({"currency": "EUR"}, False),
    ],
)
def test_the_sums_count_what_is_owed_on_leaves_of_one_currency(facts: dict[str, Any], counted: bool) -> None:
    assert balances_of([an_invoice(**facts)], currency="USD", today=TODAY).total == (10_000 if counted else 0)


# ---------------------------------------------------------------- nothing slips through

lines = st.lists(
    st.builds(Line, invoice_id=st.sampled_from(["inv_a", "inv_b", "inv_x"]), minor=st.integers(-2, 12)), max_size=4
)
facts = st.fixed_dictionaries(
    {
        "erp_status": st.sampled_from(["open", "open", "draft", "paid", "in_dispute", "unknown", "closed"]),
        "open_minor": st.integers(-2, 10),
        "held_minor": st.integers(0, 10),
        "is_parent": st.booleans(),
        "paused": st.booleans(),
        "currency": st.sampled_from(["USD", "USD", "EUR"]),
    }
)


@given(lines=lines, one=facts, other=facts, partial=st.booleans(), disputed=st.booleans())
def test_whatever_is_asked_a_plan_never_takes_more_than_is_available(
    lines: list[Line], one: dict[str, Any], other: dict[str, Any], partial: bool, disputed: bool
) -> None:
    invoices = {"inv_a": an_invoice(id="inv_a", **one), "inv_b": an_invoice(id="inv_b", **other)}
    settings = BusinessSettings(partial_payment=partial, pay_disputed=disputed)
    made = plan(replace(a_wish(), lines=tuple(lines)), invoices, settings, None)
    if isinstance(made, Refusal):
        assert made.status in {404, 409, 422}
        return
    assert len({line.invoice_id for line in made.lines}) == len(made.lines) == len(lines)
    for line in made.lines:
        invoice = invoices[line.invoice_id]
        assert 0 < line.minor <= invoice.available_minor
        assert invoice.currency == "USD"
        assert not invoice.is_parent
        assert not invoice.paused
        assert partial or line.minor == invoice.available_minor
