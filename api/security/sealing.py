"""Seals small secrets that we must be able to read again (those of second factors): AES-256-GCM, bound to their owner.

The keys follow from the payload codec's (DULY_TEMPORAL_CODEC_KEYS) by HKDF, so that neither opens what the other sealed.
The newest key seals, each of them opens.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_BYTES: Final = 12
_PURPOSE: Final = b"duly/second-factor"


class Unsealable(Exception):
    """What is stored cannot be opened: its key is not here, or it was changed or moved to another owner."""


class Sealer:
    """Seals for an owner and opens for the same."""

    def __init__(self, keys: Sequence[tuple[str, bytes]]) -> None:
        """`keys`: (id, 32 bytes), the newest first. Raises ValueError for none."""
        if not keys:
            raise ValueError("secrets are sealed with DULY_TEMPORAL_CODEC_KEYS, which is not set")
        self._newest = keys[0][0]
        self._keys = {key_id: AESGCM(_derived(secret)) for key_id, secret in keys}

    def seal(self, text: str, *, owner: str) -> str:
        """'{key id}.{base64}', different each time."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._keys[self._newest].encrypt(nonce, text.encode(), owner.encode())
        return f"{self._newest}.{base64.urlsafe_b64encode(nonce + sealed).decode()}"

    def open(self, sealed: str, *, owner: str) -> str:
        """What was sealed for that owner. Raises Unsealable."""
        key_id, _, encoded = sealed.rpartition(".")
        if key_id not in self._keys:
            raise Unsealable(f"no key {key_id!r} is configured")
        raw = base64.urlsafe_b64decode(encoded)
        try:
            return self._keys[key_id].decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], owner.encode()).decode()
        except InvalidTag as changed:
            raise Unsealable("a sealed secret was changed, or belongs to somebody else") from changed


def _derived(secret: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(secret)
