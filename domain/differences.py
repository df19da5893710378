"""Differences: what Duly and the other side disagree about, by class. Each is seen once, and ends by agreeing again or by a
person's reason.

A document or a charge is judged by what the far side shows when it is asked, never by what was read of it before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Final

from domain.money import Money, total


class DifferenceKind(StrEnum):
    """What differs. Those of documents are found by reconciling, the others where they happen."""

    # An invoice's figures, in the transaction that took them in.
    OVERPAID = "overpaid"
    HOLD_EXCEEDS_OPEN = "hold_exceeds_open"
    EDITED_IN_ERP = "edited_in_erp"
    CREDIT_OVERUSED = "credit_overused"
    # A payment's document in the ERP.
    MISSING_IN_ERP = "missing_in_erp"
    DUPLICATE_IN_ERP = "duplicate_in_erp"
    AMOUNT_IN_ERP = "amount_in_erp"
    DELETED_IN_ERP = "deleted_in_erp"
    STANDS_IN_ERP = "stands_in_erp"
    STRAY_IN_ERP = "stray_in_erp"
    PAID_THEN_VOID = "paid_then_void"
    FOREIGN_PAYMENT = "foreign_payment"
    # A charge or a refund at its provider.
    ANOTHER_AMOUNT = "another_amount"
    ANOTHER_REFUND = "another_refund"
    CHARGED_AGAIN = "charged_again"
    CHARGE_MISSING = "charge_missing"
    CHARGE_NOT_BOOKED = "charge_not_booked"
    RETURN_UNDONE = "return_undone"
    REFUND_AFTER_RETURN = "refund_after_return"
    # A payout of a provider's, its parts, and its deposit in the ERP.
    PAYOUT_INCOMPLETE = "payout_incomplete"
    PAYOUT_OF_STRANGERS = "payout_of_strangers"
    PAID_OUT_AMOUNT = "paid_out_amount"
    PAID_OUT_AGAIN = "paid_out_again"
    NOT_PAID_OUT = "not_paid_out"
    TAKEN_BACK_UNKNOWN = "taken_back_unknown"
    DEPOSIT_MISSING = "deposit_missing"
    DEPOSIT_AMOUNT = "deposit_amount"
    # Sums.
    CUSTOMER_TOTAL = "customer_total"
    LEDGER_TOTAL = "ledger_total"


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferenceClass:
    """`code` is the class in reconciliation's own list. What is younger than `grace` settles by itself as a rule: nobody is
    told of it yet. `mends_itself`: the next look closes it once both sides agree, and no person can.
    """

    code: str
    grace: timedelta = timedelta(0)
    mends_itself: bool = False


CLASSES: Final[Mapping[DifferenceKind, DifferenceClass]] = {
    DifferenceKind.OVERPAID: DifferenceClass(code="D04", mends_itself=True),
    DifferenceKind.HOLD_EXCEEDS_OPEN: DifferenceClass(code="D10", mends_itself=True),
    DifferenceKind.EDITED_IN_ERP: DifferenceClass(code="D06", mends_itself=True),
    DifferenceKind.CREDIT_OVERUSED: DifferenceClass(code="D11", mends_itself=True),
    DifferenceKind.MISSING_IN_ERP: DifferenceClass(code="D01", grace=timedelta(minutes=15)),
    DifferenceKind.DUPLICATE_IN_ERP: DifferenceClass(code="D02"),
    DifferenceKind.AMOUNT_IN_ERP: DifferenceClass(code="D05"),
    DifferenceKind.DELETED_IN_ERP: DifferenceClass(code="D09"),
    DifferenceKind.STANDS_IN_ERP: DifferenceClass(code="D15", grace=timedelta(minutes=15)),
    DifferenceKind.STRAY_IN_ERP: DifferenceClass(code="D02"),
    DifferenceKind.PAID_THEN_VOID: DifferenceClass(code="D10"),
    DifferenceKind.FOREIGN_PAYMENT: DifferenceClass(code="D03"),
    DifferenceKind.ANOTHER_AMOUNT: DifferenceClass(code="D05"),
    DifferenceKind.ANOTHER_REFUND: DifferenceClass(code="D05"),
    DifferenceKind.CHARGED_AGAIN: DifferenceClass(code="D04"),
    DifferenceKind.CHARGE_MISSING: DifferenceClass(code="D14"),
    DifferenceKind.CHARGE_NOT_BOOKED: DifferenceClass(code="D13"),
    DifferenceKind.RETURN_UNDONE: DifferenceClass(code="D15"),
    DifferenceKind.REFUND_AFTER_RETURN: DifferenceClass(code="D15"),
    DifferenceKind.PAYOUT_INCOMPLETE: DifferenceClass(code="D16", grace=timedelta(days=2)),
    DifferenceKind.PAYOUT_OF_STRANGERS: DifferenceClass(code="D13", grace=timedelta(hours=1)),
    DifferenceKind.PAID_OUT_AMOUNT: DifferenceClass(code="D05"),
    DifferenceKind.PAID_OUT_AGAIN: DifferenceClass(code="D04"),
    # Its grace is the provider's own term: it is looked for after that.
    DifferenceKind.NOT_PAID_OUT: DifferenceClass(code="D14"),
    DifferenceKind.TAKEN_BACK_UNKNOWN: DifferenceClass(code="D15", grace=timedelta(hours=1)),
    DifferenceKind.DEPOSIT_MISSING: DifferenceClass(code="D16", grace=timedelta(days=2)),
    DifferenceKind.DEPOSIT_AMOUNT: DifferenceClass(code="D16", grace=timedelta(days=2)),
    DifferenceKind.CUSTOMER_TOTAL: DifferenceClass(code="D18", grace=timedelta(minutes=15), mends_itself=True),
    DifferenceKind.LEDGER_TOTAL: DifferenceClass(code="D17"),
}


class Written(StrEnum):
    """What we know of a document's writing."""

    NO = "no"  # it was never sent, or the ERP refused it
    PERHAPS = "perhaps"  # on its way: whoever sends it looks for it
    YES = "yes"
    TAKEN_BACK = "taken_back"  # written, and its reversal too


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A payment's document as Duly has it. `erp_id`: the one that was written. `listed_again`: how many the ERP's list shows
    to stand since a reversal took it back.
    """

    amount: Money
    written: Written
    erp_id: str | None = None  # of the document that the ERP confirmed
    listed_again: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A document that bears the reference, as the ERP shows it now."""

    erp_id: str
    number: str
    amount: Money
    stands: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """A difference's kind, what the other side shows beyond ours, and the evidence in short words."""

    kind: DifferenceKind
    amount: Money
    facts: Mapping[str, str] = field(default_factory=dict)


