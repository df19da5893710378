"""States out of events: what Adyen's verified deliveries prove about a charge or a refund, whatever order they came in.

Of each event only signed facts move money here: code, success, references, amount, and the kind of method in our reference.
A card is captured as soon as it is authorised (the account captures at once). A bank debit is only under way then: Adyen
tells nothing when its money has come, so it is presumed settled some business days later, by our own clock, unless a
chargeback came; which may come later still, and is a return.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from connectors.errors import OutcomeUnknown
from connectors.payments.adyen.money import from_adyen
from connectors.payments.ports import (
    ChargeStatus,
    EventSubject,
    ProviderCharge,
    ProviderEvent,
    ProviderRefund,
    RefundStatus,
)
from domain.methods import MethodKind
from domain.money import Money

MONEY_FIRST: Final = (
    *(ChargeStatus.SETTLED, ChargeStatus.CAPTURED, ChargeStatus.DISPUTED, ChargeStatus.RETURNED, ChargeStatus.PROCESSING),
    *(ChargeStatus.PENDING, ChargeStatus.DECLINED, ChargeStatus.CANCELED, ChargeStatus.EXPIRED),
)
_DISPUTE: Final = (
    ("PREARBITRATION_LOST", ChargeStatus.RETURNED),
    ("SECOND_CHARGEBACK", ChargeStatus.RETURNED),
    ("PREARBITRATION_WON", ChargeStatus.SETTLED),
    ("CHARGEBACK_REVERSED", ChargeStatus.SETTLED),
    ("CHARGEBACK", ChargeStatus.DISPUTED),
    ("NOTIFICATION_OF_CHARGEBACK", ChargeStatus.DISPUTED),
)
"""A dispute goes one way only, so the one that is furthest is how it stands: deliveries may overtake each other."""
_TAKEN_BACK: Final = ("CHARGEBACK", "SECOND_CHARGEBACK", "PREARBITRATION_LOST")
_NEVER_CAME: Final = "capture_failed"


@dataclass(frozen=True, slots=True)
class _Attempt:
    """Everything that was told of one payment of Adyen's, by code and success."""

    psp: str
    told: Mapping[tuple[str, bool], ProviderEvent]

    def has(self, code: str, *, success: bool = True) -> ProviderEvent | None:
        return self.told.get((code, success))


def charges(heard: Sequence[ProviderEvent], our_ref: str, *, now: datetime, days: int) -> tuple[ProviderCharge, ...]:
    """Each payment of Adyen's that the events tell of, the one that moved money first. Raises OutcomeUnknown for an amount
    that cannot be read. `days` are the business days after which a debit is presumed settled.
    """
    told: dict[str, dict[tuple[str, bool], ProviderEvent]] = {}
    for event in heard:
        if event.subject is EventSubject.CHARGE and event.provider_id is not None and "success" in event.facts:
            mark = (event.kind, event.facts["success"] == "true")
            told.setdefault(event.provider_id, {}).setdefault(mark, event)
    found = [_charge(_Attempt(psp, each), our_ref, now=now, days=days) for psp, each in told.items()]
    return tuple(sorted((each for each in found if each is not None), key=lambda each: MONEY_FIRST.index(each.status)))


def _charge(attempt: _Attempt, our_ref: str, *, now: datetime, days: int) -> ProviderCharge | None:
    authorised, refused = attempt.has("AUTHORISATION"), attempt.has("AUTHORISATION", success=False)
    proof = authorised or next((found for code in _TAKEN_BACK if (found := attempt.has(code)) is not None), None)
    if proof is None:
        if refused is None or refused.facts.get("is_page") == "yes":
            return None  # a page takes another card: what became of it, the page itself tells
        failure = refused.facts.get("unsigned_failure", "declined")
        return _shown(attempt, our_ref, refused, ChargeStatus.DECLINED, failure_code=failure)
    kind = proof.facts.get("kind")
    status, code = _after(attempt, proof, is_debit=kind != MethodKind.CARD, is_known=kind is not None, now=now, days=days)
    came_on = settles_on(proof.received_at or proof.occurred_at, days)
    back = next((found for each in _TAKEN_BACK if (found := attempt.has(each)) is not None), None)
    is_back = status in {ChargeStatus.RETURNED, ChargeStatus.DISPUTED}
    if back is not None and is_back and back.facts.get("currency") == proof.facts.get("currency"):
        proof = back  # of how much: a part of it is nothing to guess about, a person looks
    return _shown(
        attempt,
        our_ref,
        proof,
        status,
        return_code=code,
        expected_on=came_on.isoformat() if status is ChargeStatus.PROCESSING else None,
    )


