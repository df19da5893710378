"""Two ways to Odoo's models, JSON-2 (19 and later) and JSON-RPC (14 to 18), and what its answers and silences mean.

Odoo works off each call in one transaction: an answer that is an error of Odoo's means that nothing of the call was done. A
write without a readable answer may have happened, a read never changed anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx

from connectors.erp.calls import asked_to_wait, sent_to
from connectors.erp.odoo import wire
from connectors.errors import ConnectorError, Misconfigured, OutcomeUnknown, Rejected, Throttled, Unavailable
from connectors.trust import trusted

VENDOR: Final = "Odoo"
_RETRY_AFTER_SECONDS: Final = 5
# No limit is published; a small Odoo has two to four workers, and people need them.
_CALLS_AT_ONCE: Final = 2
_FOR_PEOPLE: Final = frozenset({"UserError", "ValidationError", "RedirectWarning", "MissingError"})
_OURS_TO_MEND: Final = frozenset({"AccessDenied", "AccessError", "Unauthorized", "Forbidden"})
_ROLLED_BACK: Final = frozenset({"SerializationFailure", "LockNotAvailable", "DeadlockDetected", "TransactionRollbackError"})
_CLOSED: Final = ("prior to and inclusive of", "lock date", "locked period")
CLOSED_PERIOD: Final = "CLOSED_PERIOD"


@dataclass(frozen=True, slots=True, kw_only=True)
class OdooConfig:
    """How to reach one company in one Odoo. `journal` is the code of the bank journal that Duly's payments are written in,
    `entry_journal` of the general one for what moves no money.

    `is_json2` says which of the two ways. `request_life_seconds` is how long a request of ours can still take effect;
    `overlap_seconds` is longer than Odoo's longest transaction, whose changes appear late and with an early time.
    """

    base_url: str
    database: str
    user: str
    api_key: str = field(repr=False)
    is_json2: bool = True
    journal: str = "DULY"
    entry_journal: str = "MISC"
    name: str = "odoo"
    time_zone: str = "UTC"
    request_timeout_seconds: float = 30
    request_life_seconds: int = 180
    overlap_seconds: int = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What this Odoo is: our user's company and its currency; `memo` is the field of a payment that has our reference.

    `receivable` is the condition on a journal item's account. Since 18 a payment need not make an entry.
    `has_sales` says whether the module Sales is installed, which knows quotations.
    """

    company: int
    currency: str
    memo: str
    receivable: tuple[str, str, str]
    may_skip_entries: bool
    has_sales: bool


