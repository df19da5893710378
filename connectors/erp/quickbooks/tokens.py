"""Consent to a company of QuickBooks (OAuth 2.0 code flow): the page it is given on, the code's tokens, their renewal.

An access token is good for an hour; each renewal answers the refresh token anew:
https://developer.intuit.com/app/developer/qbo/docs/develop/authentication-and-authorization/oauth-2.0
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlencode

import httpx

from connectors.declaring import RotatingTokens, TokenPair
from connectors.errors import ConsentGone, Misconfigured, OutcomeUnknown, Throttled, Unavailable

TOKEN_PATH: Final = "/oauth2/v1/tokens/bearer"  # noqa: S105 - where tokens are, and none
CONSENT: Final = "https://appcenter.intuit.com"
SCOPE: Final = "com.intuit.quickbooks.accounting"
_EARLY: Final = timedelta(minutes=2)
_RETRY_AFTER_SECONDS: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """What Intuit calls our app, and where its consent lives; a simulator plays both addresses at once."""

    client_id: str
    client_secret: str = field(repr=False)
    consent_url: str
    login_url: str


def _now() -> datetime:
    return datetime.now(UTC)


def address(keys: Keys, state: str, way_back: str) -> str:
    """Where the person is sent."""
    query = {
        "client_id": keys.client_id,
        "response_type": "code",
        "scope": SCOPE,
        "redirect_uri": way_back,
        "state": state,
    }
    return f"{keys.consent_url}/connect/oauth2?{urlencode(query)}"


async def traded(
    http: httpx.AsyncClient, keys: Keys, form: Mapping[str, str], clock: Callable[[], datetime] = _now
) -> TokenPair:
    """The tokens for a code or a refresh token. Raises ConsentGone for one that is no good, OutcomeUnknown without any."""
    login = httpx.BasicAuth(keys.client_id, keys.client_secret)
    try:
        answer = await http.post(
            keys.login_url + TOKEN_PATH, data=dict(form), auth=login, headers={"Accept": "application/json"}
        )
    except (httpx.ConnectError, httpx.ConnectTimeout) as absent:
        raise Unavailable("Intuit's sign-in could not be reached.") from absent
    except httpx.TransportError as silent:
        raise OutcomeUnknown(f"Intuit's sign-in did not answer ({type(silent).__name__}).") from silent
    if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
        raise Throttled("Intuit's sign-in asks for patience.", retry_after_seconds=_RETRY_AFTER_SECONDS)
    try:
        told = answer.json()
        if answer.is_client_error:
            raise _refused(str(told["error"]))
        answer.raise_for_status()
        lives = timedelta(seconds=int(told["expires_in"]))
        return TokenPair(access=told["access_token"], refresh=told["refresh_token"], expires_at=clock() + lives)
    except (httpx.HTTPError, KeyError, TypeError, ValueError) as unreadable:
        raise OutcomeUnknown("Intuit's sign-in answered with nothing readable.") from unreadable


def _refused(word: str) -> Misconfigured:
    if word == "invalid_grant":
        return ConsentGone("Intuit knows our consent no more: give it again on the connection's page.")
    return Misconfigured(f"Intuit does not accept our client ID and secret ({word}).")


class Access:
    """The access token that a call carries, renewed in time, one renewal for all who wait."""

    def __init__(
        self, tokens: RotatingTokens, http: httpx.AsyncClient, keys: Keys, *, clock: Callable[[], datetime] = _now
    ) -> None:
        self._tokens = tokens
        self._http = http
        self._keys = keys
        self._clock = clock

    async def current(self) -> TokenPair:
        """A pair that is good for a while. Raises ConnectorError, and never OutcomeUnknown: no call was made yet."""
        pair = await self._tokens.current()
        return pair if pair.expires_at > self._clock() + _EARLY else await self.renewed(pair)

    async def renewed(self, used: TokenPair) -> TokenPair:
        """The pair after one that was refused, or will be. Raises as `current` does."""
        try:
            return await self._tokens.renewed(used, self._renew)
        except OutcomeUnknown as silent:
            raise Unavailable(str(silent)) from silent

    async def _renew(self, used: TokenPair) -> TokenPair:
        form = {"grant_type": "refresh_token", "refresh_token": used.refresh}
        return await traded(self._http, self._keys, form, self._clock)
