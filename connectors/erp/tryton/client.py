"""JSON-RPC to Tryton, and what its answers and silences mean.

Tryton works off each call in one transaction: an answer that is an error means that nothing of the call was done. A write
without an answer may have happened, a read never changed anything.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx

from connectors.erp.calls import sent_to
from connectors.erp.tryton import wire
from connectors.errors import ConnectorError, Misconfigured, OutcomeUnknown, Rejected, Throttled, Unavailable
from connectors.trust import trusted

VENDOR: Final = "Tryton"
_RETRY_AFTER_SECONDS: Final = 5
_OURS_TO_MEND: Final = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN, httpx.codes.NOT_FOUND)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrytonConfig:
    """How to reach one company in one Tryton. `payment_method` is the name of the one (Financial → Configuration →
    Invoice → Payment Methods) whose journal and accounts Duly's payments are written with.

    `request_life_seconds` is how long a request of ours can still take effect; `overlap_seconds` is longer than Tryton's
    longest transaction, whose changes appear late and with an early time.
    """

    base_url: str
    database: str
    user: str
    password: str = field(repr=False)
    payment_method: str = "Duly"
    name: str = "tryton"
    time_zone: str = "UTC"
    request_timeout_seconds: int = 30
    request_life_seconds: int = 120
    overlap_seconds: int = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A signed-in user: what goes with every call."""

    authorization: str
    context: wire.Wire


class TrytonClient:
    """One connection pool and one session; every method raises ConnectorError and nothing else."""

    def __init__(self, config: TrytonConfig) -> None:
        self._config = config
        self._path = f"/{config.database}/rpc/"
        self._session: Session | None = None
        self._signing_in = asyncio.Lock()
        try:
            self._http = httpx.AsyncClient(
                base_url=config.base_url,
                timeout=httpx.Timeout(config.request_timeout_seconds, connect=3, pool=config.request_timeout_seconds),
                trust_env=False,
                verify=trusted(),
            )
        except httpx.InvalidURL as wrong:
            raise Misconfigured("The address of Tryton is not a web address.") from wrong

    async def aclose(self) -> None:
        """Close the connections; the session ends by itself."""
        await self._http.aclose()

    async def read(self, method: str, *arguments: object, **context: object) -> Any:
        """Ask for something; a failure is Unavailable, because nothing was changed."""
        try:
            return await self._call(method, arguments, context)
        except OutcomeUnknown as silent:
            raise Unavailable(str(silent)) from silent

    async def rows(
        self,
        model: str,
        domain: Sequence[object],
        fields: Sequence[str],
        *,
        limit: int | None = None,
        order: Sequence[tuple[str, str]] = (("id", "ASC"),),
        **context: object,
    ) -> list[wire.Wire]:
        """Records with these fields. `a.b` reads a field of the record that `a` names, under `a.`."""
        arguments = (list(domain), 0, limit, list(order), list(fields))
        found = await self.read(f"model.{model}.search_read", *arguments, **context)
        if not isinstance(found, list):
            raise Unavailable("Tryton's answer to a read cannot be read.")
        return found

    async def touched(self, model: str, since: datetime, fields: Sequence[str], *domain: object) -> list[wire.Wire]:
        """Records that were made or changed since a moment."""
        changed = ["OR", ("write_date", ">=", since), ("create_date", ">=", since)]
        return await self.rows(model, [*domain, changed], fields, active_test=False)

    async def write(self, method: str, *arguments: object, **context: object) -> Any:
        """Change something; without a clear answer, OutcomeUnknown."""
        return await self._call(method, arguments, context)

    async def company(self) -> int:
        """The company that our user works for."""
        try:
            session = await self._signed_in(None)
        except OutcomeUnknown as silent:
            raise Unavailable(str(silent)) from silent
        return int(session.context["company"])

    async def clock(self) -> datetime:
        """What time it is over there (UTC, to the second)."""
        try:
            answer = await self._answer("model.currency.currency.search_count", [[]], {})
        except OutcomeUnknown as silent:
            raise Unavailable(str(silent)) from silent
        _result(answer)
        told = answer.headers.get("Date", "")
        try:
            return parsedate_to_datetime(told).astimezone(UTC)
        except ValueError as unreadable:
            raise Unavailable("Tryton does not say what time it is.") from unreadable

    async def _call(self, method: str, arguments: Sequence[object], context: dict[str, object]) -> Any:
        return _result(await self._answer(method, arguments, context))

    async def _answer(self, method: str, arguments: Sequence[object], context: dict[str, object]) -> httpx.Response:
        session = await self._signed_in(None)
        answer = await self._post(method, [*arguments, {**session.context, **context}], session)
        if answer.status_code != httpx.codes.UNAUTHORIZED:
            return answer
        # A session ends by itself after a while, and what it then asks for is refused before it is looked at.
        session = await self._signed_in(session)
        return await self._post(method, [*arguments, {**session.context, **context}], session)

    async def _signed_in(self, stale: Session | None) -> Session:
        """The session that there is; a new one where there is none but the stale one. Of several at once, one signs in."""
        async with self._signing_in:
            if self._session is None or self._session is stale:
                self._session = None
                self._session = await self._sign_in()
            return self._session

    async def _sign_in(self) -> Session:
        user = self._config.user
        try:
            told = _result(await self._post("common.db.login", [user, {"password": self._config.password}], None))
            if not isinstance(told, list) or len(told) < 2:
                raise Misconfigured("Tryton does not accept our user and password.")
            token = base64.b64encode(f"{user}:{told[0]}:{told[1]}".encode()).decode()
            bare = Session(authorization=f"Session {token}", context={})
            preferences = _result(await self._post("model.res.user.get_preferences", [True, {}], bare))
        except OutcomeUnknown as silent:
            raise Unavailable("Tryton did not answer a sign-in.") from silent
        except Rejected as refused:
            raise Misconfigured(f"Tryton does not let us in: {refused.sentence}") from refused
        if not isinstance(preferences, dict) or not preferences.get("company"):
            raise Misconfigured("Our user in Tryton works for no company.")
        # The sentences of its errors are for staff, and read by them as they come.
        return Session(authorization=bare.authorization, context={**preferences, "language": "en"})

    async def _post(self, method: str, params: Sequence[object], session: Session | None) -> httpx.Response:
        headers = {"Content-Type": "application/json"}
        if session is not None:
            headers["Authorization"] = session.authorization
        body = wire.dumped({"id": 1, "method": method, "params": params})
        with sent_to(VENDOR):
            return await self._http.post(self._path, content=body, headers=headers)


