"""Adyen's deliveries and events: every item believed by its signature, then read. Pure; raises WebhookRejected only.

The signature of an item covers its references, account, amount, code and success, not its moment and not how it was paid:
these are hints, and their facts are called so. What pays is in our reference, which is signed; where it is not, success on
anything that is not known to be a card claims nothing: a debit may still come back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from connectors.deliveries import object_of, refuse_large, word
from connectors.errors import WebhookRejected
from connectors.payments.adyen import references, signing
from connectors.payments.adyen.body import moment, part, word_or_none
from connectors.payments.adyen.references import Reference
from connectors.payments.ports import ChargeStatus, EventSubject, ProviderEvent
from domain.methods import MethodKind

SIGNATURE_HEADER: Final = "hmacsignature"
_MOST_ITEMS: Final = 100
_SETUP_REFERENCE: Final = "set_"
_DEBITS: Final = frozenset({"ach", "directdebit_GB", "sepadirectdebit"})
_CARDS: Final = frozenset("amex bcmc cup diners discover jcb maestro mc scheme visa".split())  # noqa: SIM905

_PAYS: Final[Mapping[MethodKind, str]] = {
    MethodKind.CARD: "scheme",
    MethodKind.US_BANK_ACCOUNT: "ach",
    MethodKind.SEPA_DEBIT: "sepadirectdebit",
}
_REASONS: Final[Mapping[str, str]] = {
    "not enough balance": "insufficient_funds",
    "insufficient funds": "insufficient_funds",
    "expired card": "card_expired",
    "authentication required": "authentication_required",
    "3d not authenticated": "authentication_failed",
    "acquirer error": "processing_error",
    "issuer unavailable": "processing_error",
}
"""Of the sentence that a refusal is told with, which on a success is about the card: of that, nothing is kept."""

_CHARGE: Final = (
    *("AUTHORISATION", "CANCELLATION", "CAPTURE", "CAPTURE_FAILED", "EXPIRE", "TECHNICAL_CANCEL"),
    *("CHARGEBACK", "CHARGEBACK_REVERSED", "DISPUTE_DEFENSE_PERIOD_ENDED", "ISSUER_RESPONSE_TIMEFRAME_EXPIRED"),
    *("NOTIFICATION_OF_CHARGEBACK", "PREARBITRATION_LOST", "PREARBITRATION_WON", "REQUEST_FOR_INFORMATION"),
    "SECOND_CHARGEBACK",
)
_REFUND: Final = (
    *("REFUND", "REFUNDED_REVERSED", "REFUND_FAILED", "REFUND_WITH_DATA", "POSTPONED_REFUND", "VOID_PENDING_REFUND"),
)
_IGNORED: Final = (
    *("AUTHORISATION_ADJUSTMENT", "AUTORESCUE", "CANCEL_AUTORESCUE"),  # holds and rescues: Duly asks for neither
    *("INFORMATION_SUPPLIED", "ISSUER_COMMENTS", "NOTIFICATION_OF_FRAUD"),  # words about a dispute, no money
    *("MANUAL_REVIEW_ACCEPT", "MANUAL_REVIEW_REJECT", "OFFER_CLOSED", "ORDER_CLOSED", "ORDER_OPENED"),
    *("PAIDOUT_REVERSED", "PAYOUT_DECLINE", "PAYOUT_EXPIRE", "PAYOUT_THIRDPARTY"),  # payouts to third parties
    "REPORT_AVAILABLE",
)
SUBJECTS: Final[Mapping[str, EventSubject]] = {
    **dict.fromkeys(_CHARGE, EventSubject.CHARGE),
    **dict.fromkeys(_REFUND, EventSubject.REFUND),
    "CANCEL_OR_REFUND": EventSubject.CHARGE,
    "RECURRING_CONTRACT": EventSubject.METHOD,
    **dict.fromkeys(_IGNORED, EventSubject.OTHER),
    "ach.notificationOfChange": EventSubject.METHOD,
    "eft.notificationOfChange": EventSubject.METHOD,
    "recurring.token.alreadyExisting": EventSubject.METHOD,
    "recurring.token.created": EventSubject.METHOD,
    "recurring.token.disabled": EventSubject.METHOD,
    "recurring.token.updated": EventSubject.METHOD,
}
"""What each word of Adyen's is about; OTHER is ignored on purpose. A word that is not here is OTHER too."""

READ: Final = tuple(sorted({*_CHARGE, "REFUND", "REFUND_FAILED", "REFUNDED_REVERSED"}))
"""Events that states are made of: these must be switched on."""

_CLAIMS: Final[Mapping[str, ChargeStatus]] = {
    "CANCELLATION": ChargeStatus.CANCELED,
    "EXPIRE": ChargeStatus.EXPIRED,
    "PREARBITRATION_LOST": ChargeStatus.RETURNED,
    "SECOND_CHARGEBACK": ChargeStatus.RETURNED,
    "TECHNICAL_CANCEL": ChargeStatus.CANCELED,
}


