"""Payload codec: AES-256-GCM. The newest key encrypts, every known key decrypts; the key's id is authenticated."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

ENCODING: Final = b"binary/encrypted"
_NONCE_BYTES: Final = 12


class UnknownKey(Exception):
    """A payload was written with a key that this process was not given; its id is in the message."""


class AesGcmCodec(PayloadCodec):
    """Encrypts every payload and failure, with a nonce of its own each time."""

    def __init__(self, keys: Sequence[tuple[str, bytes]], *, namespace: str) -> None:
        """`keys`: (id, 32 bytes), the newest first. Raises ValueError for none or for one of another length."""
        if not keys or any(len(secret) != 32 for _, secret in keys):
            raise ValueError("the payload codec needs at least one key, each of 32 bytes")
        self._newest = keys[0][0]
        self._keys: Mapping[str, AESGCM] = {key_id: AESGCM(secret) for key_id, secret in keys}
        self._namespace = namespace.encode()

    async def encode(self, payloads: Iterable[Payload]) -> list[Payload]:
        """Encrypt with the newest key."""
        return [self._encrypted(payload) for payload in payloads]

    async def decode(self, payloads: Iterable[Payload]) -> list[Payload]:
        """Decrypt what was encrypted; anything else is passed on. Raises UnknownKey, ValueError for a changed payload."""
        return [self._decrypted(payload) for payload in payloads]

    def _bound_to(self, key_id: str) -> bytes:
        return self._namespace + b"\x00" + key_id.encode()

    def _encrypted(self, payload: Payload) -> Payload:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._keys[self._newest].encrypt(nonce, payload.SerializeToString(), self._bound_to(self._newest))
        return Payload(metadata={"encoding": ENCODING, "encryption-key-id": self._newest.encode()}, data=nonce + sealed)

    def _decrypted(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != ENCODING:
            return payload
        key_id = payload.metadata.get("encryption-key-id", b"").decode()
        if key_id not in self._keys:
            raise UnknownKey(f"no payload key {key_id!r} is configured")
        nonce, sealed = payload.data[:_NONCE_BYTES], payload.data[_NONCE_BYTES:]
        try:
            return Payload.FromString(self._keys[key_id].decrypt(nonce, sealed, self._bound_to(key_id)))
        except InvalidTag as changed:
            raise ValueError("a payload was changed after it was written") from changed
