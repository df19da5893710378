"""This QuickBooks over HTTP: tokens, minor version, requests' ids, faults, capture of changes; and a desk for the tests.

Shapes of answers: https://developer.intuit.com/app/developer/qbo/docs/learn/rest-api-features (objects under their entity's
name with `time`; faults; `requestid`), …/explore-the-quickbooks-online-api/change-data-capture, …/batch and data-queries.
"""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from fastapi import FastAPI, Request, Response

from simulators.quickbooks import desk
from simulators.quickbooks.books import ENTITIES, Books, Refused, Row
from simulators.quickbooks.queries import Unreadable, answered, moment
from simulators.sandbox_provider.connections import cut

CLIENT_ID: Final = "client-of-the-simulated-one"
CLIENT_SECRET: Final = "secret-of-the-simulated-one"  # noqa: S105 - it opens nothing
_NAMES: Final = {name.lower(): name for name in ENTITIES}
_PDF: Final = b"%PDF-1.4\n% a document of a simulator\n%%EOF\n"
_HTML: Final = "<html><head><title>502 Bad Gateway</title></head></html>"
_CAPTURE_MAX: Final = 1000


class Company:
    """One company with its books, its tokens and its ill health."""

    def __init__(self, realm: str) -> None:
        self.realm = realm
        self.books = Books()
        self.renewals = 0
        self.access = {f"at-{realm}-0"}
        self.is_revoked = False
        self.kept: dict[str, tuple[int, str]] = {}
        self.requests: list[Row] = []
        self.waiting: list[tuple[str, dict[str, str], Any]] = []
        self.knobs: Row = {}

    @property
    def refresh(self) -> str:
        return f"rt-{self.realm}-{self.renewals}"

    def renew(self, refresh: str) -> Row:
        """The next pair for a refresh token, or a code that a person's consent led to; one that was used ends everything."""
        if self.is_revoked or refresh not in {self.refresh, f"code-{self.realm}-{self.renewals}"}:
            self.is_revoked, self.access = True, set()
            raise Refused("invalid_grant", "invalid_grant", "invalid_grant")
        self.renewals += 1
        token = f"at-{self.realm}-{self.renewals}"
        self.access = {token}
        return {"token_type": "bearer", "access_token": token, "refresh_token": self.refresh, "expires_in": 3600}

    def spend(self, knob: str) -> Any:
        """A knob that is good for one call."""
        return self.knobs.pop(knob, None)

    # ------------------------------------------------------------ one call

    async def serve(self, request: Request, path: str) -> Response:
        """One call of the interface."""
        text = (await request.body()).decode()
        query = dict(request.query_params)
        body: Any = json.loads(text, parse_float=Decimal) if text else None
        is_naive = "x-naive" in request.headers
        noted = {"method": request.method, "path": path, "query": query, "text": text, "is_naive": is_naive}
        self.requests.append(noted)
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.access or self.spend("expire_token"):
            return _refusal(Refused("3200", "message=AuthenticationFailed", "", 401, "AUTHENTICATION"))
        if self.knobs.get("down"):
            return Response(_HTML, status_code=503, media_type="text/html")
        if (after := self.spend("throttle")) is not None:
            headers = {"Retry-After": str(after)} if after else {}
            told = {"Fault": {"Error": [{"Message": "message=ThrottleExceeded", "code": "003001"}], "type": "SERVICE"}}
            return Response(json.dumps(told), status_code=429, headers=headers, media_type="application/json")
        is_write = request.method == "POST"
        if is_write and self.spend("late"):
            self.waiting.append((path, query, body))
            await cut(request.scope)
            return Response(status_code=500)
        if is_write and (words := self.spend("edited_meanwhile")):
            desk.act(self.books, "note", {"id": body["Id"], "words": words})
        status, answer = self._once(request.method, path, query, body)
        if isinstance(answer, bytes):
            return Response(answer, media_type="application/pdf")
        if is_write and status == 200:
            if self.spend("lose_answer"):
                await cut(request.scope)
            if self.spend("fail_after"):
                fault = {"Error": [{"Message": "Internal Server Error", "code": "10000"}], "type": "SystemFault"}
                return Response(json.dumps({"Fault": fault}), status_code=500, media_type="application/json")
        if (html := self.spend("html_after" if is_write else "html_read")) is not None:
            return Response(_HTML, status_code=html, media_type="text/html")
        return Response(answer, status_code=status, media_type="application/json")

    def run_late(self) -> None:
        """What was held back takes effect now."""
        while self.waiting:
            path, query, body = self.waiting.pop(0)
            self._once("POST", path, query, body)

    def _once(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, str | bytes]:
        """Do it; where a request's id was there before, its answer is played back, whatever became of it since."""
        request_id = query.get("requestid") if method == "POST" and not self.knobs.get("ignore_request_ids") else None
        if request_id in self.kept and request_id is not None:
            return self.kept[request_id]
        try:
            found = self._act(method, path, query, body)
            status = 200
        except Refused as refused:
            found, status = refused.body, refused.status
        except Unreadable as unreadable:
            found, status = Refused("4000", "Error parsing query", f"QueryParserError: {unreadable}").body, 400
        if isinstance(found, bytes):
            return status, found
        text = json.dumps({**found, "time": datetime.now(UTC).isoformat()}, default=float)
        if request_id is not None and status == 200:
            self.kept[request_id] = (status, text)
        return status, text

    def _act(self, method: str, path: str, query: dict[str, str], body: Any) -> Row | bytes:
        room, *rest = path.split("/")
        if query.get("minorversion") != "75":
            raise Refused("4001", "Invalid minor version", "Invalid minor version")
        if room == "query":
            return {"QueryResponse": answered(query["query"], self.books.listed)}
        if room == "cdc":
            return self._captured(query["entities"].split(","), moment(query["changedSince"]))
        if room == "companyinfo":
            return {"CompanyInfo": {"CompanyName": "A company", "Country": "US", "Id": "1"}}
        entity = _NAMES[room]
        if method == "GET":
            row = self.books.get(entity, rest[0])
            return _PDF if rest[1:] == ["pdf"] else {entity: self.books.shown(entity, row)}
        if query.get("operation") == "delete":
            return {entity: self.books.delete(entity, body)}
        if query.get("include") == "void":
            return {entity: self.books.shown(entity, self.books.void(body))}
        before = set(self.books.rows[entity])
        row = self.books.write(entity, body)
        if self.knobs.get("search_lags") and row["Id"] not in before:
            self.books.hidden.add((entity, row["Id"]))
        return {entity: self.books.shown(entity, row)}

    def _captured(self, entities: list[str], since: datetime) -> Row:
        left = _CAPTURE_MAX
        responses = []
        for entity in entities:
            rows = self.books.captured(entity, since)[:left]
            left -= len(rows)
            responses.append({entity: rows, "startPosition": 1, "maxResults": len(rows)} if rows else {})
        return {"CDCResponse": [{"QueryResponse": responses}]}