def read(
    raw: bytes, headers: Mapping[str, str], *, keys: Sequence[bytes], is_live: bool, account: str, now: datetime
) -> tuple[ProviderEvent, ...]:
    """The events of a delivery that is believed whole: one item that is not, and none is.

    Raises WebhookRejected with the reason: size, signature (missing, malformed or wrong), age (from the future), shape
    (not what Adyen sends), account (another merchant account, or the other mode).
    """
    refuse_large(raw)
    body = object_of(raw)
    if "notificationItems" not in body:
        signing.check(raw, next((value for name, value in headers.items() if name.lower() == SIGNATURE_HEADER), None), keys)
        return (_sole(body, is_live=is_live, account=account, now=now),)
    items = body["notificationItems"]
    if not isinstance(items, list) or not 0 < len(items) <= _MOST_ITEMS or not all(isinstance(each, dict) for each in items):
        raise WebhookRejected("shape")
    read_items = [part(each, "NotificationRequestItem") for each in items]
    for item in read_items:
        signing.check_item(item, keys)
    if body.get("live") != ("true" if is_live else "false"):
        raise WebhookRejected("account")
    return tuple(_event(item, account=account, now=now) for item in read_items)


def claim(code: str, paid_with: str | None) -> ChargeStatus | None:
    """What a success says became of a charge. On a debit an authorisation is only under way, and a chargeback a return."""
    is_debit, is_card = paid_with in _DEBITS, paid_with in _CARDS
    match code:
        case "AUTHORISATION":
            return ChargeStatus.PROCESSING if is_debit else ChargeStatus.CAPTURED if is_card else None
        case "CAPTURE":
            return ChargeStatus.CAPTURED if is_card else None
        case "CHARGEBACK":
            return ChargeStatus.RETURNED if is_debit else ChargeStatus.DISPUTED if is_card else None
        case _:
            return _CLAIMS.get(code)


def _event(item: Mapping[str, Any], *, account: str, now: datetime) -> ProviderEvent:
    """One item of a batch. Without an id of its own, it is known by its code, its reference and its success."""
    if item.get("merchantAccountCode") != account:
        raise WebhookRejected("account")
    code, reference, success = word(item.get("eventCode")), word(item.get("pspReference")), item.get("success")
    if success not in {"true", "false"}:
        raise WebhookRejected("shape")
    told_ref = word_or_none(item.get("merchantReference"))
    ref = None if told_ref is None else references.read(told_ref)
    subject = SUBJECTS.get(code, EventSubject.OTHER)
    if subject is EventSubject.CHARGE and ref is not None and ref.our_ref.startswith(_SETUP_REFERENCE):
        subject = EventSubject.SETUP
    provider_id: str | None = reference
    if subject is EventSubject.CHARGE:
        provider_id = word_or_none(item.get("originalReference")) or reference
    elif subject is EventSubject.METHOD:
        provider_id = word_or_none(part(item, "additionalData").get("recurring.recurringDetailReference"))
    is_charged = subject is EventSubject.CHARGE and success == "true"
    pays = _PAYS.get(ref.kind) if ref is not None and ref.kind is not None else word_or_none(item.get("paymentMethod"))
    return ProviderEvent(
        event_id=f"{code}|{reference}|{success}",
        dedupe_key=f"{code}|{reference}|{success}",
        kind=code,
        subject=subject,
        our_ref=None if ref is None else ref.our_ref,
        provider_id=provider_id,
        occurred_at=moment(item.get("eventDate"), now=now),
        claims=claim(code, pays) if is_charged else None,
        facts=_facts(item, ref),
    )


def _facts(item: Mapping[str, Any], ref: Reference | None) -> dict[str, str]:
    """What states are made of later: the signed fields, and beside them, called so, what is not signed."""
    amount = item.get("amount") or {}
    extra = part(item, "additionalData")
    facts = {
        "value": str(amount.get("value", "")),
        "currency": str(amount.get("currency", "")),
        "success": item.get("success"),
        "psp": item.get("pspReference"),
        "original": item.get("originalReference"),
        "kind": None if ref is None or ref.kind is None else ref.kind.value,
        "is_page": "yes" if ref is not None and ref.is_page else None,
        "unsigned_token": extra.get("tokenization.storedPaymentMethodId") or extra.get("recurring.recurringDetailReference"),
        "unsigned_shopper": extra.get("tokenization.shopperReference") or extra.get("recurring.shopperReference"),
        "unsigned_code": extra.get("chargebackReasonCode"),
    }
    if item.get("success") == "false":
        facts["unsigned_failure"] = _REASONS.get(str(item.get("reason") or "").strip().lower(), "declined")
    return {name: word(value.strip()) for name, value in facts.items() if isinstance(value, str) and value.strip()}


def _sole(body: Mapping[str, Any], *, is_live: bool, account: str, now: datetime) -> ProviderEvent:
    """A delivery of one event, signed as a whole: of a token, or of a bank account that has changed.

    The latter do not name their merchant account: the key alone says whose they are.
    """
    data, kind = part(body, "data"), word(body.get("type"))
    if body.get("environment") != ("live" if is_live else "test") or data.get("merchantAccount") not in {None, account}:
        raise WebhookRejected("account")
    token = word_or_none(data.get("storedPaymentMethodId"))
    event_id = word_or_none(body.get("eventId")) or word(data.get("pspReference"))
    return ProviderEvent(
        event_id=event_id,
        dedupe_key=f"{kind}|{event_id}",
        kind=kind,
        subject=SUBJECTS.get(kind, EventSubject.OTHER),
        our_ref=None,
        provider_id=token,
        occurred_at=moment(body.get("createdAt"), now=now),
    )
