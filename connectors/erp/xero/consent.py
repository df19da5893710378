"""Consent to an organisation in Xero (OAuth 2.0 code flow): the page it is given on, the code's tokens, their renewal.

A refresh token is good for one renewal (https://developer.xero.com/documentation/guides/oauth2/token-types): whoever renews
holds the connection's tokens meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

import httpx

from connectors.declaring import ConnectorSetting, TokenPair
from connectors.erp.declaring import Consented
from connectors.errors import ConsentGone, Misconfigured, OutcomeUnknown, Throttled, Unavailable
from connectors.trust import trusted

LOGIN: Final = "https://login.xero.com"
IDENTITY: Final = "https://identity.xero.com"
CONNECTIONS: Final = "https://api.xero.com"
SCOPES: Final = (
    *("offline_access", "accounting.invoices", "accounting.payments", "accounting.banktransactions"),
    *("accounting.contacts", "accounting.settings"),
)
ORGANISATION: Final = ConnectorSetting(name="organisation", label="Organisation")
_TIMEOUT_SECONDS: Final = 8
_RETRY_AFTER_SECONDS: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """What Xero calls our app, and where its consent lives; a simulator plays all three addresses at once."""

    client_id: str
    client_secret: str = field(repr=False)
    login_url: str = LOGIN
    identity_url: str = IDENTITY
    connections_url: str = CONNECTIONS


def address(keys: Keys, state: str, way_back: str) -> str:
    """Where the person is sent."""
    query = {
        "response_type": "code",
        "client_id": keys.client_id,
        "redirect_uri": way_back,
        "scope": " ".join(SCOPES),
        "state": state,
    }
    return f"{keys.login_url}/identity/connect/authorize?{urlencode(query)}"


async def exchanged(keys: Keys, code: str, way_back: str) -> Consented:
    """A code's tokens, and the organisations that the person chose. Raises ConnectorError."""
    pair = await _tokens(keys, {"grant_type": "authorization_code", "code": code, "redirect_uri": way_back})
    headers = {"Authorization": f"Bearer {pair.access}", "Accept": "application/json"}
    async with _client() as http:
        try:
            answer = await http.get(f"{keys.connections_url}/connections", headers=headers)
            answer.raise_for_status()
            organisations = [
                (str(each["tenantId"]), str(each["tenantName"]))
                for each in answer.json()
                if each["tenantType"] == "ORGANISATION"
            ]
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as unread:
            raise Unavailable("Xero does not say which organisations it is consent for.") from unread
    return Consented(
        tokens=pair,
        learnt=(ConnectorSetting(name="organisation", label="Organisation", choices=tuple(organisations)),),
    )


async def renewed(keys: Keys, used: TokenPair) -> TokenPair:
    """The pair after this one. Raises ConsentGone where Xero knows it no more, OutcomeUnknown where it did not answer."""
    try:
        return await _tokens(keys, {"grant_type": "refresh_token", "refresh_token": used.refresh})
    except _GrantRefused as refused:
        raise ConsentGone("Xero knows our consent no more: give it again on the connection's page.") from refused


class _GrantRefused(Misconfigured):
    """The code or the refresh token is no good; our own keys are."""


async def _tokens(keys: Keys, form: Mapping[str, str]) -> TokenPair:
    async with _client() as http:
        try:
            answer = await http.post(
                f"{keys.identity_url}/connect/token", data=dict(form), auth=(keys.client_id, keys.client_secret)
            )
        except (httpx.ConnectError, httpx.ConnectTimeout) as absent:
            raise Unavailable("Xero's sign-in could not be reached.") from absent
        except httpx.TransportError as silent:
            raise OutcomeUnknown("Xero's sign-in did not answer.") from silent
    if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
        raise Throttled("Xero's sign-in asks for patience.", retry_after_seconds=_RETRY_AFTER_SECONDS)
    try:
        told: dict[str, Any] = answer.json()
        if answer.is_client_error:
            raise _refused(str(told["error"]))
        answer.raise_for_status()
        lives = timedelta(seconds=int(told["expires_in"]))
        return TokenPair(
            access=told["access_token"], refresh=told["refresh_token"], expires_at=datetime.now(UTC) + lives
        )  # fmt: skip
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as unread:
        raise OutcomeUnknown("Xero's sign-in answered with nothing readable.") from unread


def _refused(word: str) -> Misconfigured:
    if word == "invalid_grant":
        return _GrantRefused("Xero does not take this code (any more): begin again.")
    return Misconfigured(f"Xero does not accept our client ID and secret ({word}).")


def _client() -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, trust_env=False, verify=trusted())
