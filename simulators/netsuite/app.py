"""This NetSuite over HTTP: signed assertions, records, SuiteQL, faults; and a desk for the tests.

https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_156335203191.html (upsert),
…/section_1545141395.html (CRUD), …/section_157909186990.html (SuiteQL through REST), …/section_162686838198.html (tokens)
"""

from __future__ import annotations

import base64
import json
import time
from datetime import datetime
from decimal import Decimal
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from fastapi import FastAPI, Request, Response

from simulators.netsuite.books import TYPES, Books, Refused, Row
from simulators.netsuite.suiteql import Database, Unreadable
from simulators.sandbox_provider.connections import cut

_HTML: Final = "<html><head><title>502 Bad Gateway</title></head></html>"
_LIST_MAX: Final = 1000


class Account:
    """One account with its books and its ill health."""

    def __init__(self, name: str, public_key: str) -> None:
        key = load_pem_public_key(public_key.encode())
        assert isinstance(key, rsa.RSAPublicKey)
        self.name, self._key = name, key
        self.books = Books()
        self.database = Database(self.books)
        self.tokens: set[str] = set()
        self.issued = 0
        self.requests: list[Row] = []
        self.waiting: list[tuple[str, str, Row]] = []
        self.knobs: Row = {}

    def token(self, assertion: str) -> str | None:
        """A token for an assertion that is signed and in time, None for any other."""
        signed, _, mark = assertion.rpartition(".")
        head, claims = (json.loads(_raw(part)) for part in signed.split("."))
        pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=hashes.SHA256.digest_size)
        try:
            self._key.verify(_raw(mark), signed.encode(), pss, hashes.SHA256())
        except InvalidSignature:
            return None
        is_good = head["alg"] == "PS256" and claims["exp"] > time.time() and claims["exp"] - claims["iat"] <= 3600
        if not is_good or "rest_webservices" not in claims["scope"]:
            return None
        self.issued += 1
        self.tokens = {f"{self.name}-token-{self.issued}"}
        return next(iter(self.tokens))

    async def serve(self, request: Request, path: str) -> Response:
        """One call."""
        text = (await request.body()).decode()
        query, method = dict(request.query_params), request.method
        self.requests.append(
            {"method": method, "path": path, "query": query, "text": text, "is_naive": "x-naive" in request.headers}
        )
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens or self.knobs.pop(
            "expire", None
        ):
            return _error(Refused(401, "INVALID_LOGIN", "Invalid login attempt."))
        if self.knobs.get("down"):
            return Response(_HTML, status_code=503, media_type="text/html")
        if (after := self.knobs.pop("throttle", None)) is not None:
            refused = _error(
                Refused(429, "CONCURRENCY_LIMIT_EXCEEDED", "Concurrent request limit exceeded. Request blocked.")
            )
            refused.headers.update({"Retry-After": str(after)} if after else {})
            return refused
        body = json.loads(text, parse_float=Decimal) if text else {}
        if path == "query/v1/suiteql":
            return self._queried(body["q"], int(query["limit"]), int(query["offset"]))
        return await self._recorded(request, method, path.removeprefix("record/v1/"), query, body)

    async def _recorded(self, request: Request, method: str, path: str, query: dict[str, str], body: Row) -> Response:
        is_write = method != "GET"
        if is_write and self.knobs.pop("late", None):
            self.waiting.append((method, path, body))
            await cut(request.scope)
            return Response(status_code=500)
        if is_write and (line := self.knobs.pop("ticked_meanwhile", None)):
            self.books.patch(self.books.records[line["id"]], {"apply": {"items": [line["line"]]}})
        try:
            found = self.act(method, path, query, body)
        except Refused as refused:
            return _error(refused)
        if is_write:
            if self.knobs.pop("lose_answer", None):
                await cut(request.scope)
            if self.knobs.pop("fail_after", None):
                return _error(Refused(500, "UNEXPECTED_ERROR", "An unexpected error occurred. Error ID: 1"))
        if (html := self.knobs.pop("html_after" if is_write else "html_read", None)) is not None:
            return Response(_HTML, status_code=html, media_type="text/html")
        if isinstance(found, str):
            return Response(status_code=204, headers={"Location": f"/services/rest/record/v1/{found}"})
        return Response(json.dumps(found, default=float), media_type="application/vnd.oracle.resource+json; type=singular")

    def act(self, method: str, path: str, query: dict[str, str], body: Row) -> Row | str:
        """Do it; a write answers where the record is."""
        kind, _, rest = path.partition("/")
        named, _, name = rest.partition("/")
        if kind not in TYPES:
            raise Refused(404, "NONEXISTENT_ID", f"Record type {kind} does not exist.")
        if method == "POST":
            row = self.books.post(kind, body)
        elif method == "PUT":
            row = self.books.put(kind, named.removeprefix("eid:"), body)
        else:
            row = self.books.get(kind, named)
            if method == "GET":
                return self._page(row, name, query) if name else self.books.shown(row)
            if method == "DELETE":
                self.books.delete(row)
            else:
                self.books.patch(row, body, replace=query.get("replace") == "apply")
        if method in {"POST", "PUT"} and self.knobs.get("search_lags"):
            self.books.hidden.add(row["id"])
        return f"{kind}/{row['id']}"

    def _page(self, row: Row, name: str, query: dict[str, str]) -> Row:
        lines = list(self.books.listed(row, name))
        start, most = int(query.get("offset", 0)), min(int(query.get("limit", 100)), self.knobs.get("list_max", _LIST_MAX))
        page = lines[start : start + most]
        has_more = start + len(page) < len(lines)
        return {"items": page, "offset": start, "count": len(page), "hasMore": has_more, "totalResults": len(lines)}

    def _queried(self, query: str, limit: int, offset: int) -> Response:
        if (html := self.knobs.pop("html_read", None)) is not None:
            return Response(_HTML, status_code=html, media_type="text/html")
        try:
            rows = self.database.rows(query)
        except Unreadable as wrong:
            return _error(Refused(400, "INVALID_PARAMETER", f"Invalid search query. {wrong}"))
        page = rows[offset : offset + min(limit, _LIST_MAX)]
        has_more = offset + len(page) < len(rows)
        told = {
            "links": [],
            "count": len(page),
            "hasMore": has_more,
            "items": page,
            "offset": offset,
            "totalResults": len(rows),
        }
        return Response(json.dumps(told), media_type="application/vnd.oracle.resource+json; type=collection")

    def run_late(self) -> None:
        """What was held back takes effect now."""
        while self.waiting:
            method, path, body = self.waiting.pop(0)
            self.act(method, path, {}, body)


