"""The body of a delivery, read without trust: bounded, plain, each name once. Raises WebhookRejected only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NoReturn

from connectors.errors import WebhookRejected

LARGEST_BODY: Final = 256 * 1024
_DEEPEST: Final = 24
_AHEAD: Final = timedelta(seconds=300)


def object_of(raw: bytes) -> dict[str, Any]:
    """The body as an object of bounded size and depth, without NUL, NaN or a name given twice."""
    if len(raw) > LARGEST_BODY:
        raise WebhookRejected("size")
    try:
        body = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse)
    except (ValueError, RecursionError) as unreadable:
        raise WebhookRejected("shape") from unreadable
    if not isinstance(body, dict) or not _is_plain(body):
        raise WebhookRejected("shape")
    return body


def part(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object under a name."""
    value = body.get(name)
    if not isinstance(value, dict):
        raise WebhookRejected("shape")
    return value


def word(value: object) -> str:
    """A short text that is not empty."""
    if not isinstance(value, str) or not 0 < len(value) <= 200:
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


def _is_plain(body: dict[str, Any]) -> bool:
    """Whether nothing lies too deep and no text holds a NUL or half a character, which a database cannot keep."""
    waiting: list[tuple[object, int]] = [(body, 1)]
    while waiting:
        value, depth = waiting.pop()
        if depth > _DEEPEST:
            return False
        if isinstance(value, dict):
            waiting.extend((inner, depth + 1) for pair in value.items() for inner in pair)
        elif isinstance(value, list):
            waiting.extend((inner, depth + 1) for inner in value)
        elif isinstance(value, str) and not _is_storable(value):
            return False
    return True


def _is_storable(text: str) -> bool:
    try:
        return b"\x00" not in text.encode()
    except UnicodeEncodeError:
        return False


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    named = dict(pairs)
    if len(named) != len(pairs):
        raise ValueError("a name is given twice")
    return named


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
