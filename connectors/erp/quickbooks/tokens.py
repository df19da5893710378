"""Tokens of QuickBooks: an access token for an hour, and a refresh token that each renewal answers anew.

Renewing and what its answers mean: https://developer.intuit.com/app/developer/qbo/docs/develop/authentication-and-authorization/oauth-2.0
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import httpx

from connectors.declaring import RotatingTokens, TokenPair
from connectors.errors import Misconfigured, Throttled, Unavailable

TOKEN_PATH: Final = "/oauth2/v1/tokens/bearer"  # noqa: S105 - where tokens are, and none
_EARLY: Final = timedelta(minutes=2)
_RETRY_AFTER_SECONDS: Final = 30


def _now() -> datetime:
    return datetime.now(UTC)


class Access:
    """The access token that a call carries, renewed in time, one renewal for all who wait."""

    def __init__(
        self,
        tokens: RotatingTokens,
        http: httpx.AsyncClient,
        *,
        url: str,
        client_id: str,
        client_secret: str,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self._tokens = tokens
        self._http = http
        self._url = url
        self._login = httpx.BasicAuth(client_id, client_secret)
        self._clock = clock

    async def current(self) -> TokenPair:
        """A pair that is good for a while. Raises ConnectorError."""
        pair = await self._tokens.current()
        return pair if pair.expires_at > self._clock() + _EARLY else await self.renewed(pair)

    async def renewed(self, used: TokenPair) -> TokenPair:
        """The pair after one that was refused, or will be. Raises ConnectorError."""
        return await self._tokens.renewed(used, self._renew)

    async def _renew(self, used: TokenPair) -> TokenPair:
        form = {"grant_type": "refresh_token", "refresh_token": used.refresh}
        try:
            answer = await self._http.post(self._url, data=form, auth=self._login, headers={"Accept": "application/json"})
        except httpx.TransportError as silent:
            # Whether it was renewed is not known; the refresh token of before is asked with again, and refused or not.
            raise Unavailable(f"Intuit did not answer a renewal ({type(silent).__name__}).") from silent
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise Throttled("Intuit asks for patience.", retry_after_seconds=_RETRY_AFTER_SECONDS)
        if answer.is_client_error:
            raise Misconfigured("Intuit does not renew our consent: connect QuickBooks again.")
        try:
            told = answer.json() if answer.is_success else {}
            return TokenPair(
                access=told["access_token"],
                refresh=told["refresh_token"],
                expires_at=self._clock() + timedelta(seconds=int(told["expires_in"])),
            )
        except (KeyError, TypeError, ValueError) as unreadable:
            raise Unavailable("Intuit's answer to a renewal cannot be read.") from unreadable