def _result(answer: httpx.Response) -> Any:
    """What a call answers; raises what its error means."""
    status = answer.status_code
    if status == httpx.codes.TOO_MANY_REQUESTS:
        raise Throttled("Tryton asks for patience.", retry_after_seconds=_RETRY_AFTER_SECONDS)
    if status in _OURS_TO_MEND:
        raise Misconfigured(f"Tryton does not let us in, or has no such database or call ({status}).")
    if answer.is_client_error:
        raise Rejected(f"HTTP_{status}", f"Tryton refused with status {status}.")
    try:
        told = wire.loaded(answer.text) if answer.is_success else None
    except (ValueError, KeyError, TypeError):
        told = None
    if not isinstance(told, dict) or not {"result", "error"} & told.keys():
        raise OutcomeUnknown(f"Tryton answered with {status} and nothing readable.")
    if "error" in told:
        raise _refusal(told["error"])
    return told["result"]


def _refusal(error: object) -> ConnectorError:
    """Tryton's errors: [name, [sentence, …]] for what is meant for people, else [exception's text, traceback]."""
    name, details = (*error, None, None)[:2] if isinstance(error, list) else (None, None)
    sentences = details if isinstance(details, list) else []
    said = [part for part in sentences if isinstance(part, str) and part]
    match name:
        case "UserError":
            return Rejected("UserError", " ".join(said[:2]) or "Tryton refused without a reason.")
        case "UserWarning":
            return Rejected("UserWarning", " ".join(said[1:3]) or "Tryton warns, without a reason.")
        case "ConcurrencyException":
            return Unavailable("Somebody changed the same record in Tryton; nothing was done.")
        case _:
            # A failure inside: its text may hold anything, so none of it is shown.
            return Rejected("TrytonFailed", "Tryton failed inside; its own log says why. Nothing was done.")
