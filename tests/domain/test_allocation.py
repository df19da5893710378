"""Allocation: oldest first, not a cent lost, and never more than there is room for."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from domain.allocation import Line, adopt, first_of, oldest_first, spread
from domain.invoices import InvoiceFacts
from domain.money import Money
from domain.refusals import Refusal
from tests.domain.examples import an_invoice, open_amounts, some_invoices


def lines_of(amount: int, invoices: list[InvoiceFacts], *, most: int = 200) -> dict[str, int]:
    """What `spread` takes by invoice id; fails the test where it refuses."""
    lines = spread(Money.of(amount, "USD"), invoices, most=most)
    assert not isinstance(lines, Refusal), lines.sentence
    return {line.invoice_id: line.minor for line in lines}


def refused(amount: int, invoices: list[InvoiceFacts], *, most: int = 200) -> Refusal:
    refusal = spread(Money.of(amount, "USD"), invoices, most=most)
    assert isinstance(refusal, Refusal)
    return refusal


# ---------------------------------------------------------------- order


def test_the_oldest_is_first_by_issue_then_due_date_then_number_then_id() -> None:
    early, late = date(2026, 1, 1), date(2026, 1, 2)
    in_order = [
        an_invoice(id="inv_9", issued_on=early, due_on=late, number="Z"),
        an_invoice(id="inv_8", issued_on=late, due_on=early, number="Y"),
        an_invoice(id="inv_7", issued_on=late, due_on=late, number="A"),
        an_invoice(id="inv_1", issued_on=late, due_on=late, number="B"),
        an_invoice(id="inv_2", issued_on=late, due_on=late, number="B"),
    ]
    assert oldest_first(in_order[::-1]) == in_order


@given(amounts=open_amounts, data=st.data())
def test_the_order_does_not_depend_on_how_they_came(amounts: list[int], data: st.DataObject) -> None:
    invoices = some_invoices(amounts)
    assert oldest_first(data.draw(st.permutations(invoices))) == invoices


def test_select_all_takes_the_200_oldest() -> None:
    invoices = some_invoices([1] * 201)
    assert first_of(invoices[::-1]) == invoices[:200]
    assert first_of(invoices[:200]) == invoices[:200]


# ---------------------------------------------------------------- a custom amount


@given(amounts=open_amounts, data=st.data())
def test_a_custom_amount_is_spread_to_the_cent_over_the_oldest(amounts: list[int], data: st.DataObject) -> None:
    invoices = some_invoices(amounts)
    whole = sum(amounts)
    amount = data.draw(st.integers(min_value=1, max_value=max(whole, 1)))
    if amount > whole:
        assert refused(amount, invoices).rule == "custom_amount_above_open"
        return
    taken = lines_of(amount, invoices)
    assert sum(taken.values()) == amount
    assert all(minor > 0 for minor in taken.values())
    reached = [each for each in invoices if each.id in taken]
    # Everything before the last one reached is paid in full, and nothing behind it is touched.
    assert all(taken[each.id] == each.available_minor for each in reached[:-1])
    last = invoices.index(reached[-1])
    assert all(each.id in taken or each.available_minor == 0 for each in invoices[:last])


@given(amounts=open_amounts, data=st.data())
def test_two_amounts_one_after_the_other_pay_what_their_sum_pays(amounts: list[int], data: st.DataObject) -> None:
    invoices = some_invoices(amounts)
    whole = sum(amounts)
    if whole < 2:
        return
    first = data.draw(st.integers(min_value=1, max_value=whole - 1))
    second = data.draw(st.integers(min_value=1, max_value=whole - first))
    paid = lines_of(first, invoices)
    left = [replace(each, open_minor=each.open_minor - paid.get(each.id, 0)) for each in invoices]
    more = lines_of(second, left)
    together = {key: paid.get(key, 0) + more.get(key, 0) for key in paid | more}
    assert together == lines_of(first + second, invoices)


@given(amounts=open_amounts, held=st.integers(0, 50_000))
def test_what_others_hold_is_not_touched(amounts: list[int], held: int) -> None:
    invoices = [replace(each, held_minor=held) for each in some_invoices(amounts)]
    room = sum(each.available_minor for each in invoices)
    if room:
        assert all(minor + held <= 100_000 for minor in lines_of(room, invoices).values())
    largest = Money.of(room, "USD").plain()
    assert refused(room + 1, invoices).facts["largest"] == f"{largest} USD"


def test_the_201st_invoice_is_refused_with_the_largest_amount_that_fits() -> None:
    invoices = some_invoices([150] * 201)
    assert len(lines_of(200 * 150, invoices)) == 200
    refusal = refused(200 * 150 + 1, invoices)
    assert refusal.rule == "custom_amount_too_wide"
    assert refusal.facts == {"most": 200, "largest": "300.00 USD"}
    assert "200" in refusal.sentence
    assert "300.00 USD" in refusal.sentence


@given(amounts=open_amounts, most=st.integers(1, 5), extra=st.integers(1, 10))
def test_the_largest_amount_that_a_refusal_names_does_fit(amounts: list[int], most: int, extra: int) -> None:
    invoices = some_invoices(amounts)
    refusal = refused(sum(amounts) + extra, invoices, most=most)
    largest = round(float(str(refusal.facts["largest"]).removesuffix(" USD")) * 100)
    assert largest == sum([each for each in amounts if each][:most])
    if largest:
        assert sum(lines_of(largest, invoices, most=most).values()) == largest
    assert isinstance(spread(Money.of(largest + 1, "USD"), invoices, most=most), Refusal)


def test_paid_and_held_ones_do_not_count_towards_the_200() -> None:
    invoices = some_invoices([0] * 50 + [10] * 200)
    assert len(lines_of(2_000, invoices)) == 200


def test_an_amount_of_zero_or_less_is_refused() -> None:
    for amount in (0, -1):
        assert refused(amount, some_invoices([100])).rule == "amount_not_positive"


def test_an_amount_with_nothing_to_pay_is_refused() -> None:
    assert refused(1, []).rule == "custom_amount_above_open"


# ---------------------------------------------------------------- late success

wishes = st.lists(
    st.builds(Line, invoice_id=st.sampled_from(["inv_a", "inv_b", "inv_c"]), minor=st.integers(1, 500)), max_size=6
)
rooms = st.dictionaries(st.sampled_from(["inv_a", "inv_b", "inv_c"]), st.integers(-100, 500))


@given(wishes=wishes, room=rooms)
def test_adopted_money_fits_into_the_room_and_the_rest_is_remembered(wishes: list[Line], room: dict[str, int]) -> None:
    adoption = adopt(wishes, room)
    for invoice_id in {wish.invoice_id for wish in wishes}:
        taken = sum(line.minor for line in adoption.lines if line.invoice_id == invoice_id)
        still = sum(line.minor for line in adoption.wanted if line.invoice_id == invoice_id)
        asked = sum(wish.minor for wish in wishes if wish.invoice_id == invoice_id)
        assert taken + still == asked
        assert taken == min(asked, max(0, room.get(invoice_id, 0)))
    assert all(line.minor > 0 for line in adoption.lines + adoption.wanted)


def test_late_money_takes_part_of_the_room_where_not_all_fits() -> None:
    adoption = adopt([Line(invoice_id="inv_a", minor=100), Line(invoice_id="inv_b", minor=50)], {"inv_a": 60})
    assert adoption.lines == (Line(invoice_id="inv_a", minor=60),)
    assert adoption.wanted == (Line(invoice_id="inv_a", minor=40), Line(invoice_id="inv_b", minor=50))
