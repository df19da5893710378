"""HTTP to Stripe, and what each way of failing means for the caller.

Stripe's own library writes the requests and sorts the answers; how they travel is ours: a reset after the send must not
look like a refusal before it, and nothing is sent again behind our back.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import stripe

from connectors.errors import ConnectorError, KeyConflict, Misconfigured, OutcomeUnknown, Rejected, Throttled, Unavailable
from connectors.trust import trusted
from domain.methods import MethodKind

VERSION: Final = "2026-05-27.dahlia"
"""What Stripe's answers look like. Moved on purpose only: with the official description that the tests read."""

PAGE_ORIGINS: Final = frozenset({"https://checkout.stripe.com", "https://hooks.stripe.com", "https://payments.stripe.com"})
"""Checkout, the bank's question, small deposits. An account with a domain of its own for Checkout names that instead."""

_SHORTEST_SECRET: Final = 16
_LONGEST_RETRY_AFTER_SECONDS: Final = 3600
_LARGEST_ANSWER: Final = 16 * 1024 * 1024
_NOTHING_LEFT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_NEVER_SENDABLE: Final = (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL)
_SENT_HEADERS: Final = frozenset({"authorization", "content-type", "idempotency-key", "stripe-account", "stripe-version"})
"""Of what the library would send; the rest tells about this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StripeConfig:
    """One connection. `webhook_secrets` newest first (`whsec_…`); each at least 16 characters.

    `is_live` must agree with the key: a test key never pretends to move money, a live key never sits in a sandbox.
    `account`: events of any other account are refused. `search_lag_seconds`: how long Stripe's search may not yet show
    what was written.
    """

    api_key: str
    webhook_secrets: tuple[str, ...]
    is_live: bool
    account: str | None = None
    page_origins: frozenset[str] = PAGE_ORIGINS
    kinds: frozenset[MethodKind] = frozenset({MethodKind.CARD, MethodKind.US_BANK_ACCOUNT, MethodKind.SEPA_DEBIT})
    base_url: str = "https://api.stripe.com"
    connect_timeout: timedelta = timedelta(seconds=3)
    read_timeout: timedelta = timedelta(seconds=10)  # two writes follow each other at most: both fit a worker's half minute
    search_lag_seconds: int = 90

    def __post_init__(self) -> None:
        """Raises Misconfigured: a short secret would let anybody sign."""
        address = urlsplit(self.base_url)
        if address.scheme not in {"http", "https"} or not address.hostname:
            raise Misconfigured("Stripe's address must be an http or https URL.")
        kind, _, rest = self.api_key.partition("_")
        mode, _, secret = rest.partition("_")
        if kind not in {"sk", "rk"} or mode not in {"test", "live"} or not secret or not self.api_key.isascii():
            raise Misconfigured("Stripe needs a secret or restricted API key: sk_… or rk_….")
        if (mode == "live") is not self.is_live:
            raise Misconfigured(f"This is a {mode} key, but the connection is {'live' if self.is_live else 'a test'}.")
        if self.is_live and address.scheme != "https":
            raise Misconfigured("A live key is sent over https only.")
        if not self.webhook_secrets or any(len(secret.strip()) < _SHORTEST_SECRET for secret in self.webhook_secrets):
            raise Misconfigured(f"Each webhook secret of Stripe needs at least {_SHORTEST_SECRET} characters.")

    def __repr__(self) -> str:
        """Without the key and the secrets."""
        return f"StripeConfig(is_live={self.is_live}, account={self.account!r}, base_url={self.base_url!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer that was read: its status below 300, or 402 or 404 where the caller asked for it, and its body."""

    status: int
    body: Mapping[str, Any]


