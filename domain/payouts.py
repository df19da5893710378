"""Payouts: what a provider pays onto the bank account, out of charges less refunds and fees, and whether each part is ours.

A payout is right when its parts sum up to it, each part is a payment or a refund of ours with its amount, none is there
twice, and the ERP shows the deposit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from domain.differences import DifferenceKind, Disagreement
from domain.money import Money, total


class PayoutState(StrEnum):
    """State of a payout as its provider tells it. FAILED may follow PAID: the bank sent it back."""

    PENDING = "pending"
    PAID = "paid"
    FAILED = "failed"


class PayoutPart(StrEnum):
    """What a part of a payout is. Money that comes back of a dispute is a DISPUTE too; what fits nowhere, an ADJUSTMENT."""

    CHARGE = "charge"
    REFUND = "refund"
    FEE = "fee"
    DISPUTE = "dispute"
    ADJUSTMENT = "adjustment"


OF_PAYMENTS: Final = frozenset({PayoutPart.CHARGE, PayoutPart.REFUND, PayoutPart.DISPUTE})
"""Parts that belong to a payment or a refund."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """The payment or refund that a part belongs to. `amount` as a payout shows it: negative for a refund. `copies`: how many
    parts of payouts are charges of it. `came_back`: a return or a dispute of it is known here.
    """

    process_id: str
    customer_id: str
    amount: Money
    copies: int
    came_back: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a payout. `taken` is what was charged or given back in its own currency, `gross` in the payout's."""

    provider_id: str
    kind: PayoutPart
    gross: Money
    fee: Money
    net: Money
    taken: Money
    ours: Ours | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """A payout's equation: charges + refunds + disputes + adjustments - fees = net. Refunds are negative, fees positive."""

    charges: Money
    refunds: Money
    disputes: Money
    adjustments: Money
    fees: Money
    net: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class PartDisagreement:
    """A difference, and the part it is about: None where it is the payout as a whole."""

    found: Disagreement
    part: Part | None = None


def sums_of(parts: Sequence[Part], currency: str) -> Sums:
    """What the parts in the payout's currency sum up to, by what they are."""
    alike = [each for each in parts if each.net.currency == currency]

    def of(kind: PayoutPart) -> Money:
        return total((each.gross for each in alike if each.kind is kind), currency=currency)

    fees = total((each.fee for each in alike), currency=currency) - of(PayoutPart.FEE)
    return Sums(
        charges=of(PayoutPart.CHARGE),
        refunds=of(PayoutPart.REFUND),
        disputes=of(PayoutPart.DISPUTE),
        adjustments=of(PayoutPart.ADJUSTMENT),
        fees=fees,
        net=total((each.net for each in alike), currency=currency),
    )


def judge_payout(amount: Money, parts: Sequence[Part]) -> Sequence[PartDisagreement]:
    """What is wrong with a payout of `amount` whose parts its provider tells."""
    found = []
    left = amount - sums_of(parts, amount.currency).net
    if left.minor or any(each.net.currency != amount.currency for each in parts):
        told = {"parts": str(len(parts)), "short": f"{left.plain()} {left.currency}"}
        found.append(PartDisagreement(found=Disagreement(kind=DifferenceKind.PAYOUT_INCOMPLETE, amount=left, facts=told)))
    strangers = [each for each in parts if each.kind in OF_PAYMENTS and each.ours is None]
    if strangers:
        shown = ", ".join(f"{each.provider_id} {each.gross.plain()} {each.gross.currency}" for each in strangers[:5])
        stranger = Disagreement(
            kind=DifferenceKind.PAYOUT_OF_STRANGERS,
            amount=sums_of(strangers, amount.currency).net,
            facts={"parts": str(len(strangers)), "shown": shown},
        )
        found.append(PartDisagreement(found=stranger))
    found += [
        PartDisagreement(found=judged, part=each) for each in parts if (judged := _judge_part(each, each.ours)) is not None
    ]
    return found


def _judge_part(part: Part, ours: Ours | None) -> Disagreement | None:
    if ours is None:
        return None
    facts = {"shown": f"{part.provider_id} {part.taken.plain()} {part.taken.currency}"}
    if part.kind is PayoutPart.CHARGE and ours.copies > 1:
        return Disagreement(kind=DifferenceKind.PAID_OUT_AGAIN, amount=part.taken, facts=facts)
    if part.kind is PayoutPart.DISPUTE:
        if part.gross.minor >= 0 or ours.came_back:
            return None
        return Disagreement(kind=DifferenceKind.TAKEN_BACK_UNKNOWN, amount=part.taken, facts=facts)
    if part.taken == ours.amount:
        return None
    is_comparable = part.taken.currency == ours.amount.currency
    gap = part.taken - ours.amount if is_comparable else part.taken
    return Disagreement(kind=DifferenceKind.PAID_OUT_AMOUNT, amount=gap, facts=facts)


def judge_deposit(amount: Money, shown: Sequence[Money]) -> Disagreement | None:
    """Whether the deposits that an ERP shows of a payout are the payout, once."""
    told = {"shown": ", ".join(f"{each.plain()} {each.currency}" for each in shown)}
    if not shown:
        return Disagreement(kind=DifferenceKind.DEPOSIT_MISSING, amount=-amount)
    alike = [each for each in shown if each.currency == amount.currency]
    gap = total(alike, currency=amount.currency) - amount
    if gap.minor or len(alike) != len(shown):
        return Disagreement(kind=DifferenceKind.DEPOSIT_AMOUNT, amount=gap, facts=told)
    return None
