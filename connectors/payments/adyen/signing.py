"""Adyen's signatures. Its own library checks the first item of a batch only, and answers None where one is missing."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any, Final

from connectors.errors import Misconfigured, WebhookRejected

_SHORTEST_KEY: Final = 32


def keys_of(secrets: Sequence[str]) -> tuple[bytes, ...]:
    """The keys behind what Adyen shows in hexadecimal. Raises Misconfigured: with a short key anybody could sign."""
    try:
        keys = tuple(bytes.fromhex(secret.strip()) for secret in secrets)
    except ValueError as unreadable:
        raise Misconfigured("Each HMAC key of Adyen is hexadecimal, as the Customer Area shows it.") from unreadable
    if not keys or any(len(key) < _SHORTEST_KEY for key in keys):
        raise Misconfigured(f"Each HMAC key of Adyen needs at least {2 * _SHORTEST_KEY} hexadecimal digits.")
    return keys


def check_item(item: Mapping[str, Any], keys: Sequence[bytes]) -> None:
    """Believe one item of a batch, or raise WebhookRejected: signature.

    Adyen joins the fields with colons and escapes nothing, so a colon may move from one field to the next under the same
    signature. Only our reference may have colons: the others are then told apart from both ends.
    """
    amount = item.get("amount") or {}
    extra = item.get("additionalData")
    if not isinstance(amount, dict) or not isinstance(extra, dict):
        raise WebhookRejected("signature")
    before = [_field(item.get(name)) for name in ("pspReference", "originalReference", "merchantAccountCode")]
    value = amount.get("value")
    if type(value) is int and abs(value) < 1 << 63:
        value = str(value)
    after = [_field(each) for each in (value, amount.get("currency"), item.get("eventCode"), item.get("success"))]
    if any(":" in each for each in (*before, *after)):
        raise WebhookRejected("signature")
    signed = ":".join((*before, _field(item.get("merchantReference")), *after))
    check(signed.encode(), extra.get("hmacSignature"), keys)


def check(signed: bytes, signature: object, keys: Sequence[bytes]) -> None:
    """Hold a signature against each of our keys, in constant time. Raises WebhookRejected: signature."""
    if not isinstance(signature, str) or not signature.isascii() or not all(keys):
        raise WebhookRejected("signature")
    believed = False
    for key in keys:
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
        believed |= hmac.compare_digest(expected, signature.encode())
    if not believed:
        raise WebhookRejected("signature")


def _field(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise WebhookRejected("signature")
    return value
