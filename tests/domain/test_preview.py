"""The fingerprint of what a person was shown: the same for the same facts, another for any that matters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.preview import facts_hash
from tests.domain.examples import an_invoice, open_amounts, some_invoices


@given(amounts=open_amounts, data=st.data())
def test_the_order_in_which_invoices_are_shown_does_not_matter(amounts: list[int], data: st.DataObject) -> None:
    invoices = some_invoices(amounts)
    assert facts_hash(data.draw(st.permutations(invoices))) == facts_hash(invoices)


@pytest.mark.parametrize(
    ("change", "matters"),
    [
        ({"open_minor": 9_999}, True),
        ({"held_minor": 1}, True),
        ({"erp_status": "in_dispute"}, True),
        ({"id": "inv_b"}, True),
        ({"held_by": "Ann Lee"}, False),
        ({"number": "INV-2"}, False),
    ],
)
def test_what_a_person_agreed_to_is_in_it_and_nothing_else(change: dict[str, Any], matters: bool) -> None:
    shown = an_invoice()
    assert (facts_hash([shown]) != facts_hash([replace(shown, **change)])) is matters


def test_one_invoice_more_or_less_is_another_fingerprint_and_none_is_empty() -> None:
    one, two = some_invoices([5]), some_invoices([5, 5])
    assert len({facts_hash([]), facts_hash(one), facts_hash(two)}) == 3
    assert facts_hash([]) == ""
