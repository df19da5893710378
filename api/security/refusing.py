"""How a refusal leaves the house when no page has a better place for it: the rule's name, its sentence, its status."""

from __future__ import annotations

from html import escape

from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from api import problems
from domain.refusals import Refusal, Refused

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><link rel="stylesheet" href="/static/vendor/css/tabler.min.css"></head>
<body><main class="container-tight py-4"><h1 class="h2">{title}</h1><p>{sentence}</p>
<p class="text-secondary">Rule: <code>{rule}</code></p><p><a href="{back}">Go back to the start</a></p></main></body></html>
"""
_TITLES = {
    400: "That request was not for us",
    401: "Sign in first",
    403: "Not allowed",
    404: "Not found",
    409: "Not possible now",
    413: "Too large",
    429: "Too many requests",
}


def headers_of(refusal: Refusal) -> dict[str, str]:
    """Headers that go with a refusal: its rule, and Retry-After for 'too_many_requests'."""
    headers = {"X-Refusal": refusal.rule}
    if refusal.rule == "too_many_requests":
        headers["Retry-After"] = str(refusal.facts.get("seconds", 60))
    if refusal.rule == "temporarily_unavailable":
        headers["Retry-After"] = "2"
    if refusal.status == 401 and refusal.rule.startswith("api_key"):
        headers["WWW-Authenticate"] = 'Bearer realm="Duly"'
    return headers


def respond(request: HTTPConnection, refusal: Refusal, *, status: int | None = None) -> Response:
    """A plain page, JSON {"rule", "message", "facts"} for who asks for JSON, a problem for who asked the JSON API."""
    code = refusal.status if status is None else status
    headers = headers_of(refusal)
    if problems.is_for_programs(request):
        problem = problems.told(refusal, instance=problems.instance_of(request), status=code)
        return problems.respond(problem, headers)
    if "application/json" in request.headers.get("accept", ""):
        told = {"rule": refusal.rule, "message": refusal.sentence, "facts": dict(refusal.facts)}
        return JSONResponse(told, code, headers)
    back = "/staff" if request.url.path.startswith("/staff") else "/"
    page = _PAGE.format(
        title=_TITLES.get(code, "Not possible"), sentence=escape(refusal.sentence), rule=escape(refusal.rule), back=back
    )
    return HTMLResponse(page, code, headers)


async def on_refused(request: Request, error: Exception) -> Response:
    """For `app.add_exception_handler(Refused, on_refused)`."""
    assert isinstance(error, Refused)
    return respond(request, error.refusal)