def _refusal(refused: Refused) -> Response:
    return Response(json.dumps(refused.body), status_code=refused.status, media_type="application/json")


def application() -> FastAPI:
    """The application, with no company yet."""
    app = FastAPI(title="Simulated QuickBooks", docs_url=None, redoc_url=None)
    companies: dict[str, Company] = {}

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok", "service": "quickbooks"}

    @app.post("/oauth2/v1/tokens/bearer")
    async def renew(request: Request) -> Response:
        form = dict(await request.form())
        login = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        given = str(form.get("refresh_token") or form.get("code") or "--")
        company = companies.get(given.split("-")[1])
        if request.headers.get("authorization") != f"Basic {login}" or company is None:
            return Response(json.dumps({"error": "invalid_client"}), status_code=401, media_type="application/json")
        try:
            return Response(json.dumps(company.renew(given)), media_type="application/json")
        except Refused:
            return Response(json.dumps({"error": "invalid_grant"}), status_code=400, media_type="application/json")

    async def serve(request: Request) -> Response:
        company = companies.get(request.path_params["realm"])
        if company is None:
            return _refusal(Refused("3100", "message=ApplicationAuthorizationFailed", "", 403, "AuthorizationFault"))
        return await company.serve(request, request.path_params["rest"])

    app.add_route("/v3/company/{realm}/{rest:path}", serve, methods=["GET", "POST"])
    _add_desk(app, companies)
    return app


def _add_desk(app: FastAPI, companies: dict[str, Company]) -> None:
    @app.post("/_test/company")
    async def found_company() -> dict[str, str]:
        realm = str(9_130_000_000 + len(companies))
        companies[realm] = Company(realm)
        return {"realm": realm, "access": f"at-{realm}-0", "refresh": companies[realm].refresh}

    @app.post("/_test/{realm}/act/{name}")
    async def act(realm: str, name: str, request: Request) -> Any:
        return desk.act(companies[realm].books, name, await request.json())

    @app.post("/_test/{realm}/set")
    async def turn(realm: str, request: Request) -> None:
        company, given = companies[realm], await request.json()
        if given.pop("reset", False):
            company.knobs.clear()
        books = company.books
        books.refused |= given.pop("refuse", {})
        books.closed_through = given.pop("closed_through", books.closed_through)
        books.touches_invoices = given.pop("touches_invoices", books.touches_invoices)
        books.stale_balances |= {each: Decimal(amount) for each, amount in given.pop("stale_balances", {}).items()}
        if given.pop("run_late", False):
            company.run_late()
        company.knobs |= given

    @app.get("/_test/{realm}/count")
    async def count(realm: str, reference: str) -> int:
        return desk.counted(companies[realm].books, reference)

    @app.get("/_test/{realm}/owed")
    async def owed(realm: str, customer: str) -> str:
        return str(companies[realm].books.owed(customer))

    @app.get("/_test/{realm}/shown/{entity}/{row_id}")
    async def shown(realm: str, entity: str, row_id: str) -> Response:
        books = companies[realm].books
        found = books.rows[entity].get(row_id)
        told = None if found is None else books.shown(entity, found)
        return Response(json.dumps(told, default=float), media_type="application/json")

    @app.get("/_test/{realm}/requests")
    async def requests(realm: str) -> list[Row]:
        return companies[realm].requests

    @app.get("/_test/{realm}/is_revoked")
    async def is_revoked(realm: str) -> bool:
        return companies[realm].is_revoked