def judge_document(held: Held | None, shown: Sequence[Shown]) -> Disagreement | None:
    """Whether what the ERP shows of a reference is what we hold of it; None when it is, or when it is too early to say.

    `held` is None for a reference in our form that is none of ours.
    """
    standing = [each for each in shown if each.stands]
    facts = {"shown": ", ".join(f"{each.number} {each.amount.plain()} {each.amount.currency}" for each in standing or shown)}
    if held is None or held.written is Written.NO:
        return _beyond(DifferenceKind.STRAY_IN_ERP, standing, facts) if standing else None
    if held.written is Written.PERHAPS:
        return None
    if held.written is Written.TAKEN_BACK:
        # A reversal deletes nothing: asked for its reference, an ERP shows what we wrote, and only its list says that
        # nothing is left of it.
        if held.listed_again < len(standing):
            standing = [each for each in standing if each.erp_id != held.erp_id]
        return _beyond(DifferenceKind.STANDS_IN_ERP, standing, facts) if standing else None
    if not shown:
        return Disagreement(kind=DifferenceKind.MISSING_IN_ERP, amount=-held.amount)
    if not standing:
        return Disagreement(kind=DifferenceKind.DELETED_IN_ERP, amount=-held.amount, facts=facts)
    if len(standing) > 1:
        surplus = _surplus(held, standing)
        return _beyond(DifferenceKind.DUPLICATE_IN_ERP, surplus, {**facts, **_to_be_taken_back(held, surplus[-1])})
    [one] = standing
    if one.amount == held.amount:
        return None
    is_comparable = one.amount.currency == held.amount.currency
    return Disagreement(
        kind=DifferenceKind.AMOUNT_IN_ERP, amount=one.amount - held.amount if is_comparable else one.amount, facts=facts
    )


def _surplus(held: Held, standing: Sequence[Shown]) -> Sequence[Shown]:
    """Which of several are too much: all but the document that the ERP confirmed to us, or else the first."""
    others = [each for each in standing if each.erp_id != held.erp_id]
    return others if len(others) < len(standing) else standing[1:]


def _to_be_taken_back(held: Held, surplus: Shown) -> Mapping[str, str]:
    """The one of them that staff may have reversed: of three, the next comparison names the third."""
    if surplus.amount.currency != held.amount.currency:
        return {}
    return {"surplus": surplus.erp_id, "surplus_number": surplus.number, "surplus_minor": str(surplus.amount.minor)}


def _beyond(kind: DifferenceKind, documents: Sequence[Shown], facts: Mapping[str, str]) -> Disagreement:
    """Documents that ought not to be there."""
    return Disagreement(kind=kind, amount=_sum([each.amount for each in documents]), facts=facts)


def _sum(amounts: Sequence[Money]) -> Money:
    """In the first one's currency; what is in another is in the evidence."""
    currency = amounts[0].currency
    return total((each for each in amounts if each.currency == currency), currency=currency)


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """A charge that moves money, as the provider shows it now; `is_certain` once it is captured or further."""

    provider_id: str
    word: str
    amount: Money
    is_certain: bool


def judge_charges(amount: Money, charges: Sequence[Took], *, took: bool, own_id: str | None = None) -> Disagreement | None:
    """Whether what the provider shows of a payment's attempts is what we say it `took` (one charge of `amount`, or none).

    `own_id` is the charge that the payment is, where that is known: providers list charges in any order.
    """
    facts = {
        "shown": ", ".join(
            f"{each.provider_id} ({each.word}, {each.amount.plain()} {each.amount.currency})" for each in charges
        )
    }
    if not took:
        if not charges:
            return None
        return Disagreement(kind=DifferenceKind.CHARGE_NOT_BOOKED, amount=charges[0].amount, facts=facts)
    if not charges:
        return Disagreement(kind=DifferenceKind.CHARGE_MISSING, amount=-amount)
    if len(charges) > 1:
        own = next((each for each in charges if each.provider_id == own_id), charges[0])
        others = [each.amount for each in charges if each is not own]
        return Disagreement(kind=DifferenceKind.CHARGED_AGAIN, amount=_sum(others), facts=facts)
    [one] = charges
    if not one.is_certain:
        return Disagreement(kind=DifferenceKind.CHARGE_MISSING, amount=-amount, facts=facts)
    if one.amount == amount:
        return None
    is_comparable = one.amount.currency == amount.currency
    gap = one.amount - amount if is_comparable else one.amount
    return Disagreement(kind=DifferenceKind.ANOTHER_AMOUNT, amount=gap, facts=facts)
