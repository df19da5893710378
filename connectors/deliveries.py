"""What reading any provider's delivery without trust has in common. Raises WebhookRejected with its reason, no more.

The reasons: size, signature (missing, malformed or wrong), age (too far off, either way), shape (not what is sent).
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NoReturn

from connectors.errors import WebhookRejected

LARGEST_BODY: Final = 256 * 1024
DEEPEST: Final = 24
_TOLERANCE: Final = timedelta(seconds=300)
_LONGEST_HEADER: Final = 2048
_MOST_MARKS: Final = 8


def refuse_large(raw: bytes) -> None:
    """Before anything is computed from it."""
    if len(raw) > LARGEST_BODY:
        raise WebhookRejected("size")


def verify_signed_time(
    raw: bytes, headers: Mapping[str, str], *, header: str, secrets: Sequence[str], now: datetime
) -> None:
    """`t=…,v1=…`: an HMAC-SHA256 over the moment in seconds, a dot and the raw body. Each of our secrets is tried against
    each of their marks; a moment more than 300 seconds off is refused in both directions.
    """
    told = next((value for name, value in headers.items() if name.lower() == header), "")
    if not told or len(told) > _LONGEST_HEADER or not told.isascii():
        raise WebhookRejected("signature")
    parts = [part.strip().partition("=") for part in told.split(",")]
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
    try:
        age = now - datetime.fromtimestamp(int(moments[0]), UTC)
    except (OverflowError, OSError, ValueError) as unreadable:
        raise WebhookRejected("age") from unreadable
    if abs(age) > _TOLERANCE:
        raise WebhookRejected("age")


def object_of(raw: bytes, *, deepest: int = DEEPEST) -> dict[str, Any]:
    """The body as an object of bounded depth, without NUL, NaN or a name given twice."""
    try:
        body = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse)
    except (ValueError, RecursionError) as unreadable:
        raise WebhookRejected("shape") from unreadable
    if not isinstance(body, dict) or not _is_plain(body, deepest):
        raise WebhookRejected("shape")
    return body


def word(value: object) -> str:
    """A short text that is not empty."""
    if not isinstance(value, str) or not 0 < len(value) <= 200:
        raise WebhookRejected("shape")
    return value


def word_or_none(value: object) -> str | None:
    """The same, where it may be left out."""
    return None if value is None else word(value)


def _is_plain(body: dict[str, Any], deepest: int) -> bool:
    """Whether nothing lies too deep and no text holds a NUL or half a character, which a database cannot keep."""
    waiting: list[tuple[object, int]] = [(body, 1)]
    while waiting:
        value, depth = waiting.pop()
        if depth > deepest:
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
