"""Stripe's deliveries and events: believed by signature and age, then read. Pure; raises WebhookRejected only."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NoReturn

from connectors.errors import WebhookRejected
from connectors.payments.ports import ChargeStatus, EventSubject, ProviderEvent
from connectors.payments.stripe.translate import OUR_REF

SIGNATURE_HEADER: Final = "stripe-signature"
LARGEST_BODY: Final = 256 * 1024
_TOLERANCE: Final = timedelta(seconds=300)
_DEEPEST: Final = 24
_LONGEST_HEADER: Final = 2048
_MOST_MARKS: Final = 8

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
    if len(raw) > LARGEST_BODY:
        raise WebhookRejected("size")
    signed_at = _verified_at(raw, headers, secrets)
    try:
        age = now - datetime.fromtimestamp(signed_at, UTC)
    except (OverflowError, OSError, ValueError) as unreadable:
        raise WebhookRejected("age") from unreadable
    if abs(age) > _TOLERANCE:
        raise WebhookRejected("age")
    return (event(_object(raw), is_live=is_live, account=account),)


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
    event_id, kind, created = _short(body.get("id")), _short(body.get("type")), body.get("created")
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
        our_ref=_short_or_none(metadata.get(OUR_REF)) if isinstance(metadata, dict) else None,
        provider_id=provider_id,
        occurred_at=occurred_at,
        claims=CLAIMS.get(kind) if subject is EventSubject.CHARGE else None,
    )


def _subject(about: Mapping[str, Any]) -> tuple[EventSubject, str | None]:
    """What it is about, and by which id that is known here: a set-up by its page, a charge by its payment intent."""
    own_id = _short_or_none(about.get("id"))
    match about.get("object"):
        case "payment_intent":
            return EventSubject.CHARGE, own_id
        case "charge" | "dispute":
            return EventSubject.CHARGE, _id_of(about.get("payment_intent"))
        case "checkout.session":
            words = {"setup": EventSubject.SETUP, "payment": EventSubject.CHARGE}
            return words.get(_short(about.get("mode")), EventSubject.OTHER), own_id
        case "setup_intent":
            return EventSubject.SETUP, None
        case "refund":
            return EventSubject.REFUND, own_id
        case "payment_method":
            return EventSubject.METHOD, own_id
        case _:
            return EventSubject.OTHER, own_id


def _id_of(value: object) -> str | None:
    return _short_or_none(value.get("id") if isinstance(value, dict) else value)


def _verified_at(raw: bytes, headers: Mapping[str, str], secrets: Sequence[str]) -> int:
    """The moment that was signed, in seconds; each of our secrets is tried against each of their marks."""
    header = next((value for name, value in headers.items() if name.lower() == SIGNATURE_HEADER), "")
    if not header or len(header) > _LONGEST_HEADER or not header.isascii():
        raise WebhookRejected("signature")
    parts = [part.strip().partition("=") for part in header.split(",")]
    moments = [value for name, _, value in parts if name == "t"]
    marks = [value.encode() for name, _, value in parts if name == "v1"][:_MOST_MARKS]
    if len(moments) != 1 or not moments[0].isdigit() or len(moments[0]) > 12 or not marks:
        raise WebhookRejected("signature")
    signed = moments[0].encode() + b"." + raw
    believed = False
    for secret in secrets:
        expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest().encode()
        for mark in marks:
            believed |= hmac.compare_digest(expected, mark)
    if not believed:
        raise WebhookRejected("signature")
    return int(moments[0])


def _object(raw: bytes) -> dict[str, Any]:
    """The body as an object of bounded depth, without NUL, NaN or a name given twice."""
    try:
        body = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse)
    except (ValueError, RecursionError) as unreadable:
        raise WebhookRejected("shape") from unreadable
    if not isinstance(body, dict) or not _is_plain(body):
        raise WebhookRejected("shape")
    return body


def _is_plain(body: dict[str, Any]) -> bool:
    """Whether nothing lies too deep and no text holds a NUL or half a character, which a database cannot keep."""
    waiting: list[tuple[object, int]] = [(body, 1)]
    while waiting:
        value, depth = waiting.pop()
        if depth > _DEEPEST:
            return False
        if isinstance(value, dict):
            waiting.extend((part, depth + 1) for pair in value.items() for part in pair)
        elif isinstance(value, list):
            waiting.extend((part, depth + 1) for part in value)
        elif isinstance(value, str) and not _is_storable(value):
            return False
    return True


def _is_storable(text: str) -> bool:
    try:
        return b"\x00" not in text.encode()
    except UnicodeEncodeError:
        return False


def _short(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 200:
        raise WebhookRejected("shape")
    return value


def _short_or_none(value: object) -> str | None:
    return None if value is None else _short(value)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    named = dict(pairs)
    if len(named) != len(pairs):
        raise ValueError("a name is given twice")
    return named


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
