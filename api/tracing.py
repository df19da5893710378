"""The first span of a trace: one request. Imported only where a traces endpoint is set (`connectors/telemetry/traces.py`).

It is named by its route's template once that is known; what was asked for is not written anywhere. A trace that a
stranger's request claims to belong to is not believed.
"""

from __future__ import annotations

from typing import Final

from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, Status, StatusCode, get_tracer
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.counting import METHODS, route_of

UNTRACED: Final = ("/health", "/static/")


class Traced:
    """ASGI middleware, outermost."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(UNTRACED):
            await self._app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in METHODS else "other"
        with get_tracer("duly").start_as_current_span(
            method, context=Context(), kind=SpanKind.SERVER, attributes={"http.request.method": method}
        ) as span:

            async def send_and_note(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                    if message["status"] >= 500:
                        span.set_status(Status(StatusCode.ERROR))
                await send(message)

            try:
                await self._app(scope, receive, send_and_note)
            finally:
                span.set_attribute("http.route", route_of(scope))
