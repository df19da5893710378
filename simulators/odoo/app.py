"""This Odoo over HTTP: its two ways in, faults, and a desk for the tests. Each database has books of its own.

Answers: JSON-2 tells the result bare, and an error as {name, message, arguments, context, debug} with its status (the page
external_api.html, 19.0, and addons/rpc/controllers/json2.py); JSON-RPC tells {result} or {error: {code, message, data}},
both with 200 (external_rpc_api.html; odoo/http.py).
"""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import FastAPI, Request, Response

from simulators.odoo import desk
from simulators.odoo.ledger import Ledger
from simulators.odoo.methods import READS, call
from simulators.odoo.records import Refused
from simulators.sandbox_provider.connections import cut

_JSON2_SINCE: Final = 19
_DOCUMENTS: Final = frozenset({"account.payment.create", "account.move.create"})
_PAGE: Final = "<html><title>Odoo</title><body>Sign in</body></html>"


class Database:
    """One database: its books, its key, what goes wrong next, and what was asked of it.

    A fault is (what, after which call): `documents` means the next write that makes one.
    """

    def __init__(self, series: int, key: str) -> None:
        self.ledger = Ledger(series)
        self.key = key
        self.is_down = False
        self.fault: tuple[str, str] | None = None
        self.requests: list[dict[str, Any]] = []
        self.late: list[tuple[str, str, Sequence[int], Mapping[str, Any]]] = []

    def do(self, model: str, method: str, ids: Sequence[int], given: Mapping[str, Any]) -> Any:
        """One call, in one transaction: refused means that nothing of it is there."""
        before = None if method in READS else copy.deepcopy(self.ledger.records.tables)
        try:
            return call(self.ledger, model, method, ids, given)
        except Refused:
            if before is not None:
                self.ledger.records.tables = before
            raise

    def fault_of(self, model: str, method: str) -> str | None:
        """What goes wrong with this call; once."""
        if self.fault is None:
            return None
        what, on = self.fault
        name = f"{model}.{method}"
        is_meant = {"documents": name in _DOCUMENTS, "writes": method not in READS, "calls": True}.get(on, name == on)
        if is_meant:
            self.fault = None
            return what
        return None


class Front:
    """The doors of all databases."""

    def __init__(self) -> None:
        self.databases: dict[str, Database] = {}

    async def json2(self, request: Request, model: str, method: str) -> Response:
        """POST /json/2/<model>/<method>."""
        database = self.databases.get(request.headers.get("x-odoo-database", ""))
        if database is None or database.ledger.series < _JSON2_SINCE:
            return _told2(Refused("werkzeug.exceptions.NotFound", "Not Found", status=404))
        body = json.loads(await request.body())
        noted = {"way": "json2", "model": model, "method": method, "body": body}
        noted["headers"] = {name: request.headers.get(name) for name in ("content-type", "user-agent")}
        database.requests.append(noted)
        if request.headers.get("authorization") != f"bearer {database.key}":
            return _told2(Refused("werkzeug.exceptions.Unauthorized", "Invalid apikey", status=401))
        given = {name: value for name, value in body.items() if name != "ids"}
        told = await self._once(request, database, model, method, body.get("ids", []), given)
        if isinstance(told, Response):
            return told
        return _told2(told) if isinstance(told, Refused) else _json(told)

    async def jsonrpc(self, request: Request) -> Response:
        """POST /jsonrpc, the service `object` and what of `common` signs in."""
        body = json.loads(await request.body())
        params = body["params"]
        args = params["args"]
        if params["service"] == "common":
            return _json({"jsonrpc": "2.0", "id": body.get("id"), "result": self._authenticated(params["method"], args)})
        name, user, key, model, method, places, named = args
        database = self.databases.get(name)
        if database is None or user != 1 or key != database.key:
            return _told(body, Refused("odoo.exceptions.AccessDenied", "Access Denied"))
        noted = {"way": "jsonrpc", "model": model, "method": method, "places": places, "named": named}
        database.requests.append(noted)
        given = dict(named)
        if method == "create":
            given["vals_list"] = places[0]
        ids = places[0] if places and method != "create" else []
        told = await self._once(request, database, model, method, ids, given)
        if isinstance(told, Response):
            return told
        if isinstance(told, Refused):
            return _told(body, told)
        return _json({"jsonrpc": "2.0", "id": body.get("id"), "result": told})

    def _authenticated(self, method: str, args: Sequence[Any]) -> Any:
        if method == "version":
            return {"server_version": "17.0", "server_version_info": [17, 0, 0, "final", 0, ""], "protocol_version": 1}
        name, login, key, _ = args
        database = self.databases.get(name)
        return 1 if database is not None and login == "duly" and key == database.key else False

    async def _once(
        self, request: Request, database: Database, model: str, method: str, ids: Sequence[int], given: Mapping[str, Any]
    ) -> Any:
        """The call with what goes wrong around it: an answer, what Odoo refuses, or what stands where its answer would."""
        if database.is_down:
            return Response("<html>Service Unavailable</html>", status_code=503, media_type="text/html")
        fault = database.fault_of(model, method)
        if fault == "throttled":
            return Response("Too Many Requests", status_code=429, headers={"Retry-After": "7"})
        if fault == "throttled_silently":
            return Response("<html>Slow down</html>", status_code=429, media_type="text/html")
        if fault == "late":
            database.late.append((model, method, ids, given))
        if fault in {"request_lost", "late"}:
            await cut(request.scope)
            return Response(status_code=500)
        try:
            told = database.do(model, method, ids, given)
        except Refused as refused:
            told = refused
        match fault:
            case "answer_lost":
                await cut(request.scope)
                return Response(status_code=500)
            case "silence":
                await asyncio.sleep(2)
                return Response(status_code=500)
            case "broken_after":
                return _told2(Refused("builtins.RuntimeError", "could not send the mail", status=500))
            case "page":
                return Response(_PAGE, media_type="text/html")
            case "gateway":
                return Response("<html>502 Bad Gateway</html>", status_code=502, media_type="text/html")
            case "half":
                return Response(json.dumps(told)[:-1], media_type="application/json")
        return told


