"""This Business Central over HTTP: tokens, faults, records, actions; and a desk for the tests, which no fault touches.

Errors in the shape of the API: {"error": {"code", "message"}}, the message ending with a CorrelationId.
"""

from __future__ import annotations

import json
import re
import secrets
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import format_datetime
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

from fastapi import FastAPI, Request, Response

from simulators.business_central import books, desk
from simulators.business_central.company import NAME, PAGE_MAX, Company, Record, Refused
from simulators.sandbox_provider.connections import cut

_HTML: Final = "<html><body><h2>Our services aren't available right now</h2></body></html>"
_SCOPE: Final = "https://api.businesscentral.dynamics.com/.default"
_STEP: Final = re.compile(r"(\w+)(?:\(([0-9a-f-]+)\))?")


def application(url: str) -> FastAPI:
    """The application over all companies."""
    companies: dict[str, Company] = {}
    app = FastAPI(title="Simulated Business Central", docs_url=None, redoc_url=None)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok", "service": "business central"}

    @app.post("/_test/clients")
    async def make_client() -> dict[str, str]:
        company = Company(secrets.token_hex(8), secrets.token_hex(8))
        companies[company.client] = company
        return {"client_id": company.client, "client_secret": company.secret, "company": company.id}

    @app.post("/_test/{client}/{act}")
    async def act(client: str, act: str, request: Request) -> Response:
        given = json.loads(await request.body() or b"{}", parse_float=Decimal)
        try:
            return _answer(200, {"done": desk.ACTS[act](companies[client], given)})
        except Refused as refused:
            return _refusal(refused)

    @app.post("/{tenant}/oauth2/v2.0/token")
    async def token(request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        company = companies.get(form.get("client_id", ""))
        if company is None or company.secret != form.get("client_secret") or form.get("scope") != _SCOPE:
            return _answer(401, {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret."})
        made = secrets.token_hex(8)
        company.tokens.add(made)
        company.requests.append({"method": "POST", "path": "token", "query": {}, "raw": ""})
        told = {"token_type": "Bearer", "expires_in": company.knobs.get("token_seconds", 3599), "access_token": made}
        return _answer(200, told)

    async def serve(request: Request) -> Response:
        held = request.headers.get("authorization", "").removeprefix("Bearer ")
        company = next((each for each in companies.values() if held in each.tokens), None)
        if company is None:
            said = "The server has rejected the client credentials."
            return _refusal(Refused("Authentication_InvalidCredentials", said, status=401))
        return await _served(company, request, url)

    app.add_route("/api/v2.0/{rest:path}", serve, methods=["GET", "POST", "PATCH", "DELETE"])
    return app


async def _served(company: Company, request: Request, url: str) -> Response:
    path = unquote(request.scope["raw_path"].decode().partition("?")[0]).removeprefix("/api/v2.0/")
    raw, query = (await request.body()).decode(), dict(request.query_params)
    noted: dict[str, Any] = {"method": request.method, "path": path, "query": query, "raw": raw}
    noted["etag"] = request.headers.get("if-match")
    company.requests.append(noted)
    is_write = request.method != "GET"
    is_document = request.method == "POST" and path.endswith(("customerPayments", "journalLines"))
    if company.knobs.get("down"):
        return Response(_HTML, status_code=503, media_type="text/html")
    if (seconds := _used(company, "throttle", is_write)) is not None:
        headers = {"Retry-After": str(seconds)} if seconds else {}
        return Response("", status_code=429, headers=headers)
    if (status := _used(company, "html_instead", is_write)) is not None:
        return Response(_HTML, status_code=status, media_type="text/html")
    body = json.loads(raw, parse_float=Decimal) if raw else {}
    fresh = request.headers.get("data-access-intent") == "ReadWrite"

    def act() -> Response:
        return _acted(company, noted, body, url, is_fresh=fresh)

    if _used(company, "late", request.method == "POST" and path.endswith(company.knobs.get("late") or "-")):
        company.held.append(act)
        return Response(_HTML, status_code=504, media_type="text/html")
    answer = _answered(act)
    noted["status"] = answer.status_code
    if is_document and (values := _used(company, "person_edits", applies=True)) is not None:
        desk.edit_newest(company, values)
    skip = company.knobs.get("lose_after", 0)
    if is_write and skip:
        company.knobs["lose_after"] = skip - 1
    lost = is_write and skip == 1
    if lost or _used(company, "lose", is_document):
        await cut(request.scope)
        return Response(status_code=500)
    if (status := _used(company, "fail", is_document)) is not None:
        return Response(_HTML, status_code=status, media_type="text/html")
    return answer


def _used(company: Company, knob: str, applies: bool) -> Any:
    """A fault that is set and applies, once."""
    return company.knobs.pop(knob, None) if applies else None


def _answered(act: Callable[[], Response]) -> Response:
    try:
        return act()
    except Refused as refused:
        return _refusal(refused)


def _acted(company: Company, noted: Record, body: Any, url: str, *, is_fresh: bool) -> Response:
    steps = [found.groups() for part in noted["path"].split("/") if (found := _STEP.fullmatch(part)) is not None]
    if noted["path"].endswith("Microsoft.NAV.post"):
        books.post(company, str(steps[-1][1]))
        return Response(status_code=204)
    if steps == [("companies", None)]:
        return _answer(200, {"value": [{"id": company.id, "name": NAME, "displayName": NAME}]})
    if steps[0] != ("companies", company.id):
        raise Refused("BadRequest_NotFound", "No HTTP resource was found that matches the request URI.", status=404)
    table, key = str(steps[1][0]), steps[1][1]
    if noted["path"].endswith("pdfDocument/pdfDocumentContent"):
        company.get(table, str(key))
        return Response(b"%PDF-1.4\n% of " + str(key).encode() + b"\n%%EOF\n", media_type="application/pdf")
    match noted["method"], len(steps):
        case "GET", 2 if key is None:
            return _page(company, list(company.tables[table].values()), noted, url, is_fresh=is_fresh)
        case "GET", 3:
            rows = books.lines_of(company, str(key)) if company.get(table, str(key)) else []
            return _page(company, rows, noted, url, is_fresh=True)
        case "POST", 2:
            return _answer(201, books.shown(books.add_journal(company, table, body)))
        case "POST", 3:
            if not isinstance(body, dict):
                raise Refused("BadRequest", "Cannot read an array as the value of an entry.")
            return _answer(201, books.shown(books.add_line(company, table, str(key), body)))
        case "DELETE", 2:
            _deleted(company, table, str(key), noted["etag"])
            return Response(status_code=204)
        case _:
            raise Refused("BadRequest_MethodNotAllowed", "This method is not allowed.", status=405)


def _deleted(company: Company, table: str, key: str, etag: str | None) -> None:
    found = company.get(table, key)
    if etag != found["@odata.etag"]:
        said = "Another user has already changed the record."
        raise Refused("Request_EntityChanged", said, status=409)
    for line in books.lines_of(company, key):
        del company.lines[line["id"]]
    del company.tables[table][key]


def _page(company: Company, rows: list[Record], noted: Record, url: str, *, is_fresh: bool) -> Response:
    query = dict(noted["query"])
    if not is_fresh and (behind := company.knobs.get("behind")) is not None:
        # A copy of the database that reads are led to, which is some while behind.
        rows = [row for row in rows if str(row["lastModifiedDateTime"]) < behind]
    found = company.listed(rows, query)
    start = int(query.pop("$skiptoken", query.pop("$skip", 0)))
    top = int(query["$top"]) if "$top" in query else None
    size = min(company.knobs.get("page_max", PAGE_MAX), top if top is not None else PAGE_MAX)
    shown = [_expanded(row, query.get("$expand")) for row in found[start : start + size]]
    told: Record = {"@odata.context": f"{url}/$metadata", "value": shown}
    left = (len(found) if top is None else min(len(found), start + top)) - start - len(shown)
    if left > 0:
        rest = {**query, "$skiptoken": str(start + size), **({"$top": str(top - size)} if top is not None else {})}
        told["@odata.nextLink"] = f"{url}/api/v2.0/{noted['path']}?" + "&".join(
            f"{name}={each}" for name, each in rest.items()
        )
    return _answer(200, told)


def _expanded(row: Record, wanted: str | None) -> Record:
    hidden = {"table", "customer", *({"salesInvoiceLines"} - {wanted or ""})}
    return {name: value for name, value in row.items() if name not in hidden}


def _refusal(refused: Refused) -> Response:
    said = f"{refused.said}  CorrelationId:  {uuid.uuid4()}."
    return _answer(refused.status, {"error": {"code": refused.code, "message": said}})


def _answer(status: int, body: object) -> Response:
    headers = {"Date": format_datetime(datetime.now(UTC), usegmt=True)}
    return Response(json.dumps(body, default=_number), status_code=status, headers=headers, media_type="application/json")


def _number(value: object) -> float:
    assert isinstance(value, Decimal)
    return float(value)
