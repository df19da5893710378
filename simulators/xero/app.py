"""This Xero over HTTP: consent, tokens, organisations, limits, keys, faults; and a desk for the tests."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final
from urllib.parse import parse_qs, urlencode

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse

from simulators.sandbox_provider.connections import cut
from simulators.xero import desk
from simulators.xero.api import Unknown, act, asked_since
from simulators.xero.books import Books, Refused
from simulators.xero.identity import Identity

_PDF: Final = b"%PDF-1.4\n% an invoice\n%%EOF\n"


@dataclass
class Organisation:
    """One tenant: its books, what goes wrong next, what was asked of it."""

    name: str
    books: Books = field(default_factory=Books)
    faults: dict[str, Any] = field(default_factory=dict)
    keys: dict[str, tuple[str, str]] = field(default_factory=dict)
    held: list[tuple[str, str, dict[str, str], Any]] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)

    def spend(self, fault: str) -> bool:
        """Whether that goes wrong now; a number says how often."""
        left = self.faults.get(fault, 0)
        if left and not isinstance(left, bool):
            self.faults[fault] = left - 1
        return bool(left)


class Front:
    """The doors."""

    def __init__(self, client_id: str, client_secret: str) -> None:
        self.identity = Identity(client_id, client_secret)
        self.organisations: dict[str, Organisation] = {}

    async def serve(self, request: Request) -> Response:
        """One call of the Accounting API, in the order in which Xero applies its rules."""
        grant = self.identity.of(request.headers.get("authorization", ""))
        if grant is None:
            return _json({"Title": "Unauthorized", "Status": 401, "Detail": "TokenExpired"}, 401)
        tenant = request.headers.get("xero-tenant-id", "")
        if tenant not in {each for each, _ in grant.tenants}:
            return _json({"Title": "Forbidden", "Status": 403, "Detail": "AuthenticationUnsuccessful"}, 403)
        organisation = self.organisations[tenant]
        raw, path = await request.body(), request.url.path.removeprefix("/api.xro/2.0")
        body = json.loads(raw, parse_float=Decimal) if raw else None
        noted = {
            "method": request.method,
            "path": path,
            "query": dict(request.query_params),
            "since": request.headers.get("if-modified-since"),
            "key": request.headers.get("idempotency-key"),
            "body": json.loads(raw) if raw else None,
        }
        organisation.requests.append(noted)
        if organisation.faults.get("down"):
            return _json({"Status": 503, "Detail": "The Xero API is currently offline for maintenance"}, 503)
        if organisation.spend("throttled"):
            after = {"Retry-After": "7", "X-Rate-Limit-Problem": "minute"} if not organisation.faults.get("mute") else {}
            return Response(status_code=429, headers=after)
        if request.headers.get("accept") == "application/pdf":
            return Response(_PDF, media_type="application/pdf")
        if request.method == "GET":
            return self._read(organisation, path, dict(request.query_params), request)
        return await self._write(organisation, request, path, body, raw.decode())

    def _read(self, organisation: Organisation, path: str, query: dict[str, str], request: Request) -> Response:
        if organisation.spend("html_reads"):
            return Response("<html><body>One moment please</body></html>", media_type="text/html")
        self._meanwhile(organisation, "before_read", path)
        try:
            since = asked_since(request.headers.get("if-modified-since"))
            told = act(organisation.books, "GET", path, query, since, None)
        except Unknown:
            return _json({"Message": "The resource you're looking for cannot be found"}, 404)
        if "where" in query and organisation.faults.get("blind"):
            told = {name: [] if isinstance(each, list) else each for name, each in told.items()}
        self._meanwhile(organisation, "after_read", path)
        return _json({"Status": "OK", **told}, 200)

    def _meanwhile(self, organisation: Organisation, when: str, path: str) -> None:
        """What a person does just before or after a room is read, once."""
        wanted = organisation.faults.get(when)
        if wanted is not None and wanted["path"] == path:
            del organisation.faults[when]
            desk.DEEDS[wanted["deed"]](organisation.books, **wanted["given"])

    async def _write(self, organisation: Organisation, request: Request, path: str, body: Any, raw: str) -> Response:
        method, key = request.method, request.headers.get("idempotency-key")
        is_spared = organisation.spend("spare")  # so many writes go well first
        if not is_spared and organisation.spend("lost_requests"):
            await cut(request.scope)
            return Response(status_code=500)
        if not is_spared and organisation.spend("held"):
            organisation.held.append((method, path, {}, body))
            await cut(request.scope)
            return Response(status_code=500)
        if not is_spared and organisation.spend("html_writes"):
            return Response("<html>502 Bad Gateway</html>", status_code=502, media_type="text/html")
        asked = f"{method} {path} {raw}"
        if key is not None and key in organisation.keys:
            known, answer = organisation.keys[key]
            if known != asked:
                return _json({"Type": "IdempotencyException", "Message": "This key was used for another request."}, 400)
            return Response(answer, media_type="application/json")
        try:
            told = act(organisation.books, method, path, {}, None, body)
        except Refused as refused:
            return _json(_validation(str(refused)), 400)
        except Unknown:
            return _json({"Message": "The resource you're looking for cannot be found"}, 404)
        answer = json.dumps({"Status": "OK", **told})
        if key is not None:
            organisation.keys[key] = (asked, answer)
        if not is_spared and organisation.spend("lose_answers"):
            await cut(request.scope)
            return Response(status_code=500)
        if not is_spared and organisation.spend("fail_after"):
            return _json({"Message": "An error occurred"}, 500)
        if not is_spared and organisation.spend("html_after"):
            return Response("<html>Welcome</html>", media_type="text/html")
        return Response(answer, media_type="application/json")

    def release(self, organisation: Organisation) -> None:
        """What was held on its way takes effect now."""
        for method, path, query, body in organisation.held:
            act(organisation.books, method, path, query, None, body)
        organisation.held.clear()


def _validation(sentence: str) -> dict[str, Any]:
    """A refusal, as https://developer.xero.com/documentation/api/accounting/responsecodes shows it."""
    return {
        "ErrorNumber": 10,
        "Type": "ValidationException",
        "Message": "A validation exception occurred",
        "Elements": [{"ValidationErrors": [{"Message": sentence}]}],
    }


