"""HTTP to Xero's Accounting API: tokens, limits, and what its answers and silences mean.

An answer of 4xx means that nothing was done. A write without a clear answer may have happened, a read never changed a thing.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

from connectors.declaring import RotatingTokens, TokenPair
from connectors.erp.calls import asked_to_wait, sent_to
from connectors.erp.xero import wire
from connectors.erp.xero.consent import Keys, renewed
from connectors.erp.xero.limits import Limiter
from connectors.errors import ConnectorError, Misconfigured, OutcomeUnknown, Rejected, Throttled, Unavailable
from connectors.trust import trusted

VENDOR: Final = "Xero"
API: Final = "https://api.xero.com"
_BASE: Final = "/api.xro/2.0"
_RETRY_AFTER_SECONDS: Final = 60
_RENEW_BEFORE: Final = timedelta(minutes=2)
PAGE: Final = 100
READ_EVERY_SECONDS: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class XeroConfig:
    """One organisation in Xero. `deposit_account` is the code of the bank account that Duly's payments go to.

    `request_life_seconds` is how long a request of ours can still take effect; `overlap_seconds` is longer than a change of
    Xero's stays unseen; `read_every_seconds` is how long what was read to its end is not read again, because a day has only
    so many calls.
    """

    keys: Keys
    organisation: str | None
    deposit_account: str
    time_zone: str = "UTC"
    name: str = "xero"
    api_url: str = API
    request_timeout_seconds: int = 30
    request_life_seconds: int = 300
    overlap_seconds: int = 600
    read_every_seconds: int = READ_EVERY_SECONDS
    calls_at_once: int = 5
    calls_per_minute: int = 60
    calls_per_day: int = 5_000
    tokens: RotatingTokens | None = field(default=None, repr=False)


class XeroClient:
    """One connection pool; every method raises ConnectorError and nothing else."""

    def __init__(self, config: XeroConfig) -> None:
        self._config = config
        self._limiter = Limiter(
            at_once=config.calls_at_once, per_minute=config.calls_per_minute, per_day=config.calls_per_day
        )
        timeout = httpx.Timeout(config.request_timeout_seconds, connect=3, pool=config.request_timeout_seconds)
        self._http = httpx.AsyncClient(base_url=config.api_url, timeout=timeout, trust_env=False, verify=trusted())

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def read(self, path: str, *, since: datetime | None = None, **query: str | int) -> wire.Wire:
        """Ask for something; a failure is Unavailable, because nothing was changed."""
        return (await self.read_at(path, since=since, **query))[0]

    async def read_at(self, path: str, *, since: datetime | None = None, **query: str | int) -> tuple[wire.Wire, datetime]:
        """The same, with the time over there (UTC, to the second)."""
        headers = {"If-Modified-Since": since.strftime("%Y-%m-%dT%H:%M:%S")} if since is not None else {}
        try:
            answer = await self._send("GET", path, headers, query=query)
            told = _told(answer)
        except OutcomeUnknown as silent:
            raise Unavailable(str(silent)) from silent
        try:
            at = parsedate_to_datetime(answer.headers.get("Date", "")).astimezone(UTC)
        except ValueError as unreadable:
            raise Unavailable("Xero does not say what time it is.") from unreadable
        return told, at

    async def rows(self, room: str, where: str, **query: str | int) -> list[wire.Wire]:
        """Every record of a room that a filter lets through, page by page."""
        found: list[wire.Wire] = []
        async for page in self._pages(room, where, query):
            found += page
        return found

    async def _pages(self, room: str, where: str, query: Mapping[str, str | int]) -> AsyncIterator[list[wire.Wire]]:
        number, is_full = 1, True
        while is_full:
            asked = {**query, "where": where, "page": number, "pageSize": PAGE}
            told, _ = await self.read_at(f"/{room}", since=None, **asked)
            rows: list[wire.Wire] = told[room]
            is_full, number = len(rows) >= PAGE, number + 1
            yield rows

    async def file(self, path: str) -> bytes:
        """A document as PDF."""
        try:
            answer = await self._send("GET", path, {"Accept": "application/pdf"})
        except OutcomeUnknown as silent:
            raise Unavailable(str(silent)) from silent
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise Rejected("NOT_FOUND", "Xero has no such document.")
        if (
            not answer.is_success
            or not answer.content.startswith(b"%PDF-")
            or not answer.content.rstrip().endswith(b"%%EOF")
        ):
            raise Unavailable(f"Xero answered with {answer.status_code} and no document.")
        return answer.content

    async def write(self, method: str, path: str, body: object = None, *, step: str) -> wire.Wire:
        """Change something; without a clear answer, OutcomeUnknown. `step` names this call and no other of ours.

        The key made of it guards the way to Xero only: it is forgotten there after minutes, and answers what once was.
        """
        text = "" if body is None else wire.dumped(body)
        key = hashlib.blake2b(f"{step}\n{method}\n{path}\n{text}".encode(), digest_size=20).hexdigest()
        headers = {"Idempotency-Key": key} if method != "DELETE" else {}
        return _told(await self._send(method, path, headers, body=text or None))

    async def _send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        *,
        query: Mapping[str, str | int] | None = None,
        body: str | None = None,
    ) -> httpx.Response:
        pair = await self._pair(None)
        answer = await self._sent(method, path, headers, pair, query=query, body=body)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            # Refused before it was looked at: with another token it is another try, not a repeat.
            pair = await self._pair(pair)
            answer = await self._sent(method, path, headers, pair, query=query, body=body)
        return answer

    async def _sent(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        pair: TokenPair,
        *,
        query: Mapping[str, str | int] | None,
        body: str | None,
    ) -> httpx.Response:
        if self._config.organisation is None:
            raise Misconfigured("It is not chosen yet which organisation this connection reads.")
        given = {
            "Authorization": f"Bearer {pair.access}",
            "xero-tenant-id": self._config.organisation,
            "Accept": "application/json",
            **({"Content-Type": "application/json"} if body is not None else {}),
            **headers,
        }
        async with self._limiter.turn():
            with sent_to(VENDOR):
                answer = await self._http.request(
                    method, f"{_BASE}{path}", params=dict(query or {}), content=body, headers=given
                )
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            seconds = asked_to_wait(answer, otherwise=_RETRY_AFTER_SECONDS)
            self._limiter.told_to_wait(seconds)
            raise Throttled("Xero asks for patience.", retry_after_seconds=seconds)
        return answer

    async def _pair(self, refused: TokenPair | None) -> TokenPair:
        """Tokens that should work: those that are stored, renewed where they are over or were just refused."""
        tokens = self._config.tokens
        if tokens is None:
            raise Misconfigured("Nobody has given consent yet: do it on the connection's page.")
        pair = await tokens.current()
        is_refused = refused is not None and refused.access == pair.access
        if not is_refused and pair.expires_at > datetime.now(UTC) + _RENEW_BEFORE:
            return pair
        return await tokens.renewed(pair, lambda used: renewed(self._config.keys, used))


def _told(answer: httpx.Response) -> wire.Wire:
    """What a call answers; raises what its error means."""
    status = answer.status_code
    if status in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        raise Misconfigured(f"Xero does not let us in ({status}): a scope or the organisation is missing in our consent.")
    try:
        told = wire.loaded(answer.text)
    except ValueError:
        told = None
    if status >= httpx.codes.INTERNAL_SERVER_ERROR or not isinstance(told, dict):
        if answer.is_client_error and status != httpx.codes.BAD_REQUEST:
            raise Rejected(f"HTTP_{status}", f"Xero refused with status {status}.")
        # A page of HTML says nothing about the write, whatever its status: something on the way wrote it.
        raise OutcomeUnknown(f"Xero answered with {status} and nothing readable.")
    if answer.is_client_error:
        raise _refusal(status, told)
    return told


def _refusal(status: int, told: wire.Wire) -> ConnectorError:
    """Xero's words: Elements[].ValidationErrors[].Message of a ValidationException, else its Message."""
    sentences = [
        str(error.get("Message", ""))
        for element in told.get("Elements") or []
        for error in element.get("ValidationErrors") or []
    ]
    sentence = " ".join(filter(None, sentences)) or str(told.get("Message") or f"Xero refused with status {status}.")
    said = sentence.lower()
    if "lock date" in said:
        return Rejected("CLOSED_PERIOD", sentence)
    if "reconciled" in said:
        return Rejected("RECONCILED", sentence)
    return Rejected(str(told.get("Type") or f"HTTP_{status}"), sentence)
