"""HTTP to GoCardless, and what each way of failing means for the caller. Nothing is sent again behind our back."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote, urlsplit

import httpx

from connectors.errors import ConnectorError, Misconfigured, OutcomeUnknown, Rejected, Throttled, Unavailable
from connectors.trust import trusted
from domain.methods import MethodKind

VERSION: Final = "2015-07-06"
"""What GoCardless's answers look like. Moved on purpose only."""

PAGE_ORIGINS: Final = frozenset({"https://pay.gocardless.com", "https://pay-sandbox.gocardless.com"})
PAGE_SIZE: Final = 500

_SHORTEST_SECRET: Final = 16
_LONGEST_RETRY_AFTER_SECONDS: Final = 3600
_RATE_WINDOW_SECONDS: Final = 60
_LARGEST_ANSWER: Final = 16 * 1024 * 1024
_PAGES_MAX: Final = 50
_NEWER_PAGES: Final = 10
_FORGOTTEN: Final = frozenset({"cursor_not_found", "resource_not_found", "validation_failed"})
_CONFLICT: Final = "idempotent_creation_conflict"
_NOTHING_LEFT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_NEVER_SENDABLE: Final = (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL)

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class GoCardlessConfig:
    """One connection. `webhook_secrets` newest first; each at least 16 characters.

    `is_live` must agree with the token (`live_…`, `sandbox_…`). `organisation`: events that name another are refused.
    `instant_currencies`: where the account takes instant bank payments; none where it takes mandates only.
    `falls_back`: whether an instant payment that the bank cannot make may become a debit.
    """

    access_token: str
    webhook_secrets: tuple[str, ...]
    is_live: bool
    organisation: str | None = None
    page_origins: frozenset[str] = PAGE_ORIGINS
    kinds: frozenset[MethodKind] = frozenset(
        {MethodKind.SEPA_DEBIT, MethodKind.BACS_DEBIT, MethodKind.US_BANK_ACCOUNT, MethodKind.INSTANT_BANK}
    )
    instant_currencies: frozenset[str] = frozenset({"EUR", "GBP"})
    falls_back: bool = False
    base_url: str = "https://api.gocardless.com"
    connect_timeout: timedelta = timedelta(seconds=3)
    read_timeout: timedelta = timedelta(seconds=10)
    search_lag_seconds: int = 30

    def __post_init__(self) -> None:
        """Raises Misconfigured: a short secret would let anybody sign."""
        address = urlsplit(self.base_url)
        if address.scheme not in {"http", "https"} or not address.hostname:
            raise Misconfigured("GoCardless's address must be an http or https URL.")
        mode, _, secret = self.access_token.partition("_")
        if mode not in {"live", "sandbox"} or not secret or not self.access_token.isascii():
            raise Misconfigured("GoCardless needs an access token: live_… or sandbox_….")
        if (mode == "live") is not self.is_live:
            raise Misconfigured(f"This is a {mode} token, but the connection is {'live' if self.is_live else 'a test'}.")
        if self.is_live and address.scheme != "https":
            raise Misconfigured("A live token is sent over https only.")
        if not self.webhook_secrets or any(len(each.strip()) < _SHORTEST_SECRET for each in self.webhook_secrets):
            raise Misconfigured(f"Each webhook secret of GoCardless needs at least {_SHORTEST_SECRET} characters.")

    def __repr__(self) -> str:
        """Without the token and the secrets."""
        return f"GoCardlessConfig(is_live={self.is_live}, organisation={self.organisation!r}, base_url={self.base_url!r})"


class AlreadyMade(OutcomeUnknown):
    """The key has made something before, maybe with another body: it must be read and compared."""

    def __init__(self, resource_id: str) -> None:
        super().__init__("GoCardless has seen this key before.")
        self.resource_id = resource_id