def _json(told: Any, status: int) -> Response:
    return Response(json.dumps(told), status_code=status, media_type="application/json")


def application(*, client_id: str, client_secret: str) -> FastAPI:
    """The application."""
    front = Front(client_id, client_secret)
    app = FastAPI(title="Simulated Xero", docs_url=None, redoc_url=None)
    _add_identity(app, front)
    _add_desk(app, front)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok", "service": "xero"}

    app.add_route("/api.xro/2.0/{rest:path}", front.serve, methods=["GET", "POST", "PUT", "DELETE"])
    return app


def _add_identity(app: FastAPI, front: Front) -> None:
    @app.get("/identity/connect/authorize")
    async def agree(request: Request) -> Response:
        """The page of consent: whoever opens it agrees, to every organisation there is; `say=no` does not."""
        asked = request.query_params
        if asked["client_id"] != front.identity.client_id or asked["response_type"] != "code":
            return Response("unknown client", status_code=400)
        if asked.get("say") == "no":
            told = {"error": "access_denied", "state": asked["state"]}
        else:
            wanted = asked.get("tenants", "").split(",") if asked.get("tenants") else list(front.organisations)
            tenants = [(each, front.organisations[each].name) for each in wanted]
            told = {"code": front.identity.consent(asked["redirect_uri"], tenants), "state": asked["state"]}
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(told)}", status_code=303)

    @app.post("/connect/token")
    async def token(request: Request) -> Response:
        form = {name: each[0] for name, each in parse_qs((await request.body()).decode()).items()}
        status, told = front.identity.token(form, request.headers.get("authorization"))
        return _json(told, status)

    @app.get("/connections")
    async def connections(request: Request) -> Response:
        grant = front.identity.of(request.headers.get("authorization", ""))
        if grant is None:
            return _json({"Title": "Unauthorized"}, 401)
        rows = [
            {"id": each, "tenantId": each, "tenantName": name, "tenantType": "ORGANISATION"} for each, name in grant.tenants
        ]
        return _json(rows, 200)


def _add_desk(app: FastAPI, front: Front) -> None:
    @app.post("/_test/organisations")
    async def found(request: Request) -> dict[str, Any]:
        """A new organisation, and tokens for it."""
        tenant, given = str(uuid.uuid4()), await request.json()
        front.organisations[tenant] = Organisation(name=given.get("name", f"Organisation {tenant[:4]}"))
        grant = front.identity.granted([(tenant, front.organisations[tenant].name)])
        (access,) = grant.access
        return {"tenant": tenant, "access": access, "refresh": grant.refresh}

    @app.post("/_test/forget")
    async def forget() -> dict[str, str]:
        front.organisations.clear()
        return {}

    @app.post("/_test/expire")
    async def expire() -> dict[str, str]:
        front.identity.expire()
        return {}

    @app.post("/_test/withdraw")
    async def withdraw() -> dict[str, str]:
        """Somebody disconnects our app."""
        for each in front.identity.grants:
            each.is_open = False
        return {}

    @app.get("/_test/grants")
    async def grants() -> list[dict[str, Any]]:
        return [{"renewals": each.renewals, "open": each.is_open} for each in front.identity.grants]

    @app.post("/_test/{tenant}/faults")
    async def faults(tenant: str, request: Request) -> dict[str, str]:
        organisation, given = front.organisations[tenant], await request.json()
        if given.pop("reset", False):
            organisation.faults.clear()
        organisation.faults |= given
        return {}

    @app.post("/_test/{tenant}/release")
    async def release(tenant: str) -> dict[str, str]:
        front.release(front.organisations[tenant])
        return {}

    @app.post("/_test/{tenant}/forget_keys")
    async def forget_keys(tenant: str) -> dict[str, str]:
        """Some minutes go by."""
        front.organisations[tenant].keys.clear()
        return {}

    @app.get("/_test/{tenant}/requests")
    async def requests(tenant: str) -> list[dict[str, Any]]:
        return front.organisations[tenant].requests

    @app.post("/_test/{tenant}/{deed}")
    async def do(tenant: str, deed: str, request: Request) -> Any:
        return desk.DEEDS[deed](front.organisations[tenant].books, **await request.json())