class Transport(stripe.HTTPClient):
    """How the library's requests travel: one try, with our time-outs, and errors that say whether it left."""

    name = "httpx"

    def __init__(self, config: StripeConfig) -> None:
        super().__init__()
        read = config.read_timeout.total_seconds()
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(read, connect=config.connect_timeout.total_seconds()),
            # An idle connection is dropped by us first: one that the other side closed looks like an unknown outcome.
            limits=httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=30),
            follow_redirects=False,
            trust_env=False,
            verify=trusted(),
        )

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: object = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """One request, sent once. Raises ConnectorError."""
        sent = {name: value for name, value in headers.items() if name.lower() in _SENT_HEADERS}
        content = post_data.encode() if isinstance(post_data, str) else None
        try:
            answer = await self._http.request(method, url, headers=sent, content=content)
        except _NOTHING_LEFT as refused:
            raise Unavailable(f"Stripe cannot be reached ({type(refused).__name__}).") from refused
        except _NEVER_SENDABLE as mistake:
            raise Misconfigured(f"Stripe's address cannot be used ({type(mistake).__name__}).") from mistake
        except httpx.HTTPError as unread:
            raise OutcomeUnknown(f"Stripe's answer was not read ({type(unread).__name__}).") from unread
        if len(answer.content) > _LARGEST_ANSWER:
            raise OutcomeUnknown("Stripe's answer is larger than any it should give.")
        if 300 <= answer.status_code < 400:
            raise OutcomeUnknown(f"Stripe answered HTTP {answer.status_code}.")
        try:
            answer.content.decode()  # the library would fall over it
        except UnicodeDecodeError as unreadable:
            raise OutcomeUnknown("Stripe's answer cannot be read.") from unreadable
        return answer.content, answer.status_code, answer.headers

    async def close_async(self) -> None:
        """Close the pool."""
        await self._http.aclose()


class Client:
    """Stripe's API with one connection's own key; `aclose` it."""

    def __init__(self, config: StripeConfig) -> None:
        # What it says below a warning are bodies and Stripe's sentences, which name customers.
        logging.getLogger("stripe").setLevel(logging.WARNING)
        self._transport = Transport(config)
        self._stripe = stripe.StripeClient(
            config.api_key,
            stripe_version=VERSION,
            base_addresses={"api": config.base_url.rstrip("/")},
            max_network_retries=0,
            http_client=self._transport,
        )

    async def aclose(self) -> None:
        """Close the pool."""
        await self._transport.close_async()

    async def get(self, path: str, query: Mapping[str, Any] | None = None) -> Reply:
        """Read; a 404 is an answer. Raises Unavailable, Throttled, Rejected or Misconfigured."""
        try:
            return await self._ask("get", path, query or {}, accepts=(404,))
        except OutcomeUnknown as unread:
            raise Unavailable(str(unread)) from unread

    async def post(self, path: str, body: Mapping[str, Any], *, key: str, accepts: tuple[int, ...] = ()) -> Reply:
        """Write, once for each key; statuses in `accepts` are answers. Raises ConnectorError."""
        return await self._ask("post", path, {**body, "idempotency_key": key}, accepts=accepts)

    async def _ask(self, method: str, path: str, parameters: Mapping[str, Any], *, accepts: tuple[int, ...]) -> Reply:
        try:
            answer = await self._stripe.raw_request_async(method, path, **parameters)
        except stripe.StripeError as error:
            status, body = error.http_status or 0, error.json_body
            if status in accepts and isinstance(body, dict):
                return Reply(status=status, body=body)
            raise _sorted(error, status, body) from error
        except RecursionError as unreadable:
            raise OutcomeUnknown("Stripe's answer cannot be read.") from unreadable
        if not isinstance(answer.data, dict):
            raise OutcomeUnknown("Stripe's answer has an unexpected shape.")
        return Reply(status=answer.code, body=answer.data)


def _sorted(error: stripe.StripeError, status: int, body: object) -> ConnectorError:
    """What an answer that is an error means. Only what says clearly that nothing happened is taken to say so."""
    told = body.get("error") if isinstance(body, dict) else None
    facts: Mapping[str, Any] = told if isinstance(told, dict) else {}
    headers = {str(name).lower(): str(value) for name, value in (error.headers or {}).items()}
    code = str(facts.get("code") or facts.get("type") or f"http_{status}")[:80]
    if status in {401, 403}:
        return Misconfigured(f"Stripe refuses our API key (HTTP {status}, {code}).")
    if status == 429 or code == "rate_limit":
        return Throttled("Stripe asks for patience.", retry_after_seconds=_retry_after(headers))
    if status == 409:
        return Throttled("Stripe is still at work on this.", retry_after_seconds=1)
    if facts.get("type") == "idempotency_error":
        return KeyConflict("Stripe has seen this key with another body.")
    if not facts or not 400 <= status < 500 or status == 424:
        again = ", which the key repeats" if headers.get("idempotent-replayed") == "true" else ""
        return OutcomeUnknown(f"Stripe answered HTTP {status}{again}.")
    return Rejected(code, str(facts.get("message", ""))[:300])


def _retry_after(headers: Mapping[str, str]) -> int:
    text = headers.get("retry-after", "").strip()
    seconds = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 1
    return max(1, min(seconds, _LONGEST_RETRY_AFTER_SECONDS))
