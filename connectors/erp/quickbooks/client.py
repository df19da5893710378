"""HTTP to one company of QuickBooks Online, and what its answers and silences mean.

A fault of class 4xx says that nothing was done. A write without a readable answer may have happened; a read never changed
anything. Shapes: https://developer.intuit.com/app/developer/qbo/docs/learn/rest-api-features
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx

from connectors.declaring import RotatingTokens
from connectors.erp.calls import asked_to_wait, sent_to
from connectors.erp.quickbooks import wire
from connectors.erp.quickbooks.limits import Limits
from connectors.erp.quickbooks.tokens import Access, Keys
from connectors.errors import ConnectorError, Misconfigured, OutcomeUnknown, Rejected, Throttled, Unavailable
from connectors.trust import trusted

VENDOR: Final = "QuickBooks"
MINOR_VERSION: Final = "75"
LIVE: Final = "https://quickbooks.api.intuit.com"
SANDBOX: Final = "https://sandbox-quickbooks.api.intuit.com"
LOGIN: Final = "https://oauth.platform.intuit.com"
STALE: Final = "5010"
NOT_FOUND: Final = "610"
CLOSED_PERIOD: Final = "CLOSED_PERIOD"

_RETRY_AFTER_SECONDS: Final = 60
ROWS_MAX: Final = 1000
READ_EVERY_SECONDS: Final = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class QuickBooksConfig:
    """How to reach one company. `deposit_account` is the name of the account where Duly's payments wait for the bank.

    `overlap_seconds` is longer than a change takes to appear with its earlier time; `calls_per_second` and the others are
    Intuit's limits for one company and one app; `read_every_seconds` is how long what was read to its end is not read again:
    an app of the lowest tier has 500,000 reads a month for all its companies.
    https://blogs.intuit.com/2026/01/08/understanding-builder-tier-api-limits-for-you-and-your-customers
    """

    base_url: str
    keys: Keys
    realm_id: str
    deposit_account: str = "Undeposited Funds"
    name: str = "quickbooks"
    time_zone: str = "UTC"
    request_timeout_seconds: int = 60
    request_life_seconds: int = 300
    overlap_seconds: int = 600
    calls_per_minute: int = 500
    calls_per_second: int = 10
    calls_at_once: int = 10
    read_every_seconds: int = READ_EVERY_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was told, and what time it was over there."""

    body: wire.Wire
    date: str

    def at(self) -> datetime:
        """The far side's clock (UTC). Raises Unavailable where it does not say."""
        try:
            return parsedate_to_datetime(self.date).astimezone(UTC)
        except ValueError as unreadable:
            raise Unavailable("QuickBooks does not say what time it is.") from unreadable


def after(rows: Sequence[wire.Wire], low: str, skip: int) -> tuple[str, int]:
    """Where the page after a full one begins: at the time of its last row, whose other rows may not have been told yet."""
    last: str = rows[-1]["MetaData"]["LastUpdatedTime"]
    return (low, skip + len(rows)) if last == low else (last, 0)


