"""HTTP to one account of NetSuite, and what its answers and silences mean.

An error of class 4xx says that nothing was done. A write without a readable answer may have happened; a read never changed
anything. Errors: https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_156570709583.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx

from connectors.erp.calls import asked_to_wait, sent_to
from connectors.erp.netsuite import wire
from connectors.erp.netsuite.tokens import TOKEN_PATH, Access
from connectors.errors import ConnectorError, Misconfigured, OutcomeUnknown, Rejected, Throttled, Unavailable
from connectors.trust import trusted

VENDOR: Final = "NetSuite"
CLOSED_PERIOD: Final = "CLOSED_PERIOD"
ROWS_MAX: Final = 1000
_RECORDS: Final = "/services/rest/record/v1"
_QUERY: Final = "/services/rest/query/v1/suiteql"
_RETRY_AFTER_SECONDS: Final = 30
_CONCURRENCY: Final = frozenset({"CONCURRENCY_LIMIT_EXCEEDED", "SSS_REQUEST_LIMIT_EXCEEDED", "REQUEST_LIMIT_EXCEEDED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class NetSuiteConfig:
    """How to reach one account. `deposit_account` is the internal id of the account that payments go to, and
    `receivable_account` that of the one that customers owe on. `time_zone` is the zone that times are told in: that of
    Duly's own user there.

    `overlap_seconds` is longer than the hour that comes twice when summer time ends, and than a long transaction.
    """

    base_url: str
    client_id: str
    certificate_id: str
    private_key: str = field(repr=False)
    deposit_account: str
    receivable_account: str
    time_zone: str
    name: str = "netsuite"
    customers_time_zone: str = "UTC"
    request_timeout_seconds: int = 120
    request_life_seconds: int = 900
    overlap_seconds: int = 4500
    calls_at_once: int = 5


class NetSuiteClient:
    """One connection pool; every method raises ConnectorError and nothing else."""

    def __init__(self, config: NetSuiteConfig) -> None:
        # The account counts calls at once of everybody together; more of ours would only be refused.
        self._gate = asyncio.Semaphore(config.calls_at_once)
        seconds = config.request_timeout_seconds
        try:
            self._http = httpx.AsyncClient(
                base_url=config.base_url,
                timeout=httpx.Timeout(seconds, connect=5, pool=seconds),
                trust_env=False,
                verify=trusted(),
            )
        except httpx.InvalidURL as wrong:
            raise Misconfigured("The address of NetSuite is not a web address.") from wrong
        self._access = Access(
            self._http,
            url=config.base_url + TOKEN_PATH,
            client_id=config.client_id,
            certificate_id=config.certificate_id,
            private_key=config.private_key,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def rows(self, query: str) -> list[wire.Wire]:
        """All rows of a SuiteQL query that has an order, page by page to the last."""
        return (await self.rows_at(query))[0]

    async def rows_at(self, query: str, *, most: int | None = None) -> tuple[list[wire.Wire], datetime]:
        """The rows, at most so many, and what time it was over there when they were asked for (UTC)."""
        found: list[wire.Wire] = []
        at: datetime | None = None
        limit = min(most or ROWS_MAX, ROWS_MAX)
        while True:
            try:
                answer = await self._send(
                    "POST", _QUERY, {"limit": str(limit), "offset": str(len(found))}, {"q": query}, {"Prefer": "transient"}
                )
                told = _told(answer)
            except OutcomeUnknown as silent:
                raise Unavailable(str(silent)) from silent
            at = at or _clock_of(answer)
            rows = told.get("items") if isinstance(told, dict) else None
            if not isinstance(rows, list):
                raise Unavailable("NetSuite's answer to a query cannot be read.")
            found += rows
            if not told.get("hasMore") or not rows or most is not None:
                return found, at

    async def get(self, path: str) -> wire.Wire | None:
        """A record, None where there is none. Unlike a query it has no lag."""
        try:
            told = _told(await self._send("GET", f"{_RECORDS}{path}", {}, None, {}))
        except OutcomeUnknown as silent:
            raise Unavailable(str(silent)) from silent
        except Rejected as refused:
            if refused.code != "HTTP_404":
                raise
            return None
        if not isinstance(told, dict):
            raise Unavailable("NetSuite's answer to a read cannot be read.")
        return told

    async def items(self, path: str) -> list[wire.Wire]:
        """All lines of a sublist: a record shows the first page of it only."""
        found: list[wire.Wire] = []
        while True:
            page = await self.get(f"{path}?limit={ROWS_MAX}&offset={len(found)}&expandSubResources=true")
            lines = page.get("items") if page is not None else None
            if page is None or not isinstance(lines, list):
                raise Unavailable("NetSuite's answer about a list cannot be read.")
            found += lines
            if not page.get("hasMore") or not lines:
                return found

    async def write(self, method: str, path: str, body: Mapping[str, object] | None) -> None:
        """Make or change a record, or delete it. Raises OutcomeUnknown without a clear answer."""
        answer = await self._send(method, f"{_RECORDS}{path}", {}, body, {})
        if answer.status_code != httpx.codes.NO_CONTENT:
            _told(answer)
            raise OutcomeUnknown("NetSuite's answer to a write cannot be read.")

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Mapping[str, object] | None,
        headers: Mapping[str, str],
    ) -> httpx.Response:
        token = await self._access.current()
        answer = await self._once(method, path, query, body, {**headers, "Authorization": f"Bearer {token}"})
        if answer.status_code != httpx.codes.UNAUTHORIZED:
            return answer
        # A token may end before its time; what it then asks for is refused before it is looked at.
        token = await self._access.current(refused=token)
        return await self._once(method, path, query, body, {**headers, "Authorization": f"Bearer {token}"})

    async def _once(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Mapping[str, object] | None,
        headers: Mapping[str, str],
    ) -> httpx.Response:
        content = None if body is None else wire.dumped(body)
        sent = {**headers, "Accept": "application/json", "Content-Type": "application/json"}
        async with self._gate:
            with sent_to(VENDOR):
                return await self._http.request(method, path, params=query or None, content=content, headers=sent)


def _told(answer: httpx.Response) -> Any:
    """What a call answers; raises what its error means."""
    try:
        told = wire.loaded(answer.text)
    except ValueError:
        told = None
    status = answer.status_code
    code, detail = _reason(told)
    if status == httpx.codes.TOO_MANY_REQUESTS or code in _CONCURRENCY:
        seconds = asked_to_wait(answer, otherwise=_RETRY_AFTER_SECONDS)
        raise Throttled("NetSuite has too many calls at once.", retry_after_seconds=seconds)
    if status in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        raise Misconfigured("NetSuite does not let us in, or our role may not do that.")
    if answer.is_client_error:
        raise _refusal(status, code, detail)
    if not answer.is_success or told is None:
        raise OutcomeUnknown(f"NetSuite answered with {status} and nothing readable.")
    return told


def _reason(told: Any) -> tuple[str, str]:
    details = told.get("o:errorDetails") if isinstance(told, dict) else None
    first = details[0] if isinstance(details, list) and details and isinstance(details[0], dict) else {}
    return str(first.get("o:errorCode", "")), str(first.get("detail", ""))


def _refusal(status: int, code: str, detail: str) -> ConnectorError:
    sentence = detail or f"NetSuite refused with status {status} and no reason."
    words = detail.lower()
    if status == httpx.codes.NOT_FOUND:
        return Rejected("HTTP_404", sentence)
    if "period" in words and ("closed" in words or "locked" in words):
        return Rejected(CLOSED_PERIOD, sentence)
    return Rejected(code or f"HTTP_{status}", sentence)


def _clock_of(answer: httpx.Response) -> datetime:
    try:
        return parsedate_to_datetime(answer.headers.get("Date", "")).astimezone(UTC)
    except ValueError as unreadable:
        raise Unavailable("NetSuite does not say what time it is.") from unreadable
