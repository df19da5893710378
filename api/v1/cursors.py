"""Cursors: where a list goes on, opaque to who holds one. Signed for one list with one filter, so none can be made up."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from domain.refusals import Refused

LONGEST: Final = 400
_SIGNATURE_BYTES: Final = 16


class Cursors:
    """Writes and reads the cursors of one list. The newest key signs, each of them verifies."""

    def __init__(self, keys: Sequence[bytes], *, of: str, wanted: Mapping[str, Any]) -> None:
        """`of` names the list, `wanted` is its filter: a cursor goes on with what was asked for at its beginning."""
        self._keys = keys
        self._context = json.dumps([of, {name: str(value) for name, value in sorted(wanted.items())}]).encode()

    def write(self, *place: str) -> str:
        """The cursor after the row with these values, which decide the order."""
        body = json.dumps(place).encode()
        return base64.urlsafe_b64encode(self._signature(self._keys[0], body) + body).rstrip(b"=").decode()

    def read(self, cursor: str | None) -> Sequence[str] | None:
        """The values of the last row that was read; None at the beginning. Raises Refused 'cursor_unknown'."""
        if cursor is None:
            return None
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise Refused("cursor_unknown") from None
        signature, body = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
        if not any(hmac.compare_digest(self._signature(key, body), signature) for key in self._keys):
            raise Refused("cursor_unknown")
        place: list[str] = json.loads(body)
        return place

    def _signature(self, key: bytes, body: bytes) -> bytes:
        # The key also signs forms, whose texts never begin like this.
        told = b"cursor\n" + self._context + b"\n" + body
        return hmac.digest(key, told, hashlib.sha256)[:_SIGNATURE_BYTES]
