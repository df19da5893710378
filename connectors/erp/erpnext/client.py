"""REST to Frappe, and what its answers and silences mean.

Frappe works off each request in one transaction: an error that it answers itself (4xx, in JSON) means that nothing of it was
done. A write that is answered with 5xx, with a page of HTML or not at all may have happened; a read never changed anything.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import httpx

from connectors.erp.calls import asked_to_wait, sent_to
from connectors.erp.erpnext import wire
from connectors.errors import Misconfigured, OutcomeUnknown, Rejected, Throttled, Unavailable
from connectors.trust import trusted

VENDOR: Final = "ERPNext"
_RETRY_AFTER_SECONDS: Final = 5
_CONNECTIONS: Final = 4
_PAGE: Final = 100
_BATCH: Final = 40  # names in one address, whose line must stay below 4,094 bytes
_CLOSED: Final = re.compile(
    r"closed accounting period|accounting period|books have been closed|period clos|entries before|frozen"
    r"|fiscal year",
    re.IGNORECASE,
)
CLOSED_PERIOD: Final = "CLOSED_PERIOD"
STALE: Final = "TimestampMismatchError"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErpNextConfig:
    """How to reach one company in one site of ERPNext. `deposit_accounts` are where Duly's payments go, one for each
    currency.

    `request_life_seconds` is how long a request of ours can still take effect: longer than the site's own limit of 120.
    `overlap_seconds` is longer than its longest transaction and than the hour that its clock repeats in autumn.
    """

    base_url: str
    api_key: str
    api_secret: str = field(repr=False)
    company: str
    deposit_accounts: tuple[str, ...]
    name: str = "erpnext"
    request_timeout_seconds: int = 60
    request_life_seconds: int = 180
    overlap_seconds: int = 4_200


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteTime:
    """What time it is at the site, as its own records say it (no zone), and which zone that is."""

    now: datetime
    zone: str


class ErpNextClient:
    """One connection pool; every method raises ConnectorError and nothing else."""

    def __init__(self, config: ErpNextConfig) -> None:
        try:
            self._http = httpx.AsyncClient(
                base_url=config.base_url,
                headers={"Authorization": f"token {config.api_key}:{config.api_secret}", "Accept": "application/json"},
                timeout=httpx.Timeout(config.request_timeout_seconds, connect=3, pool=config.request_timeout_seconds),
                limits=httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS),
                verify=trusted(),
                trust_env=False,
            )
        except httpx.InvalidURL as wrong:
            raise Misconfigured("The address of ERPNext is not a web address.") from wrong

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    # ------------------------------------------------------------ reads

    async def page(
        self,
        doctype: str,
        filters: Sequence[object],
        fields: Sequence[str],
        *,
        order: str = "name asc",
        start: int = 0,
        limit: int = _PAGE,
        parent: str | None = None,
    ) -> list[wire.Wire]:
        """One page of records. The length is always said: without it a list ends after 20, and does not say so."""
        query = {
            "fields": wire.dumped(list(fields)),
            "filters": wire.dumped(list(filters)),
            "order_by": order,
            "limit_start": str(start),
            "limit_page_length": str(limit),
        }
        if parent is not None:
            query["parent"] = parent
        rows = await self._read(f"/api/resource/{quote(doctype)}", query)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise Unavailable("ERPNext's answer to a read cannot be read.")
        return rows

    async def every(
        self, doctype: str, filters: Sequence[object], fields: Sequence[str], *, parent: str | None = None
    ) -> list[wire.Wire]:
        """All records, page by page behind the last name: what others change meanwhile shifts no page."""
        found: list[wire.Wire] = []
        wanted = fields if "name" in fields else ("name", *fields)
        last = ""
        while True:
            behind = [["name", ">", last]] if last else []
            rows = await self.page(doctype, [*filters, *behind], wanted, parent=parent)
            found.extend(rows)
            if len(rows) < _PAGE:
                return found
            last = str(rows[-1]["name"])

    async def named(
        self,
        doctype: str,
        column: str,
        names: Sequence[str],
        filters: Sequence[object],
        fields: Sequence[str],
        *,
        parent: str | None = None,
    ) -> list[wire.Wire]:
        """All records whose column is one of these."""
        wanted = list(dict.fromkeys(names))
        found: list[wire.Wire] = []
        for start in range(0, len(wanted), _BATCH):
            batch = wanted[start : start + _BATCH]
            found += await self.every(doctype, [[column, "in", batch], *filters], fields, parent=parent)
        return found

    async def document(self, doctype: str, name: str) -> wire.Wire | None:
        """A record with its tables; None where there is none."""
        try:
            found = await self._read(f"/api/resource/{quote(doctype)}/{quote(name, safe='')}", {})
        except Rejected as refused:
            if refused.code == "DoesNotExistError":
                return None
            raise
        if not isinstance(found, dict):
            raise Unavailable("ERPNext's answer to a read cannot be read.")
        return found

    async def asked(self, method: str, query: Mapping[str, str] | None = None) -> Any:
        """What a method answers that changes nothing."""
        return await self._read(f"/api/method/{method}", query or {}, told="message")

    async def printed(self, query: Mapping[str, str]) -> bytes:
        """A document as PDF, by the site's own print format."""
        try:
            answer = await self._send("GET", "/api/method/frappe.utils.print_format.download_pdf", query=query)
            _raise_for_refusal(answer)
        except OutcomeUnknown as silent:
            raise Unavailable(str(silent)) from silent
        if not answer.is_success or not answer.content.startswith(b"%PDF"):
            raise Unavailable(f"ERPNext answered with {answer.status_code} and no PDF.")
        return answer.content

    async def time(self) -> SiteTime:
        """What time it is at the site: records say it in the site's zone, the answer's head in UTC."""
        try:
            answer = await self._send("GET", "/api/method/frappe.client.get_time_zone")
            told = _told(answer, "message")
            at = parsedate_to_datetime(answer.headers.get("Date", "")).astimezone(UTC)
            zone = str(told["time_zone"])
            return SiteTime(now=at.astimezone(ZoneInfo(zone)).replace(tzinfo=None), zone=zone)
        except (ValueError, KeyError, TypeError, ZoneInfoNotFoundError, OutcomeUnknown) as unreadable:
            raise Unavailable("ERPNext does not say what time it is.") from unreadable

    async def _read(self, path: str, query: Mapping[str, str], *, told: str = "data") -> Any:
        try:
            return _told(await self._send("GET", path, query=query), told)
        except OutcomeUnknown as silent:
            raise Unavailable(str(silent)) from silent

    # ------------------------------------------------------------ writes; without a clear answer, OutcomeUnknown

    async def create(self, doctype: str, values: Mapping[str, object]) -> wire.Wire:
        """Make a record; answers it."""
        return _record(_told(await self._send("POST", f"/api/resource/{quote(doctype)}", body=values), "data"))

    async def update(self, doctype: str, name: str, values: Mapping[str, object]) -> wire.Wire:
        """Change a record; answers it."""
        path = f"/api/resource/{quote(doctype)}/{quote(name, safe='')}"
        return _record(_told(await self._send("PUT", path, body=values), "data"))

    async def delete(self, doctype: str, name: str) -> None:
        """Delete a draft; one that is gone already is gone."""
        try:
            _told(await self._send("DELETE", f"/api/resource/{quote(doctype)}/{quote(name, safe='')}"), "message", "data")
        except Rejected as refused:
            if refused.code != "DoesNotExistError":
                raise

    async def call(self, method: str, values: Mapping[str, object]) -> None:
        """Run a method that changes something."""
        _told(await self._send("POST", f"/api/method/{method}", body=values), "message", "docs", is_empty_well=True)

    async def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> httpx.Response:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        content = wire.dumped(body) if body is not None else None
        with sent_to(VENDOR):
            return await self._http.request(method, path, params=query, content=content, headers=headers)