class OdooClient:
    """One connection pool; every method raises ConnectorError and nothing else."""

    def __init__(self, config: OdooConfig) -> None:
        self._config = config
        self._user: int | None = None
        self._setup: Setup | None = None
        self._at_once = asyncio.Semaphore(_CALLS_AT_ONCE)
        self._learning = asyncio.Lock()
        try:
            self._http = httpx.AsyncClient(
                base_url=config.base_url,
                timeout=httpx.Timeout(config.request_timeout_seconds, connect=3, pool=config.request_timeout_seconds),
                trust_env=False,
                verify=trusted(),
            )
        except httpx.InvalidURL as wrong:
            raise Misconfigured("The address of Odoo is not a web address.") from wrong

    @property
    def groups_by_aggregates(self) -> bool:
        """Whether sums are asked for in the words of 19 and later."""
        return self._config.is_json2

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def read(self, model: str, method: str, *, ids: Sequence[int] | None = None, **named: object) -> Any:
        """Ask for something; a failure is Unavailable, because nothing was changed."""
        try:
            return _result(await self._answer(model, method, ids, named), is_json2=self._config.is_json2)
        except OutcomeUnknown as silent:
            raise Unavailable(str(silent)) from silent

    async def rows(
        self, model: str, domain: Sequence[object], fields: Sequence[str], *, limit: int | None = None, **context: object
    ) -> list[wire.Wire]:
        """Records with these fields, in the order of their ids; without a limit, all of them."""
        asked: dict[str, object] = {"domain": list(domain), "fields": list(fields), "order": "id"}
        if limit is not None:
            asked["limit"] = limit
        if context:
            asked["context"] = context
        found = await self.read(model, "search_read", ids=None, **asked)
        if not isinstance(found, list):
            raise Unavailable("Odoo's answer to a read cannot be read.")
        return found

    async def write(self, model: str, method: str, *, ids: Sequence[int] | None = None, **named: object) -> Any:
        """Change something; without a clear answer, OutcomeUnknown."""
        return _result(await self._answer(model, method, ids, named), is_json2=self._config.is_json2)

    async def clock(self) -> datetime:
        """What time it is over there (UTC, to the second)."""
        try:
            answer = await self._answer("res.users", "context_get", None, {})
            _result(answer, is_json2=self._config.is_json2)
        except OutcomeUnknown as silent:
            raise Unavailable(str(silent)) from silent
        try:
            return parsedate_to_datetime(answer.headers.get("Date", "")).astimezone(UTC)
        except ValueError as unreadable:
            raise Unavailable("Odoo does not say what time it is.") from unreadable

    async def setup(self) -> Setup:
        """What this Odoo is, asked once."""
        async with self._learning:
            if self._setup is None:
                self._setup = await self._learned()
            return self._setup

    async def _learned(self) -> Setup:
        told = await self.read("res.users", "context_get")
        (user,) = await self.read("res.users", "read", ids=[int(told["uid"])], fields=["company_id"])
        company = wire.linked(user["company_id"])
        if company is None:
            raise Misconfigured("Our user in Odoo works for no company.")
        (row,) = await self.read("res.company", "read", ids=[company], fields=["currency_id"])
        payment = await self.read("account.payment", "fields_get", allfields=["memo", "ref", "move_id"], attributes=["type"])
        account = await self.read("account.account", "fields_get", allfields=["account_type"], attributes=["type"])
        # The module Sales gives a journal item this field: where it is not, there is no model to ask for quotations.
        sold = await self.read("account.move.line", "fields_get", allfields=["sale_line_ids"], attributes=["type"])
        if "move_id" not in payment:
            raise Misconfigured("This Odoo is older than 14, or Invoicing is not installed.")
        is_newer = "account_type" in account
        return Setup(
            company=company,
            currency=wire.named(row["currency_id"]) or "",
            memo="memo" if "memo" in payment else "ref",
            receivable=(
                ("account_id.account_type", "=", "asset_receivable")
                if is_newer
                else ("account_id.internal_type", "=", "receivable")
            ),
            may_skip_entries="memo" in payment,
            has_sales="sale_line_ids" in sold,
        )

    async def _answer(
        self, model: str, method: str, ids: Sequence[int] | None, named: Mapping[str, object]
    ) -> httpx.Response:
        given = dict(named)
        extra = given.pop("context", None)
        # The sentences of its errors are for staff, and read by them as they come.
        context: dict[str, object] = {"lang": "en_US", **(extra if isinstance(extra, dict) else {})}
        if self._setup is not None:
            context["allowed_company_ids"] = [self._setup.company]
        if self._config.is_json2:
            body: dict[str, object] = {**given, "context": context}
            if ids is not None:
                body["ids"] = list(ids)
            return await self._post(f"/json/2/{model}/{method}", body)
        user = await self._signed_in()
        # `create` is the one method that wants its argument by place.
        places: list[object] = [given.pop("vals_list")] if method == "create" else [] if ids is None else [list(ids)]
        config = self._config
        args = [config.database, user, config.api_key, model, method, places, {**given, "context": context}]
        return await self._service("object", "execute_kw", args)

    async def _signed_in(self) -> int:
        """Our user's number over there. JSON-RPC has no session: each call carries the key."""
        if self._user is None:
            config = self._config
            try:
                answer = await self._service("common", "authenticate", [config.database, config.user, config.api_key, {}])
                told = _result(answer, is_json2=False)
            except OutcomeUnknown as silent:
                raise Unavailable("Odoo did not answer a sign-in.") from silent
            except Rejected as refused:
                raise Misconfigured(f"Odoo does not let us in: {refused.sentence}") from refused
            if not isinstance(told, int) or isinstance(told, bool):
                raise Misconfigured("Odoo does not accept our user and key.")
            self._user = told
        return self._user

    async def _service(self, service: str, method: str, args: Sequence[object]) -> httpx.Response:
        params = {"service": service, "method": method, "args": list(args)}
        return await self._post("/jsonrpc", {"jsonrpc": "2.0", "method": "call", "id": 1, "params": params})

    async def _post(self, path: str, body: Mapping[str, object]) -> httpx.Response:
        headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "Duly"}
        if self._config.is_json2:
            headers["Authorization"] = f"bearer {self._config.api_key}"
            headers["X-Odoo-Database"] = self._config.database
        with sent_to(VENDOR):
            async with self._at_once:
                return await self._http.post(path, content=wire.dumped(body).encode(), headers=headers)


def _result(answer: httpx.Response, *, is_json2: bool) -> Any:
    """What a call answers; raises what its error means."""
    status = answer.status_code
    if status == httpx.codes.TOO_MANY_REQUESTS:
        seconds = asked_to_wait(answer, otherwise=_RETRY_AFTER_SECONDS)
        raise Throttled("Odoo asks for patience.", retry_after_seconds=seconds)
    try:
        told = wire.loaded(answer.text)
    except ValueError:
        told = _UNREADABLE
    if answer.is_client_error:
        raise _refusal(told, status)
    if told is _UNREADABLE or not answer.is_success:
        # A gateway's page, or Odoo's own failure: which of them it was, and after what, nobody can tell.
        raise OutcomeUnknown(f"Odoo answered with {status} and nothing readable.")
    if is_json2:
        return told
    if not isinstance(told, dict) or not {"result", "error"} & told.keys():
        raise OutcomeUnknown(f"Odoo answered with {status} and nothing readable.")
    if "error" in told:
        error = told["error"]
        raise _refusal(error.get("data") if isinstance(error, dict) else None, status)
    return told["result"]


_UNREADABLE: Final = object()


def _refusal(error: object, status: int) -> ConnectorError:
    """An error of Odoo's own: {name, message, …}, name being a Python class. Its text is shown only if meant for people."""
    told = error if isinstance(error, dict) else {}
    kind = str(told.get("name") or "").rpartition(".")[2]
    said = str(told.get("message") or "").strip()
    if kind in _OURS_TO_MEND or status in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        return Misconfigured("Odoo does not let our user do that: its key or its rights are wrong.")
    if kind in _ROLLED_BACK:
        return Unavailable("Somebody changed the same record in Odoo; nothing was done.")
    if kind in _FOR_PEOPLE:
        is_closed = any(words in said.lower() for words in _CLOSED)
        return Rejected(CLOSED_PERIOD if is_closed else kind, said or "Odoo refused without a reason.")
    if status == httpx.codes.NOT_FOUND:
        return Misconfigured("Odoo has no such database, model or call (404).")
    # A failure inside: its text may hold anything, so none of it is shown.
    return Rejected("OdooFailed", "Odoo failed inside; its own log says why. Nothing was done.")
