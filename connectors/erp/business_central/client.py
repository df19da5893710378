"""Business Central's API v2.0 over HTTP: a token of the application's own, its limits, and what its answers mean.

A request that takes longer than ten minutes is answered with 504, and so may one that was carried out. An error that the API
answers itself (4xx, in JSON) means that nothing of it was done. Too many requests are refused before they are looked at.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx

from connectors.erp.business_central import wire
from connectors.erp.calls import asked_to_wait, sent_to
from connectors.errors import Misconfigured, OutcomeUnknown, Rejected, Throttled, Unavailable
from connectors.trust import trusted

VENDOR: Final = "Business Central"
SCOPE: Final = "https://api.businesscentral.dynamics.com/.default"
CLOSED_PERIOD: Final = "CLOSED_PERIOD"
NOTHING_TO_POST: Final = "NOTHING_TO_POST"
_RETRY_AFTER_SECONDS: Final = 60  # where a refusal does not say until when
_AT_ONCE: Final = 4  # of the five that one user may have under way
_WINDOW_SECONDS: Final = 300
_TOKEN_LEFT_SECONDS: Final = 60
_CLOSED: Final = re.compile(r"not within your range of allowed posting dates|accounting period|fiscal year", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class BusinessCentralConfig:
    """How to reach one company of one environment. `base_url` ends before /api; `token_url` is where Entra gives tokens.

    `balancing_account` is the number of the G/L account that Duly's money comes in on. `request_life_seconds` is longer
    than the ten minutes after which a request ends over there.
    """

    base_url: str
    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    company: str
    balancing_account: str
    time_zone: str = "UTC"
    name: str = "business_central"
    request_timeout_seconds: int = 60
    request_life_seconds: int = 660
    overlap_seconds: int = 900
    requests_in_five_minutes: int = 5_500  # of the 6,000 that one user may send


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    text: str = field(repr=False)
    ends_at_seconds: float


class BusinessCentralClient:
    """One connection pool and one token; every method raises ConnectorError and nothing else."""

    def __init__(self, config: BusinessCentralConfig) -> None:
        self._config = config
        self._company: str | None = None
        self._token: _Token | None = None
        self._renewing = asyncio.Lock()
        self._under_way = asyncio.Semaphore(_AT_ONCE)
        self._sent: deque[int] = deque()  # seconds, of this machine's clock
        try:
            self._http = httpx.AsyncClient(
                base_url=f"{config.base_url}/api/v2.0",
                timeout=httpx.Timeout(config.request_timeout_seconds, connect=3, pool=config.request_timeout_seconds),
                verify=trusted(),
                trust_env=False,
            )
        except httpx.InvalidURL as wrong:
            raise Misconfigured("The address of Business Central is not a web address.") from wrong

    async def aclose(self) -> None:
        """Close the connections; the token ends by itself."""
        await self._http.aclose()

    async def rows(self, path: str, query: Mapping[str, str] | None = None, *, limit: int | None = None) -> list[wire.Wire]:
        """What a list answers, all its pages, or the first so many. A page ends with where the next one is."""
        found: list[wire.Wire] = []
        asked: Mapping[str, str] | None = {f"${name}": value for name, value in (query or {}).items()}
        if limit is not None:
            asked = {**(asked or {}), "$top": str(limit)}
        address = await self._path(path)
        while True:
            content = await self._read(address, asked)
            rows = content.get("value")
            if not isinstance(rows, list):
                raise Unavailable("Business Central's answer to a list cannot be read.")
            found += rows
            following = content.get("@odata.nextLink")
            if not following or (limit is not None and len(found) >= limit):
                return found if limit is None else found[:limit]
            address, asked = str(following), None

    async def pdf(self, path: str) -> bytes:
        """A document as PDF. Raises Rejected where there is none."""
        try:
            answer = await self._send("GET", await self._path(path))
        except OutcomeUnknown as silent:
            raise Unavailable(str(silent)) from silent
        _raise_for_refusal(answer)
        if not answer.is_success or not answer.content.startswith(b"%PDF"):
            raise Unavailable(f"Business Central answered with {answer.status_code} and no PDF.")
        return answer.content

    async def clock(self) -> datetime:
        """What time it is over there (UTC, to the second)."""
        try:
            answer = await self._send("GET", "/companies", query={"$top": "1"})
            _raise_for_refusal(answer)
            return parsedate_to_datetime(answer.headers.get("Date", "")).astimezone(UTC)
        except (ValueError, TypeError, OutcomeUnknown) as unreadable:
            raise Unavailable("Business Central does not say what time it is.") from unreadable

    async def create(self, path: str, values: Mapping[str, object]) -> wire.Wire:
        """Make something; without a clear answer, OutcomeUnknown."""
        answer = await self._send("POST", await self._path(path), body=values)
        content = _content(answer)
        if "id" not in content:
            raise OutcomeUnknown("Business Central's answer to a write cannot be read.")
        return content

    async def act(self, path: str) -> None:
        """Run a bound action, which answers nothing; without a clear answer, OutcomeUnknown."""
        answer = await self._send("POST", await self._path(path), body={})
        _raise_for_refusal(answer)
        if answer.status_code != httpx.codes.NO_CONTENT:
            raise OutcomeUnknown(f"Business Central answered an action with {answer.status_code}.")

    async def delete(self, path: str, etag: str) -> None:
        """Delete what nobody changed since it was read; what is gone already is gone."""
        answer = await self._send("DELETE", await self._path(path), etag=etag)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return
        _raise_for_refusal(answer)
        if not answer.is_success:
            raise OutcomeUnknown(f"Business Central answered with {answer.status_code}.")

    # ------------------------------------------------------------ the company, the token, the limits

    async def _path(self, path: str) -> str:
        if self._company is None:
            content = await self._read("/companies", None)
            wanted = self._config.company
            found = [row["id"] for row in content.get("value", ()) if wanted in (row.get("name"), row.get("id"))]
            if len(found) != 1:
                raise Misconfigured(f"Business Central shows us no company {wanted}.")
            self._company = str(found[0])
        return f"/companies({self._company})/{path}"

    async def _read(self, path: str, query: Mapping[str, str] | None) -> wire.Wire:
        try:
            return _content(await self._send("GET", path, query=query))
        except OutcomeUnknown as silent:
            raise Unavailable(str(silent)) from silent

    async def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
        etag: str | None = None,
    ) -> httpx.Response:
        answer = await self._once(method, path, query, body, etag, await self._authorized(None))
        if answer.status_code != httpx.codes.UNAUTHORIZED:
            return answer
        # A token may end sooner than it said, and what it then asks for is refused before it is looked at.
        return await self._once(method, path, query, body, etag, await self._authorized(self._token))

    async def _once(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Mapping[str, object] | None,
        etag: str | None,
        token: str,
    ) -> httpx.Response:
        # Reads are of what is written, not of a copy beside it that is behind.
        headers = {"Authorization": f"Bearer {token}", "Data-Access-Intent": "ReadWrite"}
        if etag is not None:
            headers["If-Match"] = etag
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = wire.dumped(body)
        async with self._under_way:
            self._count()
            return await self._over_http(method, path, params=query, content=content, headers=headers)

    async def _over_http(self, method: str, path: str, **options: Any) -> httpx.Response:
        with sent_to(VENDOR):
            return await self._http.request(method, path, **options)

    def _count(self) -> None:
        """What would be one request too many is not sent."""
        now = int(time.monotonic())
        while self._sent and self._sent[0] <= now - _WINDOW_SECONDS:
            self._sent.popleft()
        if len(self._sent) >= self._config.requests_in_five_minutes:
            wait = self._sent[0] + _WINDOW_SECONDS - now + 1
            raise Throttled("Business Central would refuse more requests for now.", retry_after_seconds=wait)
        self._sent.append(now)

    async def _authorized(self, stale: _Token | None) -> str:
        """The token that there is; a new one where there is none but the stale one. Of several at once, one asks."""
        async with self._renewing:
            known = self._token
            if known is None or known is stale or known.ends_at_seconds <= time.monotonic() + _TOKEN_LEFT_SECONDS:
                self._token = known = await self._asked_for_token()
            return known.text

    async def _asked_for_token(self) -> _Token:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._config.client_id,
            "client_secret": self._config.client_secret,
            "scope": SCOPE,
        }
        began = time.monotonic()
        try:
            answer = await self._over_http("POST", self._config.token_url, data=form)
        except OutcomeUnknown as silent:
            raise Unavailable("Entra did not answer.") from silent
        if answer.status_code in (httpx.codes.BAD_REQUEST, httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise Misconfigured("Entra does not accept our client and its secret.")
        content = _json_of(answer) if answer.is_success else None
        try:
            assert content is not None
            return _Token(text=str(content["access_token"]), ends_at_seconds=began + int(content["expires_in"]))
        except (AssertionError, KeyError, ValueError, TypeError) as unreadable:
            raise Unavailable("Entra's answer cannot be read.") from unreadable


def _content(answer: httpx.Response) -> wire.Wire:
    _raise_for_refusal(answer)
    content = _json_of(answer) if answer.is_success else None
    if content is None:
        raise OutcomeUnknown(f"Business Central answered with {answer.status_code} and nothing readable.")
    return content


def _raise_for_refusal(answer: httpx.Response) -> None:
    """Raise what is as clear for a read as for a write: refused before anything was done, or refused for good."""
    status = answer.status_code
    if status == httpx.codes.SERVICE_UNAVAILABLE:
        raise Unavailable("Business Central says that it cannot be reached.")
    if status == httpx.codes.TOO_MANY_REQUESTS:
        wait = asked_to_wait(answer, otherwise=_RETRY_AFTER_SECONDS)
        raise Throttled("Business Central asks for patience.", retry_after_seconds=wait)
    if answer.is_redirect:
        raise Misconfigured("Business Central leads us away from its address.")
    if not answer.is_client_error:
        return
    error = (_json_of(answer) or {}).get("error")
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN) or not isinstance(error, dict):
        raise Misconfigured(f"Business Central does not let us in, or has no such page ({status}).")
    said = str(error.get("message", "")).partition("CorrelationId:")[0].strip()
    code = str(error.get("code", f"HTTP_{status}"))
    if _CLOSED.search(said):
        code = CLOSED_PERIOD
    elif "nothing to post" in said.lower():
        code = NOTHING_TO_POST
    raise Rejected(code, said or f"Business Central refused with {code}.")


def _json_of(answer: httpx.Response) -> wire.Wire | None:
    """The answer's object; None for what is not JSON or not an object."""
    try:
        content = wire.loaded(answer.text)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None
