"""Booking: an entry balances or cannot be built."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.allocation import Line
from domain.booking import Account, JournalEntry, JournalLine, applied, captured, returned

allocations = st.lists(
    st.builds(Line, invoice_id=st.integers(0, 99).map(lambda n: f"inv_{n}"), minor=st.integers(1, 10**9)),
    max_size=12,
    unique_by=lambda line: line.invoice_id,
)


def sums(*entries: JournalEntry) -> Counter[tuple[Account, str]]:
    """Balance of each account and holder over some entries."""
    result: Counter[tuple[Account, str]] = Counter()
    for line in (line for entry in entries for line in entry.lines):
        result[line.account, line.holder] += line.minor
    return result


def of(allocated: list[Line], rest: int) -> JournalEntry:
    amount = sum(line.minor for line in allocated) + rest
    return captured(amount=amount, allocated=allocated, customer_id="cus_a", connection_id="con_a")


@given(allocated=allocations, rest=st.integers(0, 10**9))
def test_captured_money_is_in_clearing_on_the_invoices_and_the_rest_unapplied(allocated: list[Line], rest: int) -> None:
    amount = sum(line.minor for line in allocated) + rest
    if amount == 0:
        return
    entry = of(allocated, rest)
    assert sum(line.minor for line in entry.lines) == 0
    assert sums(entry)[Account.CLEARING, "con_a"] == amount
    assert sums(entry)[Account.RECEIVABLE, "cus_a"] == rest - amount
    assert sums(entry)[Account.UNAPPLIED, "cus_a"] == -rest
    on_invoices = {line.invoice_id: -line.minor for line in entry.lines if line.invoice_id}
    assert on_invoices == {line.invoice_id: line.minor for line in allocated}


@given(allocated=allocations, rest=st.integers(1, 10**9))
def test_returned_money_mirrors_what_was_captured(allocated: list[Line], rest: int) -> None:
    amount = sum(line.minor for line in allocated) + rest
    back = returned(amount=amount, deallocated=allocated, customer_id="cus_a", connection_id="con_a")
    assert back.lines == tuple(replace(line, minor=-line.minor) for line in of(allocated, rest).lines)
    assert not any(sums(of(allocated, rest), back).values())


@given(allocated=allocations.filter(bool))
def test_money_that_was_unapplied_and_is_applied_later_ends_where_it_would_have_at_once(allocated: list[Line]) -> None:
    amount = sum(line.minor for line in allocated)
    later = sums(of([], amount), applied(lines=allocated, customer_id="cus_a"))
    assert +later == +sums(of(allocated, 0))
    assert -later == -sums(of(allocated, 0))


def test_no_entry_is_empty_or_leans() -> None:
    line = JournalLine(account=Account.CLEARING, holder="con_a", minor=5)
    for lines in ((line,), (line, replace(line, minor=-4)), (line, replace(line, minor=-5), replace(line, minor=0))):
        with pytest.raises(ValueError, match="balances"):
            JournalEntry(lines=lines)


def test_nothing_captured_and_nothing_applied_are_no_entries() -> None:
    with pytest.raises(ValueError, match="balances"):
        of([], 0)
    with pytest.raises(ValueError, match="balances"):
        applied(lines=[], customer_id="cus_a")


def test_more_than_arrived_is_never_allocated() -> None:
    with pytest.raises(ValueError, match="more than"):
        of([Line(invoice_id="inv_a", minor=10)], -1)
