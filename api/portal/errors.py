"""Pages that say no, or that something went wrong: the rule, what is safe, and the way out."""

from __future__ import annotations

import logging
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from api import pages
from api.portal.shell import Shell, shell_for, shell_for_nobody
from api.security.headers import policy
from api.security.refusing import headers_of, respond
from api.security.sessions import portal_session_or_none
from domain.refusals import Refusal, Refused

log = logging.getLogger(__name__)

_TITLES: Final = {
    401: "This account is not open here",
    403: "That did not come from a page of ours",
    404: "There is nothing here",
    409: "That is not possible now",
    413: "That is too large",
    422: "That does not work yet",
    429: "One moment, please",
}
_NEVER: Final = ("/staff", "/webhooks", "/v1", "/static")
"""Doors that answer for themselves."""


def install(app: FastAPI) -> None:
    """Answer refusals, unknown addresses and our own mistakes with a page."""
    app.add_exception_handler(Refused, _on_refused)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(Exception, _on_mistake)


async def refuse(request: Request, refusal: Refusal) -> Response:
    """The page of a refusal: its sentence, and where to go on."""
    if request.url.path.startswith(_NEVER) or "application/json" in request.headers.get("accept", ""):
        return respond(request, refusal)
    shell = await _shell(request)
    return pages.render(
        request,
        "portal/refused.html",
        status=refusal.status,
        headers=headers_of(refusal),
        shell=shell,
        title=_TITLES[401] if refusal.rule == "not_open_here" else _TITLES.get(refusal.status, "That is not possible"),
        refusal=refusal,
        is_open=shell.customer_name is not None,
    )


async def _on_refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return await refuse(request, error.refusal)


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return await refuse(request, Refusal(rule="not_found"))
    headers = dict(error.headers or {})
    return Response(f"{error.detail}\n", error.status_code, headers, media_type="text/plain")


async def _on_invalid(request: Request, error: Exception) -> Response:
    """A form or an address that no page of ours would send: the same answer as for one that does not exist."""
    assert isinstance(error, RequestValidationError)
    return await refuse(request, Refusal(rule="not_found"))


async def _on_mistake(request: Request, error: Exception) -> Response:
    log.error("%s %s failed: %s", request.method, request.url.path, type(error).__name__, exc_info=error)
    # Answered outside the wall, by Starlette's outermost layer: the headers that matter go along by hand.
    headers = {"Content-Security-Policy": policy(()), "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return pages.render(request, "portal/mistake.html", status=500, headers=headers, shell=shell_for_nobody(request))


async def _shell(request: Request) -> Shell:
    """The reader's own frame where that is known; a database that does not answer is no reason to say nothing."""
    try:
        session = await portal_session_or_none(request)
    except Exception as error:
        # The page of an error must not fail by itself: it is then nobody's, which is always safe to show.
        log.warning("the session of %s could not be read: %s", request.url.path, type(error).__name__)
        session = None
    return shell_for_nobody(request) if session is None else shell_for(request, session)