class QuickBooksClient:
    """One connection pool; every method raises ConnectorError and nothing else."""

    def __init__(self, config: QuickBooksConfig, tokens: RotatingTokens) -> None:
        self._path = f"/v3/company/{config.realm_id}"
        self._limits = Limits(
            per_minute=config.calls_per_minute, per_second=config.calls_per_second, at_once=config.calls_at_once
        )
        seconds = config.request_timeout_seconds
        try:
            self._http = httpx.AsyncClient(
                base_url=config.base_url,
                timeout=httpx.Timeout(seconds, connect=5, pool=seconds),
                trust_env=False,
                verify=trusted(),
            )
        except httpx.InvalidURL as wrong:
            raise Misconfigured("The address of QuickBooks is not a web address.") from wrong
        self._access = Access(tokens, self._http, config.keys)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def get(self, path: str, **query: str) -> Answer:
        """Ask for something; a failure is Unavailable, because nothing was changed."""
        try:
            return _told(await self._send("GET", path, query, None))
        except OutcomeUnknown as silent:
            raise Unavailable(str(silent)) from silent

    async def one(self, entity: str, erp_id: str) -> wire.Wire | None:
        """One object by its id, None where it is deleted or never was. This read has no lag, unlike a query."""
        try:
            found = (await self.get(f"/{entity.lower()}/{erp_id}")).body.get(entity)
        except Rejected as refused:
            if refused.code != NOT_FOUND:
                raise
            return None
        if not isinstance(found, dict) or found.get("status") == "Deleted":
            return None
        return found

    async def rows(self, entity: str, condition: str = "", *, order: str = "", start: int = 1) -> list[wire.Wire]:
        """Up to a thousand objects that meet a condition: without a number of its own, a query stops at a hundred, and
        without being asked for the others too it shows active customers only.
        """
        if entity == "Customer":
            condition = " and ".join(filter(None, ("Active in (true,false)", condition)))
        words = ["select * from", entity, f"where {condition}" if condition else "", f"orderby {order}" if order else ""]
        text = " ".join(each for each in (*words, f"startposition {start} maxresults {ROWS_MAX}") if each)
        response = (await self.get("/query", query=text)).body.get("QueryResponse")
        found = response.get(entity, []) if isinstance(response, dict) else None
        if not isinstance(found, list):
            raise Unavailable("QuickBooks's answer to a query cannot be read.")
        return found

    async def page(self, entity: str, condition: str = "", *, low: str = "", skip: int = 0) -> list[wire.Wire]:
        """Objects that meet a condition and changed at `low` or later, the oldest change first.

        A row that changes while pages are read comes later again; no other slips into the place that it left.
        """
        since = f"MetaData.LastUpdatedTime >= '{low}'" if low else ""
        wanted = " and ".join(each for each in (condition, since) if each)
        return await self.rows(entity, wanted, order="MetaData.LastUpdatedTime", start=1 + skip)

    async def every(self, entity: str, condition: str = "") -> list[wire.Wire]:
        """All objects that meet a condition; each once, as it was told last."""
        found: dict[str, wire.Wire] = {}
        low, skip = "", 0
        while True:
            rows = await self.page(entity, condition, low=low, skip=skip)
            found |= {each["Id"]: each for each in rows}
            if len(rows) < ROWS_MAX:
                return list(found.values())
            low, skip = after(rows, low, skip)

    async def pdf(self, entity: str, erp_id: str) -> bytes:
        """The PDF of a document."""
        try:
            answer = await self._send("GET", f"/{entity.lower()}/{erp_id}/pdf", {}, None, accept="application/pdf")
        except OutcomeUnknown as silent:
            raise Unavailable(str(silent)) from silent
        if answer.is_success and answer.content.startswith(b"%PDF"):
            return answer.content
        try:
            _told(answer)
        except OutcomeUnknown as unreadable:
            raise Unavailable(str(unreadable)) from unreadable
        raise Unavailable("QuickBooks answered something else than a PDF.")

    async def write(self, entity: str, body: Mapping[str, object], *, salt: str = "", **query: str) -> wire.Wire:
        """Create or change an object. Raises OutcomeUnknown without a clear answer, and Rejected(STALE) where somebody
        changed it meanwhile.

        The request's id is the same for the same body: where it is honoured, a request that takes effect late and its
        repetition are one. Nothing here relies on it.
        """
        text = wire.dumped(body)
        request_id = hashlib.blake2b(f"{entity}{text}{query}{salt}".encode(), digest_size=15).hexdigest()
        answer = await self._send("POST", f"/{entity.lower()}", {**query, "requestid": request_id}, text)
        found = _told(answer).body.get(entity)
        if not isinstance(found, dict) or "Id" not in found:
            raise OutcomeUnknown("QuickBooks's answer to a write cannot be read.")
        return found

    async def _send(
        self, method: str, path: str, query: Mapping[str, str], body: str | None, *, accept: str = "application/json"
    ) -> httpx.Response:
        pair = await self._access.current()
        answer = await self._once(method, path, query, body, accept, pair.access)
        if answer.status_code != httpx.codes.UNAUTHORIZED:
            return answer
        # A token may end before its time; what it then asks for is refused before it is looked at.
        pair = await self._access.renewed(pair)
        return await self._once(method, path, query, body, accept, pair.access)

    async def _once(
        self, method: str, path: str, query: Mapping[str, str], body: str | None, accept: str, token: str
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}", "Accept": accept}
        if body is not None:
            headers["Content-Type"] = "application/json"
        async with self._limits.slot():
            with sent_to(VENDOR):
                return await self._http.request(
                    method,
                    f"{self._path}{path}",
                    params={**query, "minorversion": MINOR_VERSION},
                    content=body,
                    headers=headers,
                )


def _told(answer: httpx.Response) -> Answer:
    """What a call answers; raises what its fault means. A fault comes with 200 at times."""
    try:
        told = wire.loaded(answer.text)
    except ValueError:
        told = None
    fault = told.get("Fault", told.get("fault")) if isinstance(told, dict) else None
    if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
        seconds = asked_to_wait(answer, otherwise=_RETRY_AFTER_SECONDS)
        raise Throttled("QuickBooks asks for patience.", retry_after_seconds=seconds)
    if answer.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        raise Misconfigured("QuickBooks does not let us into this company: connect it again.")
    if fault is not None and not answer.is_server_error:
        raise _refusal(fault, answer.status_code)
    if answer.is_client_error:
        raise Rejected(f"HTTP_{answer.status_code}", f"QuickBooks refused with status {answer.status_code}.")
    if not answer.is_success or not isinstance(told, dict):
        raise OutcomeUnknown(f"QuickBooks answered with {answer.status_code} and nothing readable.")
    return Answer(body=told, date=answer.headers.get("Date", ""))


def _refusal(fault: Any, status: int) -> ConnectorError:
    """The first error of a fault, in QuickBooks's words."""
    errors = fault.get("Error", fault.get("error")) if isinstance(fault, dict) else None
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    said = {name.lower(): str(each) for name, each in first.items()}
    code, message, detail = said.get("code", "").lstrip("0"), said.get("message", ""), said.get("detail", "")
    if code == "3001":
        return Throttled("QuickBooks asks for patience.", retry_after_seconds=_RETRY_AFTER_SECONDS)
    if code.startswith("32") or code == "3100":
        return Misconfigured("QuickBooks does not let us into this company: connect it again.")
    sentence = detail or message or f"QuickBooks refused with status {status} and no reason."
    # The number of a closed period's fault is that of a stale object at times; its words are not.
    if code in {"6200", "6210"} or "period closed" in message.lower():
        return Rejected(CLOSED_PERIOD, sentence)
    return Rejected(code or f"HTTP_{status}", sentence)
