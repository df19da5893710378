"""Who may come in to the JSON API: programs with a key, never a browser's cookie; and what a key may do.

The door stands before every route, so a new one is closed by default; one without a scope of its own is found when the
application is made (`api/v1/__init__.py`).
"""

from dataclasses import replace
from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from api.security.refusing import respond
from api.services import Services
from api.v1.allowance import Allowance
from domain.refusals import Refusal, Refused
from store import api_keys
from store.api_keys import KeyHolder
from store.api_keys import Scope as KeyScope

OPEN: Final = frozenset({"/v1/openapi.json"})
"""What is told to everybody: how the API is spoken to."""
WITH_BODIES: Final = frozenset({"POST", "PUT", "PATCH"})


class Door:
    """ASGI middleware inside the API: a known key comes in, as often as it may; everything else is a problem.

    It reads no cookie.
    """

    def __init__(self, app: ASGIApp, *, services: Services) -> None:
        self._app = app
        self._services = services
        self._allowance = Allowance(services.api_requests_per_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in OPEN:
            refusal = await self._let_in(scope)
            if refusal is not None:
                await respond(HTTPConnection(scope), refusal)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _let_in(self, scope: Scope) -> Refusal | None:
        headers = Headers(scope=scope)
        kind, _, key = headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not key:
            return Refusal(rule="api_key_needed")
        async with self._services.staff.begin("load_api_key") as tx:
            holder = await api_keys.load(tx, key.strip(), at=self._services.clock())
        if holder is None:
            return Refusal(rule="api_key_unknown")
        wait_seconds = self._allowance.take(holder.id, at=self._services.clock())
        if wait_seconds is not None:
            return Refusal(rule="too_many_requests", facts={"seconds": wait_seconds})
        scope["duly.key"] = replace(holder, offers=self._services.that_start(holder.offers))
        if scope["method"] in WITH_BODIES and scope.get("duly.body") != b"" and not _is_json(headers):
            return Refusal(rule="content_type_unsupported")
        return None


def _is_json(headers: Headers) -> bool:
    return headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"


def services(request: HTTPConnection) -> Services:
    """What the doors were given."""
    given: Services = request.app.state.services
    return given


async def given_services(request: HTTPConnection) -> Services:
    """The same as a dependency. Asynchronous, for FastAPI sends every other function to a thread and waits for it."""
    return services(request)


class Needs:
    """A dependency: the key, which has this scope. Raises Refused 'scope_needed' (403), and RequestValidationError for a
    query that says a thing twice: nobody knows which one was meant.
    """

    def __init__(self, scope: KeyScope) -> None:
        self.scope = scope

    async def __call__(self, request: Request) -> KeyHolder:
        holder: KeyHolder = request.scope["duly.key"]
        if self.scope.value not in holder.scopes:
            raise Refused("scope_needed", scope=self.scope.value)
        asked = request.query_params
        twice = [name for name in asked if len(asked.getlist(name)) > 1]
        if twice:
            raise RequestValidationError(
                [{"type": "repeated", "loc": ("query", name), "msg": "Say it once."} for name in twice]
            )
        return holder


def scope_of(route: APIRoute) -> KeyScope | None:
    """The scope that a route needs, or None where somebody forgot it."""
    return next((each.call.scope for each in route.dependant.dependencies if isinstance(each.call, Needs)), None)


Given = Annotated[Services, Depends(given_services)]
