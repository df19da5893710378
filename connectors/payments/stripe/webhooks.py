"""Stripe's deliveries and events: believed by signature and age, then read. Pure; raises WebhookRejected only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from connectors.deliveries import object_of, refuse_large, verify_signed_time, word, word_or_none
from connectors.errors import WebhookRejected
from connectors.payments.ports import ChargeStatus, EventSubject, ProviderEvent
from connectors.payments.stripe.translate import OUR_REF

SIGNATURE_HEADER: Final = "stripe-signature"

CLAIMS: Final[Mapping[str, ChargeStatus | None]] = {
    "checkout.session.completed": None,
    "checkout.session.expired": ChargeStatus.EXPIRED,
    "checkout.session.async_payment_succeeded": ChargeStatus.CAPTURED,
    "checkout.session.async_payment_failed": ChargeStatus.DECLINED,
    "setup_intent.succeeded": None,
    "setup_intent.setup_failed": None,
    "payment_intent.succeeded": ChargeStatus.CAPTURED,
    "payment_intent.processing": None,
    "payment_intent.requires_action": None,
    "payment_intent.payment_failed": None,  # on a page another card may follow
    "payment_intent.canceled": ChargeStatus.CANCELED,
    "refund.created": None,
    "refund.updated": None,
    "refund.failed": None,
    "charge.dispute.created": None,
    "charge.dispute.updated": None,
    "charge.dispute.closed": None,
    "payment_method.detached": None,
    "payment_method.automatically_updated": None,
}
"""The events to switch on, and what each says became of a charge. Twenty at most: so many can be asked for at once."""


def read(
    raw: bytes, headers: Mapping[str, str], *, secrets: Sequence[str], is_live: bool, account: str | None, now: datetime
) -> tuple[ProviderEvent, ...]:
    """The events of a delivery that is believed.

    Raises WebhookRejected with the reason: size, signature (missing, malformed or wrong), age (more than 300 seconds
    off, either way), shape (not what Stripe sends), account (another account, or the other mode).
    """
    refuse_large(raw)
    verify_signed_time(raw, headers, header=SIGNATURE_HEADER, secrets=secrets, now=now)
    return (event(object_of(raw), is_live=is_live, account=account),)


def event(body: Mapping[str, Any], *, is_live: bool, account: str | None) -> ProviderEvent:
    """One event, as delivered or listed. Raises WebhookRejected: shape, or account."""
    if body.get("object") != "event" or type(body.get("livemode")) is not bool:
        raise WebhookRejected("shape")
    if body["livemode"] is not is_live or body.get("account") not in {None, account}:
        raise WebhookRejected("account")
    data = body.get("data")
    about = data.get("object") if isinstance(data, dict) else None
    if not isinstance(about, dict):
        raise WebhookRejected("shape")
    event_id, kind, created = word(body.get("id")), word(body.get("type")), body.get("created")
    try:
        occurred_at = datetime.fromtimestamp(created if type(created) is int else 1 << 62, UTC)
    except (OverflowError, OSError, ValueError) as unreadable:
        raise WebhookRejected("shape") from unreadable
    subject, provider_id = _subject(about)
    metadata = about.get("metadata")
    return ProviderEvent(
        event_id=event_id,
        dedupe_key=event_id,
        kind=kind,
        subject=subject,
        our_ref=word_or_none(metadata.get(OUR_REF)) if isinstance(metadata, dict) else None,
        provider_id=provider_id,
        occurred_at=occurred_at,
        claims=CLAIMS.get(kind) if subject is EventSubject.CHARGE else None,
    )


def _subject(about: Mapping[str, Any]) -> tuple[EventSubject, str | None]:
    """What it is about, and by which id that is known here: a set-up by its page, a charge by its payment intent."""
    own_id = word_or_none(about.get("id"))
    match about.get("object"):
        case "payment_intent":
            return EventSubject.CHARGE, own_id
        case "charge" | "dispute":
            return EventSubject.CHARGE, _id_of(about.get("payment_intent"))
        case "checkout.session":
            words = {"setup": EventSubject.SETUP, "payment": EventSubject.CHARGE}
            return words.get(word(about.get("mode")), EventSubject.OTHER), own_id
        case "setup_intent":
            return EventSubject.SETUP, None
        case "refund":
            return EventSubject.REFUND, own_id
        case "payment_method":
            return EventSubject.METHOD, own_id
        case _:
            return EventSubject.OTHER, own_id


def _id_of(value: object) -> str | None:
    return word_or_none(value.get("id") if isinstance(value, dict) else value)
