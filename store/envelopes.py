"""Secrets that must be read again, each under a key of its own, and that key under the master key: AES-256-GCM twice.

A master key that is changed means that the small keys are wrapped anew; the secrets themselves stay as they are. Both layers
are bound to their owner, so that nothing can be moved from one connection to another.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES: Final = 12
_KEY_BITS: Final = 256


class CannotOpen(Exception):
    """What is stored cannot be opened: its master key is not here, or it was changed, or moved to another owner."""


class Envelopes:
    """Seals for an owner and opens for the same. `master_keys`: (id, 32 bytes), the newest first."""

    def __init__(self, master_keys: Sequence[tuple[str, bytes]]) -> None:
        self._newest = master_keys[0][0] if master_keys else None
        self._masters = {key_id: AESGCM(secret) for key_id, secret in master_keys}

    @property
    def can_seal(self) -> bool:
        """Whether there is a master key at all."""
        return self._newest is not None

    def seal(self, text: str, *, owner: str) -> str:
        """'{master key's id}.{its key, wrapped}.{the secret}', never twice the same. Raises CannotOpen without a master."""
        key = AESGCM.generate_key(_KEY_BITS)
        return f"{self._wrapped(key, owner)}.{_encrypted(AESGCM(key), text.encode(), owner)}"

    def open(self, sealed: str, *, owner: str) -> str:
        """What was sealed for that owner. Raises CannotOpen."""
        key, secret = self._parts(sealed, owner)
        return _decrypted(AESGCM(key), secret, owner).decode()

    def is_under_newest(self, sealed: str) -> bool:
        """Whether the newest master key is the one that holds it."""
        return sealed.partition(".")[0] == self._newest

    def wrapped_anew(self, sealed: str, *, owner: str) -> str:
        """The same secret under the same key, and that under the newest master key. Raises CannotOpen."""
        key, secret = self._parts(sealed, owner)
        return f"{self._wrapped(key, owner)}.{secret}"

    def _wrapped(self, key: bytes, owner: str) -> str:
        if self._newest is None:
            raise CannotOpen("there is no master key")
        return f"{self._newest}.{_encrypted(self._masters[self._newest], key, owner)}"

    def _parts(self, sealed: str, owner: str) -> tuple[bytes, str]:
        master, _, rest = sealed.partition(".")
        wrapped, _, secret = rest.partition(".")
        if master not in self._masters:
            raise CannotOpen(f"no master key {master!r} is configured")
        return _decrypted(self._masters[master], wrapped, owner), secret


def _encrypted(key: AESGCM, plain: bytes, owner: str) -> str:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return base64.urlsafe_b64encode(nonce + key.encrypt(nonce, plain, owner.encode())).decode()


def _decrypted(key: AESGCM, encoded: str, owner: str) -> bytes:
    try:
        raw = base64.urlsafe_b64decode(encoded)
        return key.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], owner.encode())
    except (InvalidTag, binascii.Error, ValueError) as changed:
        raise CannotOpen("a sealed secret was changed, or belongs to somebody else") from changed