class Client:
    """GoCardless's API with one connection's own token; `aclose` it."""

    def __init__(self, config: GoCardlessConfig) -> None:
        self._http = httpx.AsyncClient(
            base_url=config.base_url.rstrip("/"),
            headers={
                "Authorization": f"Bearer {config.access_token}",
                "GoCardless-Version": VERSION,
                "Accept": "application/json",
            },
            timeout=httpx.Timeout(config.read_timeout.total_seconds(), connect=config.connect_timeout.total_seconds()),
            # An idle connection is dropped by us first: one that the other side closed looks like an unknown outcome.
            limits=httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=30),
            follow_redirects=False,
            trust_env=False,
            verify=trusted(),
        )

    async def aclose(self) -> None:
        """Close the pool."""
        await self._http.aclose()

    async def get(self, room: str, resource_id: str) -> Body | None:
        """One resource, or None. Raises Unavailable, Throttled, Rejected or Misconfigured."""
        body = await self._read(f"/{room}/{quote(resource_id, safe='')}", {})
        return None if body is None else _enclosed(body, room)

    async def pages(self, room: str, query: Mapping[str, str]) -> AsyncIterator[Body]:
        """Every resource of a list, the newest first. Raises Unavailable when it does not come to its end."""
        after: dict[str, str] = {}
        for _ in range(_PAGES_MAX):
            body = await self._read(f"/{room}", {**query, "limit": str(PAGE_SIZE), **after})
            found, meta = (None, None) if body is None else (body.get(room), body.get("meta"))
            cursors = meta.get("cursors") if isinstance(meta, dict) else None
            if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
                raise Unavailable("GoCardless's list cannot be read.")
            if not isinstance(cursors, dict):
                raise Unavailable("GoCardless's list does not say whether it goes on.")
            for each in found:
                yield each
            if cursors.get("after") is None:
                return
            after = {"after": str(cursors["after"])}
        raise Unavailable("GoCardless's list is too long to be read; nothing can be said about what is not in it.")

    async def newer(self, room: str, than: str) -> tuple[list[Body], bool] | None:
        """What came after one that is known, the oldest first, and whether there is more; None where it is forgotten."""
        found: list[Body] = []
        for _ in range(_NEWER_PAGES):
            try:
                body = await self._read(f"/{room}", {"limit": str(PAGE_SIZE), "before": than})
            except Rejected as refused:
                if refused.code not in _FORGOTTEN:
                    raise
                return None
            if body is None:
                return None
            page = body.get(room)
            if not isinstance(page, list) or not all(isinstance(each, dict) and each.get("id") for each in page):
                raise Unavailable("GoCardless's list cannot be read.")
            found += reversed(page)
            if len(page) < PAGE_SIZE:
                return found, False
            than = str(page[0]["id"])
        return found, True

    async def create(self, room: str, body: Body, *, key: str | None) -> Body:
        """Make a resource, once for each key. Raises AlreadyMade or ConnectorError."""
        headers = {} if key is None else {"Idempotency-Key": key}
        return _enclosed(await self._ask("POST", f"/{room}", {room: body}, headers=headers), room)

    async def act(self, room: str, resource_id: str, action: str) -> Body:
        """Do something with a resource that may be done again. Raises ConnectorError."""
        path = f"/{room}/{quote(resource_id, safe='')}/actions/{action}"
        return _enclosed(await self._ask("POST", path, {"data": {}}), room)

    async def _read(self, path: str, query: Mapping[str, str]) -> Body | None:
        try:
            return await self._ask("GET", path, query=query)
        except OutcomeUnknown as unread:
            raise Unavailable(str(unread)) from unread
        except _Missing:
            return None

    async def _ask(
        self,
        method: str,
        path: str,
        body: Body | None = None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Body:
        try:
            answer = await self._http.request(method, path, json=body, params=query or None, headers=headers)
        except _NOTHING_LEFT as refused:
            raise Unavailable(f"GoCardless cannot be reached ({type(refused).__name__}).") from refused
        except _NEVER_SENDABLE as mistake:
            raise Misconfigured(f"GoCardless's address cannot be used ({type(mistake).__name__}).") from mistake
        except httpx.HTTPError as unread:
            raise OutcomeUnknown(f"GoCardless's answer was not read ({type(unread).__name__}).") from unread
        told = _object(answer)
        if 200 <= answer.status_code < 300:
            if told is None:
                raise OutcomeUnknown("GoCardless's answer cannot be read.")
            return told
        raise _sorted(answer, told or {})


class _Missing(Rejected):
    """There is no such resource."""


def _sorted(answer: httpx.Response, told: Body) -> ConnectorError:
    """What an answer that is an error means. Only what says clearly that nothing happened is taken to say so."""
    status, error = answer.status_code, told.get("error")
    facts: Body = error if isinstance(error, dict) else {}
    listed = facts.get("errors")
    first: Body = listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], dict) else {}
    code = str(first.get("reason") or facts.get("type") or f"http_{status}")[:80]
    if status in {401, 403}:
        return Misconfigured(f"GoCardless refuses our access token (HTTP {status}, {code}).")
    if status == 429:
        return Throttled("GoCardless asks for patience.", retry_after_seconds=_retry_after(answer))
    if code == _CONFLICT:
        links = first.get("links")
        made = links.get("conflicting_resource_id") if isinstance(links, dict) else None
        if isinstance(made, str) and made:
            return AlreadyMade(made)
        return Throttled("GoCardless is still at work on this.", retry_after_seconds=1)
    if not facts or not 400 <= status < 500 or facts.get("type") == "gocardless":
        return OutcomeUnknown(f"GoCardless answered HTTP {status}.")
    sentence = str(first.get("message") or facts.get("message") or "")[:300]
    return _Missing(code, sentence) if status == 404 else Rejected(code, sentence)


def _object(answer: httpx.Response) -> Body | None:
    if len(answer.content) > _LARGEST_ANSWER:
        return None
    try:
        body = json.loads(answer.content)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _enclosed(body: Body, room: str) -> Body:
    found = body.get(room)
    if not isinstance(found, dict) or not isinstance(found.get("id"), str):
        raise OutcomeUnknown("GoCardless's answer has an unexpected shape.")
    return found


def _retry_after(answer: httpx.Response) -> int:
    text = answer.headers.get("retry-after", "").strip()
    seconds = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else _RATE_WINDOW_SECONDS
    return max(1, min(seconds, _LONGEST_RETRY_AFTER_SECONDS))
