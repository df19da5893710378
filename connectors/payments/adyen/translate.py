"""Adyen's answers in our words. An unknown word is pending: never paid, never failed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from connectors.errors import KeyConflict, OutcomeUnknown
from connectors.payments.adyen import references
from connectors.payments.adyen.folding import settles_on
from connectors.payments.adyen.money import from_adyen
from connectors.payments.ports import (
    ChargeStatus,
    HostedPage,
    ProviderCharge,
    ProviderRefund,
    RefundOrder,
    RefundStatus,
)
from domain.methods import MethodDetails, MethodKind
from domain.money import Money

Body = Mapping[str, Any]

PAYS: Final[Mapping[MethodKind, str]] = {
    MethodKind.CARD: "scheme",
    MethodKind.US_BANK_ACCOUNT: "ach",
    MethodKind.SEPA_DEBIT: "sepadirectdebit",
}
"""What a kind is called where it is asked for."""
_KINDS: Final = {word: kind for kind, word in PAYS.items()}
_ENDED: Final = frozenset({"Refused", "Cancelled", "Error"})
_REFUSALS: Final[Mapping[str, str]] = {
    "4": "processing_error",
    "6": "card_expired",
    "9": "processing_error",
    "11": "authentication_failed",
    "12": "insufficient_funds",
    "21": "processing_error",
    "38": "authentication_required",
}
"""Adyen's refusal reason codes that say more than that it was declined."""
_ASKS: Final = "38"
_LINK: Final[Mapping[str, ChargeStatus]] = {
    "active": ChargeStatus.NEEDS_CUSTOMER,
    "expired": ChargeStatus.EXPIRED,
    # Which payment paid it, its event tells; before that nothing can be given back of it.
    "completed": ChargeStatus.PROCESSING,
    "paid": ChargeStatus.PROCESSING,
    "paymentPending": ChargeStatus.PROCESSING,
}
_BRANDS: Final = {"mc": "mastercard", "maestro": "mastercard"}
_MARK: Final = "~"


def asks_the_customer(answer: Body) -> bool:
    """Whether the bank refused because it wants the customer."""
    return answer.get("resultCode") == "Refused" and str(answer.get("refusalReasonCode")) == _ASKS


def payment(answer: Body, *, our_ref: str, kind: MethodKind, asked: Money, now: datetime, days: int) -> ProviderCharge:
    """A payment as answered. Raises KeyConflict where it is not the one that was asked for, OutcomeUnknown where it cannot
    be read. One that took only a part is told with that part: the caller compares.
    """
    result = answer.get("resultCode")
    if not isinstance(result, str):
        raise OutcomeUnknown("Adyen's answer says nothing of what became of the payment.")
    told = answer.get("merchantReference")
    if told is not None and (not isinstance(told, str) or references.read(told).our_ref != our_ref):
        raise KeyConflict("This key of ours is another payment's at Adyen.")
    amount = _amount(answer.get("amount"), otherwise=None if result == "PartiallyAuthorised" else asked)
    if amount != asked and result not in {"PartiallyAuthorised", *_ENDED}:
        raise KeyConflict("This key of ours was used for another amount at Adyen.")
    status = _status(result, kind)
    code = str(answer.get("refusalReasonCode"))
    return ProviderCharge(
        provider_id=_text(answer.get("pspReference")) or our_ref,
        our_ref=our_ref,
        status=status,
        amount=asked if status is ChargeStatus.DECLINED else amount,
        failure_code=_REFUSALS.get(code, "declined") if status is ChargeStatus.DECLINED else None,
        expected_on=settles_on(now, days).isoformat() if status is ChargeStatus.PROCESSING else None,
    )


def _status(result: str, kind: MethodKind) -> ChargeStatus:
    if result in _ENDED:
        return ChargeStatus.DECLINED
    if result in {"Authorised", "PartiallyAuthorised"}:
        return ChargeStatus.CAPTURED if kind.is_card else ChargeStatus.PROCESSING
    return ChargeStatus.PROCESSING if result == "Received" and not kind.is_card else ChargeStatus.PENDING


def link(answer: Body, *, our_ref: str, asked: Money | None = None) -> ProviderCharge:
    """A payment link as answered. Raises KeyConflict where it is not the one that was asked for, OutcomeUnknown."""
    reference, link_id = answer.get("reference"), _text(answer.get("id"))
    if not isinstance(reference, str) or link_id is None:
        raise OutcomeUnknown("Adyen's answer has a payment link that cannot be read.")
    amount = _amount(answer.get("amount"), otherwise=None)
    if references.read(reference).our_ref != our_ref or (asked is not None and asked != amount):
        raise KeyConflict("This key of ours is another page's at Adyen.")
    status = _LINK.get(str(answer.get("status")), ChargeStatus.PENDING)
    is_open = status is ChargeStatus.NEEDS_CUSTOMER
    return ProviderCharge(
        provider_id=link_id,
        our_ref=our_ref,
        status=status,
        amount=amount,
        action_url=_text(answer.get("url")) if is_open else None,
        action_expires_at=moment(answer.get("expiresAt")) if is_open else None,
    )


