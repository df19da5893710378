"""Deliveries of the sandbox provider: believed by signature and age, then read. Pure; raises WebhookRejected only."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NoReturn

from connectors.errors import WebhookRejected
from connectors.payments.ports import ChargeStatus, EventSubject, ProviderEvent

SIGNATURE_HEADER: Final = "x-sandbox-signature"
LARGEST_BODY: Final = 256 * 1024
_TOLERANCE: Final = timedelta(seconds=300)
_DEEPEST: Final = 16
_LONGEST_HEADER: Final = 2048
_MOST_MARKS: Final = 8
_CLAIMS: Final[Mapping[str, ChargeStatus]] = {
    "charge.captured": ChargeStatus.CAPTURED,
    "charge.settled": ChargeStatus.SETTLED,
    "charge.returned": ChargeStatus.RETURNED,
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
    if len(raw) > LARGEST_BODY:
        raise WebhookRejected("size")
    signed_at = _verified_at(raw, headers, secrets)
    try:
        age = now - datetime.fromtimestamp(signed_at, UTC)
    except (OverflowError, OSError, ValueError) as unreadable:
        raise WebhookRejected("age") from unreadable
    if abs(age) > _TOLERANCE:
        raise WebhookRejected("age")
    body = _object(raw)
    if body.get("mode") != "test":
        raise WebhookRejected("account")
    return (_event(body),)


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


def _event(body: dict[str, Any]) -> ProviderEvent:
    subject = body.get("object")
    if not isinstance(subject, dict):
        raise WebhookRejected("shape")
    event_id, kind = _short(body.get("id")), _short(body.get("type"))
    our_ref, provider_id = _short_or_none(body.get("our_ref")), _short_or_none(subject.get("id"))
    try:
        occurred_at = datetime.fromisoformat(_short(body.get("created_at")))
    except ValueError as unreadable:
        raise WebhookRejected("shape") from unreadable
    if occurred_at.tzinfo is None:
        raise WebhookRejected("shape")
    return ProviderEvent(
        event_id=event_id,
        dedupe_key=event_id,
        kind=kind,
        subject=_SUBJECTS.get(_short(subject.get("type")), EventSubject.OTHER),
        our_ref=our_ref,
        provider_id=provider_id,
        occurred_at=occurred_at,
        claims=_CLAIMS.get(kind),
    )


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
