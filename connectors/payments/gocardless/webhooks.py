"""GoCardless's deliveries and events: believed by signature, then read. Pure; raises WebhookRejected only.

A delivery does not sign its time: nothing but the id of each event stands against a replay.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn

from connectors.errors import WebhookRejected
from connectors.payments.gocardless.translate import OUR_REF, moment, part
from connectors.payments.ports import ChargeStatus, EventSubject, ProviderEvent

SIGNATURE_HEADER: Final = "webhook-signature"
LARGEST_BODY: Final = 256 * 1024
MOST_EVENTS: Final = 250
_DEEPEST: Final = 24

CLAIMS: Final[Mapping[str, ChargeStatus | None]] = {
    "payments.submitted": ChargeStatus.PROCESSING,
    "payments.confirmed": ChargeStatus.CAPTURED,
    "payments.paid_out": ChargeStatus.SETTLED,
    "payments.failed": None,  # after 'confirmed' it is a return, and GoCardless may try again
    "payments.late_failure_settled": None,
    "payments.charged_back": ChargeStatus.RETURNED,
    "payments.chargeback_cancelled": None,
    "payments.cancelled": ChargeStatus.CANCELED,
    "payments.customer_approval_denied": ChargeStatus.DECLINED,
    "billing_requests.fulfilled": None,
    "billing_requests.cancelled": ChargeStatus.CANCELED,
}
"""What each event says became of a charge; an event that is not here says nothing, and wakes the look all the same."""


def read(
    raw: bytes, headers: Mapping[str, str], *, secrets: Sequence[str], organisation: str | None
) -> tuple[ProviderEvent, ...]:
    """The events of a delivery that is believed.

    Raises WebhookRejected with the reason: size, signature (missing, malformed or wrong), shape (not what GoCardless
    sends), account (another organisation).
    """
    if len(raw) > LARGEST_BODY:
        raise WebhookRejected("size")
    _verify(raw, headers, secrets)
    listed = _object(raw).get("events")
    if not isinstance(listed, list) or not 0 < len(listed) <= MOST_EVENTS:
        raise WebhookRejected("shape")
    return tuple(event(each, organisation=organisation) for each in listed)


def event(body: object, *, organisation: str | None) -> ProviderEvent:
    """One event, as delivered or listed. Raises WebhookRejected: shape, or account."""
    if not isinstance(body, dict) or not isinstance(body.get("links"), dict):
        raise WebhookRejected("shape")
    links = body["links"]
    event_id, room, action = _short(body.get("id")), _short(body.get("resource_type")), _short(body.get("action"))
    if organisation is not None and links.get("organisation") not in {None, organisation}:
        raise WebhookRejected("account")
    try:
        occurred_at = moment(body.get("created_at"))
    except (TypeError, ValueError, OverflowError) as unreadable:
        raise WebhookRejected("shape") from unreadable
    our_ref = _short_or_none(part(body, "resource_metadata").get(OUR_REF))
    subject, provider_id = _subject(room, links, our_ref)
    kind = f"{room}.{action}"
    return ProviderEvent(
        event_id=event_id,
        dedupe_key=event_id,
        kind=kind,
        subject=subject,
        our_ref=our_ref,
        provider_id=provider_id,
        occurred_at=occurred_at,
        claims=CLAIMS.get(kind) if subject is EventSubject.CHARGE else None,
    )


def _subject(room: str, links: Mapping[str, Any], our_ref: str | None) -> tuple[EventSubject, str | None]:
    match room:
        case "payments":
            return EventSubject.CHARGE, _short_or_none(links.get("payment"))
        case "refunds":
            return EventSubject.REFUND, _short_or_none(links.get("refund"))
        case "mandates":
            return EventSubject.METHOD, _short_or_none(links.get("mandate"))
        case "billing_requests":
            is_setup = (our_ref or "").startswith("set_")
            return EventSubject.SETUP if is_setup else EventSubject.CHARGE, _short_or_none(links.get("billing_request"))
        case _:
            return EventSubject.OTHER, None


def _verify(raw: bytes, headers: Mapping[str, str], secrets: Sequence[str]) -> None:
    mark = next((value for name, value in headers.items() if name.lower() == SIGNATURE_HEADER), "")
    if len(mark) != 64 or not mark.isascii():
        raise WebhookRejected("signature")
    believed = False
    for secret in secrets:
        expected = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
        believed |= hmac.compare_digest(expected, mark)
    if not believed:
        raise WebhookRejected("signature")


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
            waiting.extend((inside, depth + 1) for pair in value.items() for inside in pair)
        elif isinstance(value, list):
            waiting.extend((inside, depth + 1) for inside in value)
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