def _json(told: Any, status: int = 200) -> Response:
    return Response(json.dumps(told), status_code=status, media_type="application/json")


def _told2(refused: Refused) -> Response:
    body = {"name": refused.name, "message": refused.message, "arguments": [refused.message], "context": {}, "debug": ""}
    return _json(body, refused.status)


def _told(body: Mapping[str, Any], refused: Refused) -> Response:
    data = {"name": refused.name, "message": refused.message, "arguments": [refused.message], "context": {}, "debug": ""}
    error = {"code": 200, "message": "Odoo Server Error", "data": data}
    return _json({"jsonrpc": "2.0", "id": body.get("id"), "error": error})


def application() -> FastAPI:
    """The application."""
    front = Front()
    app = FastAPI(title="Simulated Odoo", docs_url=None, redoc_url=None)

    @app.post("/json/2/{model}/{method}")
    async def json2(request: Request, model: str, method: str) -> Response:
        return await front.json2(request, model, method)

    @app.post("/jsonrpc")
    async def jsonrpc(request: Request) -> Response:
        return await front.jsonrpc(request)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok", "service": "odoo"}

    @app.post("/_test/databases")
    async def found(request: Request) -> dict[str, str]:
        given = await request.json()
        name = f"books{len(front.databases) + 1}"
        front.databases[name] = Database(given["series"], given["key"])
        return {"database": name}

    @app.get("/_test/{name}/requests")
    async def requests(name: str) -> list[dict[str, Any]]:
        return front.databases[name].requests

    @app.post("/_test/{name}/fault")
    async def fault(name: str, request: Request) -> dict[str, str]:
        given, database = await request.json(), front.databases[name]
        database.is_down = given.get("down", False)
        database.fault = tuple(given["fault"]) if given.get("fault") else None
        return {}

    @app.post("/_test/{name}/late")
    async def late(name: str) -> dict[str, int]:
        """What was asked for long ago takes effect now."""
        database = front.databases[name]
        waiting, database.late = database.late, []
        for model, method, ids, given in waiting:
            database.do(model, method, ids, given)
        return {"done": len(waiting)}

    @app.post("/_test/{name}/{act}")
    async def act(name: str, act: str, request: Request) -> Any:
        return desk.ACTS[act](front.databases[name].ledger, **(await request.json()))

    return app
