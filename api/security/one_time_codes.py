"""Codes of an authenticator app (RFC 6238, SHA-1, six digits, 30 seconds), its QR code, and recovery codes."""

from __future__ import annotations

import hmac
import io
import re
import secrets
from datetime import datetime
from typing import Final

import pyotp
import segno
from markupsafe import Markup

RECOVERY_CODES: Final = 8
_STEP_SECONDS: Final = 30
_DRIFT: Final = (0, -1, 1)  # a telephone's clock may be half a minute off
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"  # no letter that reads like a digit


def fresh_secret() -> str:
    """160 random bits in base 32, as apps take them."""
    return pyotp.random_base32(32)


def step_of(code: str, secret: str, *, at: datetime) -> int | None:
    """The step of time that a code belongs to, at most one away from now; None for a wrong code."""
    typed = re.sub(r"\s", "", code)
    now = int(at.timestamp()) // _STEP_SECONDS
    app = pyotp.TOTP(secret)
    # All three are compared, so that the time it takes says nothing.
    right = [now + drift for drift in _DRIFT if hmac.compare_digest(app.generate_otp(now + drift).encode(), typed.encode())]
    return right[0] if right else None


def qr_code(secret: str, *, email: str, issuer: str) -> Markup:
    """The QR code for an app, as SVG to stand in a page."""
    address = pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=issuer)
    drawn = io.BytesIO()
    segno.make(address, error="m").save(
        drawn, kind="svg", scale=5, border=4, dark="#000", light="#fff", xmldecl=False, svgns=True, title="QR code"
    )
    return Markup(drawn.getvalue().decode())  # noqa: S704 drawn by segno out of squares alone


def in_groups(secret: str) -> str:
    """A secret as a person copies it: 'ABCD EFGH …'."""
    return " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))


def fresh_recovery_codes() -> list[str]:
    """Eight codes such as 'k7wq-m2fx-9rtb-hd4e': 79 random bits each, so a plain hash of one gives nothing away."""
    return ["-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4)) for _ in range(RECOVERY_CODES)]


def recovery_form(typed: str) -> str:
    """A recovery code as it is stored, whatever spaces, dashes and capitals it was typed with."""
    letters = re.sub(r"[^a-z0-9]", "", typed.lower()[:60])
    return "-".join(letters[start : start + 4] for start in range(0, len(letters), 4))