def _told(answer: httpx.Response, *names: str, is_empty_well: bool = False) -> Any:
    """What is under the first of these names; raises what the answer means."""
    _raise_for_refusal(answer)
    content = _json_of(answer) if answer.is_success else None
    found = [content[name] for name in names if name in content] if content is not None else []
    if content is None or not (found or is_empty_well):
        raise OutcomeUnknown(f"ERPNext answered with {answer.status_code} and nothing readable.")
    return found[0] if found else None


def _record(told: Any) -> wire.Wire:
    if not isinstance(told, dict) or "name" not in told:
        raise OutcomeUnknown("ERPNext's answer to a write cannot be read.")
    return told


def _raise_for_refusal(answer: httpx.Response) -> None:
    """Raise what is as clear for a read as for a write: refused before anything was done, or refused for good."""
    status = answer.status_code
    if status == httpx.codes.SERVICE_UNAVAILABLE:
        raise Unavailable("ERPNext says that it is down for maintenance.")
    if status == httpx.codes.TOO_MANY_REQUESTS:
        wait = asked_to_wait(answer, otherwise=_RETRY_AFTER_SECONDS)
        raise Throttled("ERPNext asks for patience.", retry_after_seconds=wait)
    if answer.is_redirect:
        raise Misconfigured("ERPNext is at another address: it leads us away from this one.")
    if not answer.is_client_error:
        return
    content = _json_of(answer)
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN) or content is None or "exc_type" not in content:
        raise Misconfigured(
            f"ERPNext does not let us in, or has no such page ({status}). {_sentence(content or {})}".strip()
        )
    kind = str(content["exc_type"])
    said = _sentence(content) or f"ERPNext refused with {kind}."
    is_closed = kind == "ClosedAccountingPeriod" or (kind != STALE and _CLOSED.search(said) is not None)
    raise Rejected(CLOSED_PERIOD if is_closed else kind, said)


def _sentence(content: Mapping[str, Any]) -> str:
    """What Frappe says to people, without its marks of HTML: a list of messages, each JSON in itself; else the exception's
    own words.
    """
    said: list[str] = []
    try:
        for each in wire.loaded(content.get("_server_messages") or "[]"):
            told = wire.loaded(each)
            said.append(str(told["message"] if isinstance(told, dict) else told))
    except (ValueError, KeyError, TypeError):
        said = []
    text = " ".join(said) or str(content.get("exception") or content.get("message") or "").partition(": ")[2]
    return html.unescape(re.sub(r"<[^>]*>", "", text)).strip()


def _json_of(answer: httpx.Response) -> wire.Wire | None:
    """The answer's object; None for what is not JSON or not an object."""
    try:
        content = wire.loaded(answer.text)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None
