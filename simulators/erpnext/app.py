"""This ERPNext over HTTP: keys, faults, records, methods; and a desk for the tests, which no fault touches.

Errors in the shape of frappe/utils/response.py: `exc_type`, `exception`, and `_server_messages`, a list in JSON of messages
that are each JSON in themselves. A validation is answered with 417.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import format_datetime
from typing import Any, Final
from urllib.parse import unquote

from fastapi import FastAPI, Request, Response

from simulators.erpnext import books, desk
from simulators.erpnext.site import Record, Refused, Site
from simulators.sandbox_provider.connections import cut

_HTML: Final = "<html><body><h1>502 Bad Gateway</h1><hr>nginx</body></html>"
_DOCUMENTS: Final = ("Payment Entry", "Journal Entry", "ToDo")


def application() -> FastAPI:
    """The application over all sites."""
    sites: dict[str, Site] = {}
    app = FastAPI(title="Simulated ERPNext", docs_url=None, redoc_url=None)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok", "service": "erpnext"}

    @app.post("/_test/sites")
    async def make_site() -> dict[str, str]:
        site = Site(secrets.token_hex(8), secrets.token_hex(8))
        sites[site.key] = site
        return {"api_key": site.key, "api_secret": site.secret}

    @app.post("/_test/{key}/{act}")
    async def act(key: str, act: str, request: Request) -> Response:
        given = json.loads(await request.body() or b"{}", parse_float=Decimal)
        try:
            return _answer(200, {"done": desk.ACTS[act](sites[key], given)})
        except Refused as refused:
            return _refusal(refused)

    async def serve(request: Request) -> Response:
        token = request.headers.get("authorization", "").removeprefix("token ").partition(":")
        site = sites.get(token[0])
        if site is None or site.secret != token[2]:
            return _refusal(Refused("AuthenticationError", "Invalid API key", status=401))
        return await _served(site, request)

    app.add_route("/api/{rest:path}", serve, methods=["GET", "POST", "PUT", "DELETE"])
    return app


async def _served(site: Site, request: Request) -> Response:
    path = [unquote(part) for part in request.scope["raw_path"].decode().partition("?")[0].split("/")[2:]]
    raw = (await request.body()).decode()
    body = json.loads(raw, parse_float=Decimal) if raw else {}
    noted: dict[str, Any] = {"method": request.method, "path": path, "query": dict(request.query_params), "raw": raw}
    site.requests.append(noted)
    is_write, is_document = request.method != "GET", request.method == "POST" and path[-1] in _DOCUMENTS
    if site.knobs.get("down"):
        return Response("<h1>Updating</h1>", status_code=503, media_type="text/html")
    if (seconds := _used(site, "throttle", is_write or site.knobs.get("throttle_reads", False))) is not None:
        headers = {"Retry-After": str(seconds)} if seconds else {}
        return Response("", status_code=429, headers=headers)
    if (status := _used(site, "html_instead", is_write)) is not None:
        return Response(_HTML, status_code=status, media_type="text/html")
    if _used(site, "late", is_document):
        site.held.append(lambda: _acted(site, request.method, path, noted["query"], body))
        await cut(request.scope)
        return Response(status_code=500)
    answer = _answered(lambda: _acted(site, request.method, path, noted["query"], body))
    noted["status"] = answer.status_code
    if (values := _used(site, "person_edits", is_document)) is not None:
        desk.edit_newest(site, path[-1], values)
    skip = site.knobs.get("lose_after", 0)
    if is_write and skip:
        site.knobs["lose_after"] = skip - 1
        if skip == 1:
            await cut(request.scope)
            return Response(status_code=500)
    if _used(site, "lose", is_document):
        await cut(request.scope)
        return Response(status_code=500)
    if (status := _used(site, "fail", is_write)) is not None:
        return Response(_HTML, status_code=status, media_type="text/html")
    return answer


def _used(site: Site, knob: str, applies: bool) -> Any:
    """A fault that is set and applies, once."""
    return site.knobs.pop(knob, None) if applies else None


def _answered(act: Callable[[], Response]) -> Response:
    try:
        return act()
    except Refused as refused:
        return _refusal(refused)


def _acted(site: Site, method: str, path: list[str], query: dict[str, str], body: Record) -> Response:
    if path[0] == "method":
        return _method(site, method, path[1], query, body)
    doctype, name = path[1], "/".join(path[2:])
    match method, bool(name):
        case "GET", False:
            return _answer(200, {"data": site.listed(doctype, _listing(query))})
        case "GET", True:
            return _answer(200, {"data": site.get(doctype, name)})
        case "POST", False:
            return _answer(200, {"data": books.made(site, doctype, body)})
        case "PUT", True:
            record = site.get(doctype, name)
            books.changed(site, record, doctype, body)
            return _answer(200, {"data": record})
        case "DELETE", True:
            books.deleted(site, doctype, name)
            return _answer(202, {"data": "ok"})
        case _:
            raise Refused("PageDoesNotExistError", "Not found", status=404)


def _listing(query: dict[str, str]) -> dict[str, Any]:
    return {
        "fields": json.loads(query.get("fields", '["name"]')),
        "filters": json.loads(query.get("filters", "[]")),
        "order_by": query.get("order_by", "modified desc"),
        "limit_start": int(query.get("limit_start", 0)),
        "limit_page_length": int(query.get("limit_page_length", 20)),
    }


def _method(site: Site, method: str, name: str, query: dict[str, str], body: Record) -> Response:
    if method == "POST" and name == "run_doc_method" and body.get("method") == "reconcile":
        books.reconcile(site, json.loads(body["docs"], parse_float=Decimal))
        return _answer(200, {"docs": [{"doctype": "Payment Reconciliation"}]})
    if method == "POST" and name.endswith(".create_unreconcile_doc_for_selection"):
        books.loosen(site, json.loads(body["selections"]))
        return _answer(200, {})
    match name:
        case "frappe.auth.get_logged_user":
            return _answer(200, {"message": "duly@example.com"})
        case "frappe.client.get_time_zone":
            return _answer(200, {"message": {"time_zone": site.zone}})
        case "erpnext.accounts.utils.get_balance_on":
            rows = [row for row in site.table(books.LEDGER).values() if not row["delinked"]]
            amounts = (row["amount_in_account_currency"] for row in rows if row["account"] == query["account"])
            return _answer(200, {"message": sum(amounts, start=books.NOTHING)})
        case "frappe.utils.print_format.download_pdf":
            site.get(query["doctype"], query["name"])
            return Response(b"%PDF-1.4\n% of " + query["name"].encode() + b"\n%%EOF\n", media_type="application/pdf")
        case _:
            raise Refused("ValidationError", f"Failed to get method for command {name}")


def _refusal(refused: Refused) -> Response:
    message = json.dumps({"message": f"<b>{refused.said}</b>", "title": "Message", "indicator": "red"})
    body = {
        "exception": f"frappe.exceptions.{refused.kind}: {refused.said}",
        "exc_type": refused.kind,
        "_server_messages": json.dumps([message]),
    }
    return _answer(refused.status, body)


def _answer(status: int, body: object) -> Response:
    headers = {"Date": format_datetime(datetime.now(UTC), usegmt=True)}
    raw = json.dumps(body, default=_number)
    return Response(raw, status_code=status, headers=headers, media_type="application/json")


def _number(value: object) -> float:
    """Frappe counts in floats, and answers them."""
    assert isinstance(value, Decimal)
    return float(value)
