"""Credits: what may be put where, what is offered, and the first rule that says no."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from domain.allocation import Line
from domain.business import BusinessSettings
from domain.credits import CreditFacts, offered, plan_application, why_not_requested
from domain.payments import Plan
from domain.receivables import CreditKind
from domain.refusals import Refusal
from tests.domain.examples import an_invoice

CREDIT = CreditFacts(
    id="crd_1",
    customer_id="cus_1",
    number="CRN-1",
    kind=CreditKind.CREDIT_NOTE,
    currency="USD",
    issued_on=date(2026, 1, 1),
    deleted=False,
    total_minor=15_000,
    unapplied_minor=15_000,
    held_minor=0,
)
FIRST = replace(an_invoice(), id="inv_1", currency="USD", issued_on=date(2026, 1, 1), total_minor=10_000, open_minor=10_000)
SECOND = replace(FIRST, id="inv_2", issued_on=date(2026, 2, 1))
INVOICES = {each.id: each for each in (SECOND, FIRST)}


def lines(**amounts: int) -> list[Line]:
    return [Line(invoice_id=key, minor=minor) for key, minor in amounts.items()]


def test_a_plan_names_its_invoices_oldest_first() -> None:
    plan = plan_application(lines(inv_2=5_000, inv_1=10_000), CREDIT, INVOICES, BusinessSettings())
    assert isinstance(plan, Plan)
    assert [line.invoice_id for line in plan.lines] == ["inv_1", "inv_2"]
    assert plan.amount.minor == 15_000


@pytest.mark.parametrize(
    ("asked", "credit", "rule"),
    [
        ({}, {}, "nothing_selected"),
        ({"inv_1": 0}, {}, "amount_not_positive"),
        ({"inv_1": 1}, {"deleted": True}, "credit_not_found"),
        ({"inv_1": 1}, {"unapplied_minor": 0}, "credit_used_up"),
        ({"inv_1": 1}, {"held_minor": 15_000}, "credit_used_up"),
        ({"inv_1": 1}, {"unapplied_minor": -1}, "credit_used_up"),
        ({"inv_1": 1}, {"currency": "EUR"}, "credit_currency"),
        ({"inv_1": 10_001}, {}, "amount_exceeds_available"),
        ({"inv_9": 1}, {}, "invoice_not_found"),
        ({"inv_1": 9_000, "inv_2": 7_000}, {}, "amount_exceeds_credit"),
    ],
)
def test_the_first_rule_that_says_no_is_named(asked: dict[str, int], credit: dict[str, Any], rule: str) -> None:
    refusal = plan_application(lines(**asked), replace(CREDIT, **credit), INVOICES, BusinessSettings())
    assert isinstance(refusal, Refusal)
    assert refusal.rule == rule
    assert "—" not in refusal.sentence


def test_an_invoice_named_twice_is_refused() -> None:
    refusal = plan_application([*lines(inv_1=1), *lines(inv_1=1)], CREDIT, INVOICES, BusinessSettings())
    assert isinstance(refusal, Refusal)
    assert refusal.rule == "invoice_listed_twice"


def test_the_oldest_invoices_are_offered_and_the_last_one_in_part() -> None:
    assert offered(CREDIT, list(INVOICES.values())) == (
        Line(invoice_id="inv_1", minor=10_000),
        Line(invoice_id="inv_2", minor=5_000),
    )
    assert offered(replace(CREDIT, held_minor=15_000), list(INVOICES.values())) == ()


@pytest.mark.parametrize("kind", list(CreditKind))
def test_each_switch_and_its_list_decide_whether_one_may_ask(kind: CreditKind) -> None:
    assert why_not_requested(kind, BusinessSettings()) is None
    is_note = kind is CreditKind.CREDIT_NOTE
    own = BusinessSettings(requests_credit_notes=not is_note, requests_prepayments=is_note)
    for settings in (own, BusinessSettings(show_credits=False)):
        refusal = why_not_requested(kind, settings)
        assert refusal is not None
        assert refusal.rule == "credits_not_requested"