def reference_of(answer: Body) -> str | None:
    """Our reference of what was answered."""
    told = answer.get("reference")
    return references.read(told).our_ref if isinstance(told, str) else None


def session(answer: Body, *, payer_id: str) -> HostedPage:
    """A hosted session as answered. Raises OutcomeUnknown."""
    session_id, url, ends_at = _text(answer.get("id")), _text(answer.get("url")), moment(answer.get("expiresAt"))
    if session_id is None or url is None or ends_at is None:
        raise OutcomeUnknown("Adyen's answer has a session that cannot be read.")
    known = _MARK.join((session_id, payer_id, str(int(ends_at.timestamp()))))
    return HostedPage(session_id=known, url=url, expires_at=ends_at, payer_ref=payer_id)


def session_of(known: str) -> tuple[str, datetime] | None:
    """Whose session it is and when it ends; None for what Duly did not name so. Adyen answers neither by reading."""
    parts = known.split(_MARK)
    if len(parts) != 3 or not parts[2].isascii() or not parts[2].isdigit() or len(parts[2]) > 11:
        return None
    return parts[1], datetime.fromtimestamp(int(parts[2]), UTC)


def refund(answer: Body, order: RefundOrder) -> ProviderRefund:
    """A refund as answered: received, no more. Raises KeyConflict where it is another one, OutcomeUnknown."""
    psp, charge_id = _text(answer.get("pspReference")), _text(answer.get("paymentPspReference"))
    if psp is None or charge_id is None:
        raise OutcomeUnknown("Adyen's answer has a refund that cannot be read.")
    amount = _amount(answer.get("amount"), otherwise=None)
    if (amount, charge_id, reference_of(answer) or order.our_ref) != (order.amount, order.charge_id, order.our_ref):
        raise KeyConflict("This key of ours is another refund's at Adyen.")
    is_received = answer.get("status") == "received"
    return ProviderRefund(
        provider_id=psp,
        our_ref=order.our_ref,
        charge_id=charge_id,
        status=RefundStatus.PROCESSING if is_received else RefundStatus.PENDING,
        amount=amount,
    )


def token_of(shopper: str, stored_id: str) -> str:
    """A token of ours: Adyen's is of use only together with its shopper."""
    return f"{shopper}{_MARK}{stored_id}"


def stored_of(token: str) -> tuple[str, str] | None:
    """Shopper and Adyen's own token; None for what is none of ours."""
    shopper, mark, stored_id = token.rpartition(_MARK)
    return (shopper, stored_id) if mark and shopper and stored_id else None


def method(stored: Body, *, shopper: str) -> MethodDetails | None:
    """A stored method, masked; None for a kind that Duly does not know."""
    stored_id, kind = _text(stored.get("id")), _KINDS.get(str(stored.get("type")))
    if stored_id is None or kind is None:
        return None
    brand = _text(stored.get("brand")) or _text(stored.get("issuerName")) or kind.value
    last = _text(stored.get("lastFour")) or (_text(stored.get("iban")) or "")
    return MethodDetails(
        token=token_of(shopper, stored_id),
        kind=kind,
        brand=_BRANDS.get(brand, brand),
        last4=last[-4:],
        exp_month=_number(stored.get("expiryMonth")) if kind.is_card else None,
        exp_year=_number(stored.get("expiryYear")) if kind.is_card else None,
    )


def moment(value: object) -> datetime | None:
    """A moment with its zone; None where there is none."""
    try:
        read = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return read.astimezone(UTC) if read is not None and read.tzinfo is not None else None


def told_moment(at: datetime) -> str:
    """A moment as Adyen is told it: to the second."""
    return (at.astimezone(UTC) - timedelta(microseconds=at.microsecond)).isoformat()


def _amount(told: object, *, otherwise: Money | None) -> Money:
    if not isinstance(told, dict):
        if otherwise is None:
            raise OutcomeUnknown("Adyen's answer has no amount.")
        return otherwise
    return from_adyen(told.get("value"), told.get("currency"))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= 2048 else None


def _number(value: object) -> int | None:
    text = str(value or "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 4 else None
