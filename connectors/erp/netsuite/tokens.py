"""Access to NetSuite by a certificate: a signed assertion is exchanged for a token of an hour. There is no refresh token.

https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_162686838198.html (OAuth 2.0 client credentials)
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import httpx
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from connectors.errors import Misconfigured, Throttled, Unavailable

TOKEN_PATH: Final = "/services/rest/auth/oauth2/v1/token"  # noqa: S105 - where tokens are, and none
_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_EARLY: Final = timedelta(minutes=2)
_LIFE: Final = timedelta(minutes=30)
_RETRY_AFTER_SECONDS: Final = 30


def _now() -> datetime:
    return datetime.now(UTC)


class Access:
    """The token that a call carries; one exchange for all who wait."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        url: str,
        client_id: str,
        certificate_id: str,
        private_key: str,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        try:
            key = load_pem_private_key(private_key.encode(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as unreadable:
            raise Misconfigured(
                "The private key of NetSuite's certificate cannot be read: it is a PEM text."
            ) from unreadable
        if not isinstance(key, rsa.RSAPrivateKey):
            raise Misconfigured("The private key of NetSuite's certificate is no RSA key.")
        self._http, self._url, self._key = http, url, key
        self._client_id, self._certificate_id = client_id, certificate_id
        self._clock = clock
        self._token, self._expires_at = "", clock()
        self._one_at_a_time = asyncio.Lock()

    async def current(self, refused: str = "") -> str:
        """A token that is good for a while, and not the one that was refused. Raises ConnectorError."""
        async with self._one_at_a_time:
            if not self._token or self._token == refused or self._expires_at < self._clock() + _EARLY:
                await self._exchange()
            return self._token

    async def _exchange(self) -> None:
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": _ASSERTION,
            "client_assertion": self._assertion(),
        }
        try:
            answer = await self._http.post(self._url, data=form)
        except httpx.TransportError as silent:
            raise Unavailable(f"NetSuite did not answer a sign-in ({type(silent).__name__}).") from silent
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise Throttled("NetSuite asks for patience.", retry_after_seconds=_RETRY_AFTER_SECONDS)
        if answer.is_client_error:
            raise Misconfigured("NetSuite does not accept our certificate: look at its mapping and its end date.")
        try:
            told = answer.json() if answer.is_success else {}
            self._token = str(told["access_token"])
            self._expires_at = self._clock() + timedelta(seconds=int(told["expires_in"]))
        except (KeyError, TypeError, ValueError) as unreadable:
            raise Unavailable("NetSuite's answer to a sign-in cannot be read.") from unreadable

    def _assertion(self) -> str:
        now = self._clock()
        head = {"typ": "JWT", "alg": "PS256", "kid": self._certificate_id}
        claims = {
            "iss": self._client_id,
            "scope": ["rest_webservices"],
            "aud": self._url,
            "iat": int(now.timestamp()),
            "exp": int((now + _LIFE).timestamp()),
        }
        signed = f"{_encoded(head)}.{_encoded(claims)}"
        pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=hashes.SHA256.digest_size)
        return f"{signed}.{_base64(self._key.sign(signed.encode(), pss, hashes.SHA256()))}"


def _encoded(part: Mapping[str, object]) -> str:
    return _base64(json.dumps(part, separators=(",", ":")).encode())


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
