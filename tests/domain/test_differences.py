"""What the far side shows is judged by what we hold; what is on its way is judged by nobody."""

from __future__ import annotations

import pytest

from api.staff.differences import SENTENCES
from domain.differences import (
    CLASSES,
    DifferenceKind,
    Held,
    Shown,
    Took,
    Written,
    judge_charges,
    judge_document,
)
from domain.money import Money

POUND = Money.of(100, "GBP")
HELD = Held(amount=POUND, written=Written.YES)


def shown(amount: Money = POUND, *, stands: bool = True, number: str = "P-1") -> Shown:
    return Shown(erp_id=number, number=number, amount=amount, stands=stands)


def took(amount: Money = POUND, *, is_certain: bool = True, charge: str = "ch_1") -> Took:
    return Took(provider_id=charge, word="captured", amount=amount, is_certain=is_certain)


@pytest.mark.parametrize(
    ("held", "documents", "kind", "beyond"),
    [
        (HELD, [shown()], None, 0),
        (HELD, [shown(), shown(stands=False, number="P-0")], None, 0),
        (HELD, [], "missing_in_erp", -100),
        (HELD, [shown(stands=False)], "deleted_in_erp", -100),
        (HELD, [shown(), shown(number="P-2")], "duplicate_in_erp", 100),
        (HELD, [shown(), shown(number="P-2"), shown(number="P-3")], "duplicate_in_erp", 200),
        (HELD, [shown(Money.of(90, "GBP"))], "amount_in_erp", -10),
        (HELD, [shown(Money.of(100, "EUR"))], "amount_in_erp", 100),
        (Held(amount=POUND, written=Written.PERHAPS), [], None, 0),
        (Held(amount=POUND, written=Written.PERHAPS), [shown(), shown(number="P-2")], None, 0),
        (Held(amount=POUND, written=Written.NO), [], None, 0),
        (Held(amount=POUND, written=Written.NO), [shown()], "stray_in_erp", 100),
        (Held(amount=POUND, written=Written.TAKEN_BACK), [shown(stands=False)], None, 0),
        (Held(amount=POUND, written=Written.TAKEN_BACK), [shown()], "stands_in_erp", 100),
        (None, [shown()], "stray_in_erp", 100),
        (None, [shown(stands=False)], None, 0),
    ],
)
def test_a_document_is_judged_by_what_we_hold_of_it(
    held: Held | None, documents: list[Shown], kind: str | None, beyond: int
) -> None:
    judged = judge_document(held, documents)
    assert (None if judged is None else judged.kind.value, 0 if judged is None else judged.amount.minor) == (kind, beyond)


def test_of_several_documents_all_but_the_one_that_was_confirmed_are_too_much_and_one_at_a_time_is_named() -> None:
    held = Held(amount=POUND, written=Written.YES, erp_id="P-2")
    judged = judge_document(held, [shown(Money.of(70, "GBP"), number="P-1"), shown(number="P-2"), shown(number="P-3")])
    assert judged is not None
    assert judged.amount == Money.of(170, "GBP"), "the one that is ours is not counted"
    named = {name: judged.facts[name] for name in ("surplus", "surplus_number", "surplus_minor")}
    assert named == {"surplus": "P-3", "surplus_number": "P-3", "surplus_minor": "100"}
    foreign = judge_document(held, [shown(number="P-2"), shown(Money.of(100, "EUR"), number="P-4")])
    assert foreign is not None
    assert "surplus" not in foreign.facts, "our reversal is in the payment's currency"


@pytest.mark.parametrize(
    ("is_taken", "charges", "kind", "beyond"),
    [
        (True, [took()], None, 0),
        (True, [], "charge_missing", -100),
        (True, [took(is_certain=False)], "charge_missing", -100),
        (True, [took(), took(charge="ch_2")], "charged_again", 100),
        (True, [took(Money.of(120, "GBP"))], "another_amount", 20),
        (True, [took(Money.of(100, "EUR"))], "another_amount", 100),
        (False, [], None, 0),
        (False, [took()], "charge_not_booked", 100),
        (False, [took(is_certain=False)], "charge_not_booked", 100),
    ],
)
def test_a_payments_charges_are_judged_by_what_we_say_it_took(
    is_taken: bool, charges: list[Took], kind: str | None, beyond: int
) -> None:
    judged = judge_charges(POUND, charges, took=is_taken)
    assert (None if judged is None else judged.kind.value, 0 if judged is None else judged.amount.minor) == (kind, beyond)


def test_the_charge_that_is_the_payment_is_not_what_is_told_however_they_are_listed() -> None:
    charges = [took(Money.of(70, "GBP"), charge="ch_3"), took(Money.of(50, "GBP"), charge="ch_2"), took()]
    judged = judge_charges(POUND, charges, took=True, own_id="ch_1")
    assert judged is not None
    assert (judged.kind.value, judged.amount) == ("charged_again", Money.of(120, "GBP"))


@pytest.mark.parametrize(
    ("listed_again", "documents", "beyond"),
    [
        (0, ["doc-1"], None),  # an ERP shows by its reference what was taken back, too
        (1, ["doc-1"], 100),  # somebody put it back
        (1, ["doc-1", "doc-2"], 100),  # somebody entered another
        (2, ["doc-1", "doc-2"], 200),
        (0, ["doc-2"], 100),
    ],
)
def test_what_was_taken_back_stands_where_more_is_there_than_we_wrote(
    listed_again: int, documents: list[str], beyond: int | None
) -> None:
    held = Held(amount=POUND, written=Written.TAKEN_BACK, erp_id="doc-1", listed_again=listed_again)
    judged = judge_document(held, [shown(number=each) for each in documents])
    assert (None if judged is None else judged.amount.minor) == beyond


def test_every_kind_has_a_class_and_words_for_staff() -> None:
    assert set(CLASSES) == set(SENTENCES) == set(DifferenceKind)
