"""GoCardless's deliveries and events: believed by signature, then read. Pure; raises WebhookRejected only.

A delivery does not sign its time: nothing but the id of each event stands against a replay.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any, Final

from connectors.deliveries import object_of, refuse_large, word, word_or_none
from connectors.errors import WebhookRejected
from connectors.payments.gocardless.translate import OUR_REF, moment, part
from connectors.payments.ports import ChargeStatus, EventSubject, ProviderEvent

SIGNATURE_HEADER: Final = "webhook-signature"
MOST_EVENTS: Final = 250

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
    refuse_large(raw)
    _verify(raw, headers, secrets)
    listed = object_of(raw).get("events")
    if not isinstance(listed, list) or not 0 < len(listed) <= MOST_EVENTS:
        raise WebhookRejected("shape")
    return tuple(event(each, organisation=organisation) for each in listed)


def event(body: object, *, organisation: str | None) -> ProviderEvent:
    """One event, as delivered or listed. Raises WebhookRejected: shape, or account."""
    if not isinstance(body, dict) or not isinstance(body.get("links"), dict):
        raise WebhookRejected("shape")
    links = body["links"]
    event_id, room, action = word(body.get("id")), word(body.get("resource_type")), word(body.get("action"))
    if organisation is not None and links.get("organisation") not in {None, organisation}:
        raise WebhookRejected("account")
    try:
        occurred_at = moment(body.get("created_at"))
    except (TypeError, ValueError, OverflowError) as unreadable:
        raise WebhookRejected("shape") from unreadable
    our_ref = word_or_none(part(body, "resource_metadata").get(OUR_REF))
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
            return EventSubject.CHARGE, word_or_none(links.get("payment"))
        case "refunds":
            return EventSubject.REFUND, word_or_none(links.get("refund"))
        case "mandates":
            return EventSubject.METHOD, word_or_none(links.get("mandate"))
        case "billing_requests":
            is_setup = (our_ref or "").startswith("set_")
            return EventSubject.SETUP if is_setup else EventSubject.CHARGE, word_or_none(links.get("billing_request"))
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
