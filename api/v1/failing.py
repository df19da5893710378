"""How the JSON API says no: every refusal, every request that is not understood and every mistake of ours is a problem."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from api import problems
from api.security.refusing import headers_of, on_refused, respond
from domain.refusals import Refusal, Refused
from store.database import is_weather

log = logging.getLogger(__name__)
_PLACES_MOST: Final = 20


def install(app: FastAPI) -> None:
    """Answer all of these in one form."""
    app.add_exception_handler(Refused, on_refused)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(Exception, _on_mistake)


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    rule = {404: "not_found", 405: "operation_unknown"}.get(error.status_code, "request_unreadable")
    response = respond(request, Refusal(rule=rule))
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    return response


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if any(each["type"] == "json_invalid" for each in found):
        return respond(request, Refusal(rule="request_unreadable"))
    if any(each["loc"] == ("header", "Idempotency-Key") for each in found):
        return respond(request, Refusal(rule="idempotency_key_needed"))
    refusal = Refusal(rule="request_invalid")
    places = [_place(each) for each in found[:_PLACES_MOST]]
    problem = problems.told(refusal, instance=problems.instance_of(request), errors=places)
    return problems.respond(problem, headers_of(refusal))


async def _on_mistake(request: Request, error: Exception) -> Response:
    if is_weather(error):
        log.warning("%s %s: the database does not answer: %s", request.method, request.url.path, type(error).__name__)
        return respond(request, Refusal(rule="temporarily_unavailable"))
    log.error("%s %s failed: %s", request.method, request.url.path, type(error).__name__, exc_info=error)
    return problems.respond(problems.mistake(problems.instance_of(request)))


def _place(error: Mapping[str, Any]) -> dict[str, str]:
    """Where, and what is expected there; what was sent is not said again."""
    kind, *steps = error["loc"]
    if kind == "body":
        return {"pointer": f"#{''.join(_escaped(steps))}", "detail": error["msg"]}
    return {"parameter": ".".join(str(step)[:100] for step in steps), "detail": error["msg"]}


def _escaped(steps: list[str | int]) -> Iterator[str]:
    for step in steps:
        yield "/" + str(step)[:100].replace("~", "~0").replace("/", "~1")
