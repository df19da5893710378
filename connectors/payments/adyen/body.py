"""Parts of a delivery as Adyen writes them, read without trust. Raises WebhookRejected only."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from connectors.deliveries import word
from connectors.errors import WebhookRejected

_AHEAD: Final = timedelta(seconds=300)


def part(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object under a name."""
    value = body.get(name)
    if not isinstance(value, dict):
        raise WebhookRejected("shape")
    return value


def word_or_none(value: object) -> str | None:
    """A short text; Adyen leaves absent ones out, null or empty."""
    return None if value is None or value == "" else word(value)


def moment(value: object, *, now: datetime) -> datetime:
    """A moment with its zone, which has come. Old ones are believed: Adyen repeats a delivery for a month."""
    try:
        read = datetime.fromisoformat(word(value))
        ahead = read - now  # a moment without a zone cannot be compared
    except (ValueError, TypeError, OverflowError) as unreadable:
        raise WebhookRejected("shape") from unreadable
    if ahead > _AHEAD:
        raise WebhookRejected("age")
    return read
