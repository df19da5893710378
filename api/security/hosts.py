"""A request is for the host that we are configured as, or it is refused: addresses in mails never follow a header."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import is_for_programs
from api.security.refusing import respond
from domain.refusals import Refusal

OPEN: Final = frozenset({"/health"})
"""Asked by load balancers, by any name; it says nothing but that we live."""
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class HostCheck:
    """ASGI middleware: another Host, or a forwarded one that differs from ours, is answered 400."""

    def __init__(self, app: ASGIApp, *, base_url: str) -> None:
        self._app = app
        parts = urlsplit(base_url)
        name, port = parts.hostname or "", parts.port or _DEFAULT_PORTS[parts.scheme]
        self._ours = {f"{name}:{port}"} | ({name} if port == _DEFAULT_PORTS[parts.scheme] else set())
        self._base_url = base_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in OPEN and not self._is_ours(Headers(scope=scope)):
            await self._refuse(HTTPConnection(scope))(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _refuse(self, request: HTTPConnection) -> Response:
        refusal = Refusal(rule="host_unknown", facts={"url": self._base_url})
        if is_for_programs(request):
            return respond(request, refusal)
        return PlainTextResponse(f"{refusal.sentence}\n", refusal.status)

    def _is_ours(self, headers: Headers) -> bool:
        named = [*headers.getlist("host"), *headers.getlist("x-forwarded-host")]
        return bool(headers.getlist("host")) and all(each.lower() in self._ours for each in named)
