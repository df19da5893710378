"""Deliveries of the sandbox provider: believed by signature and age, then read. Pure; raises WebhookRejected only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from connectors.deliveries import object_of, refuse_large, verify_signed_time, word, word_or_none
from connectors.errors import WebhookRejected
from connectors.payments.ports import ChargeStatus, EventSubject, ProviderEvent

SIGNATURE_HEADER: Final = "x-sandbox-signature"
_DEEPEST: Final = 16
_CLAIMS: Final[Mapping[str, ChargeStatus]] = {
    "charge.captured": ChargeStatus.CAPTURED,
    "charge.settled": ChargeStatus.SETTLED,
    "charge.returned": ChargeStatus.RETURNED,
    "charge.disputed": ChargeStatus.DISPUTED,
    "charge.failed": ChargeStatus.DECLINED,
    "charge.canceled": ChargeStatus.CANCELED,
    "charge.expired": ChargeStatus.EXPIRED,
}
_SUBJECTS: Final[Mapping[str, EventSubject]] = {
    "setup": EventSubject.SETUP,
    "charge": EventSubject.CHARGE,
    "method": EventSubject.METHOD,
    "refund": EventSubject.REFUND,
}


def read(raw: bytes, headers: Mapping[str, str], *, secrets: Sequence[str], now: datetime) -> tuple[ProviderEvent, ...]:
    """The events of a delivery that is believed.

    Raises WebhookRejected with the reason: size, signature (missing, malformed or wrong), age (more than 300 seconds
    off, either way), shape (not what this provider sends), account (not its test mode).
    """
    refuse_large(raw)
    verify_signed_time(raw, headers, header=SIGNATURE_HEADER, secrets=secrets, now=now)
    body = object_of(raw, deepest=_DEEPEST)
    return (event(body),)


def event(body: Mapping[str, Any]) -> ProviderEvent:
    """One event, as delivered or listed. Raises WebhookRejected: shape, or account."""
    if body.get("mode") != "test":
        raise WebhookRejected("account")
    subject = body.get("object")
    if not isinstance(subject, dict):
        raise WebhookRejected("shape")
    event_id, kind = word(body.get("id")), word(body.get("type"))
    our_ref, provider_id = word_or_none(body.get("our_ref")), word_or_none(subject.get("id"))
    try:
        occurred_at = datetime.fromisoformat(word(body.get("created_at")))
    except ValueError as unreadable:
        raise WebhookRejected("shape") from unreadable
    if occurred_at.tzinfo is None:
        raise WebhookRejected("shape")
    return ProviderEvent(
        event_id=event_id,
        dedupe_key=event_id,
        kind=kind,
        subject=_SUBJECTS.get(word(subject.get("type")), EventSubject.OTHER),
        our_ref=our_ref,
        provider_id=provider_id,
        occurred_at=occurred_at,
        claims=_CLAIMS.get(kind),
    )