def _after(
    attempt: _Attempt, proof: ProviderEvent, *, is_debit: bool, is_known: bool, now: datetime, days: int
) -> tuple[ChargeStatus, str | None]:
    """How a payment stands that was authorised once, and by which code it came back."""
    never_came = attempt.has("CAPTURE_FAILED") or attempt.has("CAPTURE", success=False)
    for code, status in _DISPUTE:
        told = attempt.has(code)
        if told is not None and not (is_debit and code == "NOTIFICATION_OF_CHARGEBACK"):
            is_back = status is ChargeStatus.RETURNED or (is_debit and status is ChargeStatus.DISPUTED)
            reason = told.facts.get("unsigned_code", code.lower())
            return (ChargeStatus.RETURNED, reason) if is_back else (status, None)
    if never_came is not None:
        return ChargeStatus.RETURNED, _NEVER_CAME
    if attempt.has("CANCELLATION") or attempt.has("TECHNICAL_CANCEL"):
        return ChargeStatus.CANCELED, None
    if attempt.has("EXPIRE"):
        return ChargeStatus.EXPIRED, None
    if not is_debit:
        return ChargeStatus.CAPTURED, None
    if not is_known:
        return ChargeStatus.PENDING, None
    has_passed = now.date() >= settles_on(proof.received_at or proof.occurred_at, days)
    return (ChargeStatus.SETTLED if has_passed else ChargeStatus.PROCESSING), None


def _shown(
    attempt: _Attempt,
    our_ref: str,
    proof: ProviderEvent,
    status: ChargeStatus,
    *,
    failure_code: str | None = None,
    return_code: str | None = None,
    expected_on: str | None = None,
) -> ProviderCharge:
    return ProviderCharge(
        provider_id=attempt.psp,
        our_ref=our_ref,
        status=status,
        amount=_amount(proof),
        failure_code=failure_code,
        return_code=return_code,
        expected_on=expected_on,
    )


def refunds(heard: Sequence[ProviderEvent], our_ref: str) -> tuple[ProviderRefund, ...]:
    """Each refund of Adyen's that the events tell of. One that failed after it had succeeded has failed."""
    mine = [
        each for each in heard if each.subject is EventSubject.REFUND and each.facts.keys() >= {"success", "original", "psp"}
    ]
    told: dict[str, list[ProviderEvent]] = {each.facts["psp"]: [] for each in mine if each.kind in _WENT}
    for event in mine:
        if event.facts["psp"] in told:
            told[event.facts["psp"]].append(event)
        elif len(told) == 1:  # a refund that came back may be told under a reference of its own
            next(iter(told.values())).append(event)
        else:
            told.setdefault(event.facts["psp"], []).append(event)
    found = [_refund(psp, events, our_ref) for psp, events in told.items()]
    return tuple(each for each in found if each is not None)


def _refund(psp: str, events: Sequence[ProviderEvent], our_ref: str) -> ProviderRefund | None:
    failed = next((each for each in events if _has_failed(each)), None)
    went = next((each for each in events if each.kind in _WENT and each.facts["success"] == "true"), None)
    proof = failed or went
    if proof is None:
        return None
    return ProviderRefund(
        provider_id=psp,
        our_ref=our_ref,
        charge_id=proof.facts["original"],
        status=RefundStatus.SUCCEEDED if failed is None else RefundStatus.FAILED,
        amount=_amount(proof),
        failure_code=None if failed is None else failed.kind.lower(),
    )


_WENT: Final = frozenset({"REFUND", "REFUND_WITH_DATA"})
_CAME_BACK: Final = frozenset({"REFUND_FAILED", "REFUNDED_REVERSED"})


def _has_failed(event: ProviderEvent) -> bool:
    succeeded = event.facts["success"] == "true"
    return (event.kind in _CAME_BACK and succeeded) or (event.kind in _WENT and not succeeded)


def _amount(event: ProviderEvent) -> Money:
    value = event.facts.get("value", "")
    if not value.isascii() or not value.isdigit() or len(value) > 18:
        raise OutcomeUnknown("An event of Adyen's has an amount that is none.")
    return from_adyen(int(value), event.facts.get("currency"))


def settles_on(start: datetime, days: int) -> date:
    """The day so many business days later: Saturdays and Sundays are none, holidays are not known here."""
    day = start.date()
    while days > 0:
        day += timedelta(days=1)
        days -= day.weekday() < 5
    return day
