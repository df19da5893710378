"""Secrets that open something: 256 random bits for the holder, their SHA-256 for us. What is stored opens nothing."""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Final

_FORM: Final = re.compile(r"[A-Za-z0-9_-]{43}")


def fresh() -> str:
    """A new token of 43 characters that are safe in a path and in a cookie."""
    return secrets.token_urlsafe(32)


def hashed(token: str) -> str:
    """What is stored of a token: 64 hexadecimal digits."""
    return hashlib.sha256(token.encode()).hexdigest()


def is_token(text: str) -> bool:
    """Whether a text has the form of a token; says nothing about its existence."""
    return _FORM.fullmatch(text) is not None


def form_token(token: str) -> str:
    """The token that every form of a session carries (CSRF), derived from the session's own: nobody who lacks the
    cookie can make it, and a page that shows it gives nothing away.
    """
    return hashlib.sha256(b"form/" + token.encode()).hexdigest()