def _raw(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _error(refused: Refused) -> Response:
    kind = "application/vnd.oracle.resource+json; type=error"
    return Response(json.dumps(refused.body), status_code=refused.status, media_type=kind)


def application() -> FastAPI:
    """The application, with no account yet. An account is the first part of a path here, and of a host's name there."""
    app = FastAPI(title="Simulated NetSuite", docs_url=None, redoc_url=None)
    accounts: dict[str, Account] = {}

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok", "service": "netsuite"}

    @app.post("/{name}/services/rest/auth/oauth2/v1/token")
    async def issue(name: str, request: Request) -> Response:
        form = dict(await request.form())
        token = accounts[name].token(str(form.get("client_assertion", "")))
        if form.get("grant_type") != "client_credentials" or token is None:
            return Response(json.dumps({"error": "invalid_grant"}), status_code=400, media_type="application/json")
        told = {"access_token": token, "expires_in": "3600", "token_type": "bearer"}
        return Response(json.dumps(told), media_type="application/json")

    async def serve(request: Request) -> Response:
        return await accounts[request.path_params["name"]].serve(request, request.path_params["rest"])

    app.add_route("/{name}/services/rest/{rest:path}", serve, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    _add_desk(app, accounts)
    return app


def _add_desk(app: FastAPI, accounts: dict[str, Account]) -> None:
    @app.post("/_test/account")
    async def open_account(request: Request) -> dict[str, str]:
        name = f"TSTDRV{len(accounts) + 1}"
        accounts[name] = Account(name, (await request.json())["public_key"])
        return {"name": name}

    @app.post("/_test/{name}/customer")
    async def customer(name: str, request: Request) -> str:
        books, given = accounts[name].books, await request.json()
        books.number += 1
        books.customers[str(books.number)] = {**given, "email": f"office{books.number}@example.com"}
        books.changed(books.customers[str(books.number)])
        return str(books.number)

    @app.post("/_test/{name}/make/{kind}")
    async def make(name: str, kind: str, request: Request) -> list[str]:
        books, given = accounts[name].books, await request.json()
        currency = books.customers[given["customer"]]["currency"]
        at = datetime.fromisoformat(given["at"]) if "at" in given else None
        row = {"customer": given["customer"], "currency": currency, "on": given["on"], "amount": Decimal(given["amount"])}
        return [
            books.make(kind, {**row, "due": given["on"], "memo": given.get("memo", "")}, at=at)["id"]
            for _ in range(given.get("count", 1))
        ]

    @app.post("/_test/{name}/tick/{row_id}")
    async def tick(name: str, row_id: str, request: Request) -> None:
        books = accounts[name].books
        lines = [
            {"doc": {"id": each}, "apply": bool(amount), "amount": amount} for each, amount in (await request.json()).items()
        ]
        books.patch(books.records[row_id], {"apply": {"items": lines}})

    @app.post("/_test/{name}/do/{act}/{named}")
    async def do(name: str, act: str, named: str) -> None:
        books = accounts[name].books
        row = next(each for each in books.records.values() if named in {each["id"], each.get("externalid")})
        if act == "lock":
            books.locked.add(row["id"])
        else:
            {"void": books.void, "delete": books.delete, "process": books.process}[act](row)

    _add_far_side(app, accounts)


def _add_far_side(app: FastAPI, accounts: dict[str, Account]) -> None:
    @app.post("/_test/{name}/set")
    async def turn(name: str, request: Request) -> None:
        account, given = accounts[name], await request.json()
        if given.pop("reset", False):
            account.knobs.clear()
        books = account.books
        books.refused |= given.pop("refuse", {})
        books.closed_through = given.pop("closed_through", books.closed_through)
        books.touches_invoices = given.pop("touches_invoices", books.touches_invoices)
        books.late_open |= {each: Decimal(amount) for each, amount in given.pop("late_open", {}).items()}
        books.version += 1
        if given.pop("show_all", False):
            books.hidden.clear()
        if given.pop("run_late", False):
            account.run_late()
        account.knobs |= given

    @app.get("/_test/{name}/count")
    async def count(name: str, reference: str) -> int:
        return sum(each.get("externalid") == reference for each in accounts[name].books.records.values())

    @app.get("/_test/{name}/owed")
    async def owed(name: str, customer: str) -> str:
        return str(accounts[name].books.owed(customer))

    @app.get("/_test/{name}/shown/{named}")
    async def shown(name: str, named: str) -> Response:
        books = accounts[name].books
        found = [each for each in books.records.values() if named in {each["id"], each.get("externalid")}]
        told = {**books.shown(found[0]), "ticks": found[0]["ticks"]} if found else None
        return Response(json.dumps(told, default=float), media_type="application/json")

    @app.get("/_test/{name}/requests")
    async def requests(name: str) -> list[Row]:
        return accounts[name].requests
