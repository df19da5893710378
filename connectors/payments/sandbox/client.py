"""HTTP to the sandbox provider, and what each way of failing means for the caller.

A write whose answer was not read is OutcomeUnknown. A read changes nothing over there, so its failure is Unavailable.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from connectors.errors import ConnectorError, KeyConflict, Misconfigured, OutcomeUnknown, Rejected, Throttled, Unavailable
from connectors.trust import trusted

_SHORTEST_SECRET: Final = 16
_LONGEST_RETRY_AFTER_SECONDS: Final = 3600
_LARGEST_ANSWER: Final = 4 * 1024 * 1024
_NOTHING_LEFT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_NEVER_SENDABLE: Final = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxConfig:
    """One connection. `webhook_secrets` newest first; each at least 16 characters.

    `search_lag_seconds` is how old a search that found nothing must be before it is believed: it covers a request that
    was still under way when we stopped listening.
    """

    base_url: str
    api_key: str
    webhook_secrets: tuple[str, ...]
    connect_timeout: timedelta = timedelta(seconds=3)
    read_timeout: timedelta = timedelta(seconds=10)
    search_lag_seconds: int = 2

    def __post_init__(self) -> None:
        """Raises Misconfigured: a short secret would let anybody sign."""
        address = urlsplit(self.base_url)
        if address.scheme not in {"http", "https"} or not address.hostname:
            raise Misconfigured("The sandbox provider's address must be an http or https URL.")
        if not self.api_key:
            raise Misconfigured("The sandbox provider needs an API key.")
        if not self.webhook_secrets or any(len(secret.strip()) < _SHORTEST_SECRET for secret in self.webhook_secrets):
            raise Misconfigured(f"Each webhook secret of the sandbox provider needs at least {_SHORTEST_SECRET} characters.")

    def __repr__(self) -> str:
        """Without the key and the secrets."""
        return f"SandboxConfig(base_url={self.base_url!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer that was read: its status below 300, or 402 or 404 where the caller asked for it, and its body."""

    status: int
    body: dict[str, Any]


class SandboxClient:
    """A pooled HTTP client for one connection; `aclose` it."""

    def __init__(self, config: SandboxConfig) -> None:
        read = config.read_timeout.total_seconds()
        self._http = httpx.AsyncClient(
            base_url=config.base_url,
            headers={"Authorization": f"Bearer {config.api_key}", "Accept": "application/json"},
            timeout=httpx.Timeout(read, connect=config.connect_timeout.total_seconds()),
            # An idle connection is dropped by us first: one that the other side closed looks like an unknown outcome.
            limits=httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=30),
            follow_redirects=False,
            trust_env=False,
            verify=trusted(),
        )

    async def aclose(self) -> None:
        """Close the pool."""
        await self._http.aclose()

    async def get(self, path: str, *, query: dict[str, str] | None = None) -> Reply:
        """Read; a 404 is an answer. Raises Unavailable, Throttled, Rejected or Misconfigured."""
        try:
            return await self._send("GET", path, query=query, accepts=(404,))
        except OutcomeUnknown as unread:
            raise Unavailable(str(unread)) from unread

    async def post(self, path: str, body: dict[str, Any], *, key: str, accepts: tuple[int, ...] = ()) -> Reply:
        """Write, once for each key; statuses in `accepts` are answers. Raises ConnectorError."""
        return await self._send("POST", path, body=body, key=key, accepts=accepts)

    async def _send(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
        key: str | None = None,
        accepts: tuple[int, ...] = (),
    ) -> Reply:
        headers = {} if key is None else {"Idempotency-Key": key}
        try:
            answer = await self._http.request(method, path, params=query, json=body, headers=headers)
        except _NOTHING_LEFT as refused:
            raise Unavailable(f"The sandbox provider cannot be reached ({type(refused).__name__}).") from refused
        except (*_NEVER_SENDABLE, httpx.InvalidURL) as mistake:
            raise Misconfigured(f"The sandbox provider's address cannot be used ({type(mistake).__name__}).") from mistake
        except httpx.HTTPError as unread:
            raise OutcomeUnknown(f"The sandbox provider's answer was not read ({type(unread).__name__}).") from unread
        return _read(answer, accepts)


def _read(answer: httpx.Response, accepts: tuple[int, ...]) -> Reply:
    """Sort an HTTP answer. Raises ConnectorError."""
    status = answer.status_code
    if status in {401, 403}:
        raise Misconfigured(f"The sandbox provider refuses our API key (HTTP {status}).")
    if status == 429:
        raise Throttled("The sandbox provider asks for patience.", retry_after_seconds=_retry_after(answer))
    if status >= 500 or 300 <= status < 400:
        raise OutcomeUnknown(f"The sandbox provider answered HTTP {status}.")
    body = _json_object(answer)
    if status < 300 or status in accepts:
        return Reply(status=status, body=body)
    raise _refusal(status, body)


def _refusal(status: int, body: dict[str, Any]) -> ConnectorError:
    error = body.get("error")
    facts = error if isinstance(error, dict) else {}
    code, sentence = str(facts.get("code", f"http_{status}"))[:80], str(facts.get("message", ""))[:300]
    if status == 409 and code == "idempotency_key_in_use":
        return Throttled("The sandbox provider is still at work on this.", retry_after_seconds=1)
    if code == "idempotency_mismatch":
        return KeyConflict("The sandbox provider has seen this key with another body.")
    return Rejected(code, sentence)


def _retry_after(answer: httpx.Response) -> int:
    text = answer.headers.get("retry-after", "").strip()
    seconds = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 1
    return max(1, min(seconds, _LONGEST_RETRY_AFTER_SECONDS))


def _json_object(answer: httpx.Response) -> dict[str, Any]:
    if len(answer.content) > _LARGEST_ANSWER:
        raise OutcomeUnknown("The sandbox provider's answer is larger than any it should give.")
    try:
        body = answer.json()
    except (ValueError, RecursionError) as unreadable:
        raise OutcomeUnknown("The sandbox provider's answer cannot be read.") from unreadable
    if not isinstance(body, dict):
        raise OutcomeUnknown("The sandbox provider's answer has an unexpected shape.")
    return body
