"""Signed forms: a form that starts a process carries the id that it will create, bound to whom the page was drawn for.

Without the signature a guessed id would reach another customer's process. The id stays the same when the form is sent
twice, from two tabs or after 'back', which is what makes it one payment.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from domain.refusals import Refused

FORM_AGE_MAX: Final = timedelta(hours=24)
KEY_BYTES_MIN: Final = 16


class FormSigner:
    """HMAC-SHA256 over process id, customer, session and moment."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """The newest key signs, each of them verifies. Raises ValueError for none, or one too short to mean anything."""
        if not keys or any(len(key) < KEY_BYTES_MIN for key in keys):
            raise ValueError(f"DULY_FORM_KEY is missing or shorter than {KEY_BYTES_MIN} bytes")
        self._keys = tuple(keys)

    def sign(self, process_id: str, *, customer_id: str, session: str, issued_at: datetime) -> str:
        """The value of a form's hidden field: '{process id}.{seconds}.{signature}'.

        `session` is the `reference` of the session that the page is drawn for.
        """
        issued = int(issued_at.timestamp())
        return f"{process_id}.{issued}.{_signature(self._keys[0], process_id, customer_id, session, issued)}"

    def check(self, signed: str, *, customer_id: str, session: str, at: datetime) -> str:
        """The process id of a form of this customer's in this session.

        Raises Refused 'form_expired' for one that is older than a day, from the future, changed, or somebody else's.
        """
        process_id, issued, signature = _parted(signed)
        genuine = [
            hmac.compare_digest(_signature(key, process_id, customer_id, session, issued), signature) for key in self._keys
        ]
        age = at - datetime.fromtimestamp(issued, tz=at.tzinfo)
        if not any(genuine) or not timedelta(minutes=-1) <= age <= FORM_AGE_MAX:
            raise Refused("form_expired")
        return process_id


def _signature(key: bytes, process_id: str, customer_id: str, session: str, issued: int) -> str:
    # Ids hold no line breaks, so no two lists of parts read the same.
    message = "\n".join((process_id, customer_id, session, str(issued))).encode()
    return base64.urlsafe_b64encode(hmac.digest(key, message, hashlib.sha256)).decode().rstrip("=")


def _parted(signed: str) -> tuple[str, int, str]:
    parts = signed.split(".")
    if len(parts) != 3 or not parts[1].isascii() or not parts[1].isdigit() or len(parts[1]) > 11 or not signed.isascii():
        raise Refused("form_expired")
    return parts[0], int(parts[1]), parts[2]
