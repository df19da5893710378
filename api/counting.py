"""What the doors count: requests by route, status and duration, and webhook deliveries by what became of them.

A route is named by its template (`/l/{token}`), never by what was asked for: an address of ours can be a secret, and
strangers invent as many as they like.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OUTCOMES: Final = ("stored", "repeated", "refused", "too_large", "limited")
NO_ROUTE: Final = "none"
_MET: Final = "duly.met"
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Counts:
    """The API's own metrics, in a registry of their own; one for each application."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._requests = Counter(
            "duly_http_requests", "Requests, by method, route and status.", ["method", "route", "status"], registry=registry
        )
        self._seconds = Histogram(
            "duly_http_request_seconds",
            "How long they took, by method and route.",
            ["method", "route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._deliveries = Counter(
            "duly_webhook_deliveries",
            "Webhook deliveries, by connection and what became of them.",
            ["connection", "outcome"],
            registry=registry,
        )

    def request(self, method: str, route: str, status: int, took_seconds: float) -> None:
        """One request that was answered."""
        told = method if method in METHODS else "other"
        self._requests.labels(told, route, str(status)).inc()
        self._seconds.labels(told, route).observe(took_seconds)

    def expect_deliveries(self, connections: Iterable[str]) -> None:
        """Show 0 before the first one: an alarm about a rise needs something to rise from."""
        for connection in connections:
            for outcome in OUTCOMES:
                self._deliveries.labels(connection, outcome)

    def delivery(self, connection: str, outcome: str) -> None:
        """One webhook delivery of a connection that exists; `outcome` is one of OUTCOMES."""
        self._deliveries.labels(connection, outcome).inc()


class Counting:
    """ASGI middleware, outermost: counts every HTTP request once it is answered, or falls."""

    def __init__(self, app: ASGIApp, *, counts: Counts) -> None:
        self._app = app
        self._counts = counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500
        met = scope[_MET] = [NO_ROUTE]
        started = time.perf_counter()

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        finally:
            self._counts.request(scope["method"], met[-1], status, time.perf_counter() - started)


class Meeting:
    """ASGI middleware, innermost: notes which route was met, for what stands between may go on with a copy."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        finally:
            if _MET in scope:
                scope[_MET].append(route_of(scope))


def route_of(scope: Mapping[str, Any]) -> str:
    """The template that a request met, with the mount that it is under; the mount alone; or 'none'."""
    mounted = str(scope.get("root_path", ""))
    # A router that was included keeps its own paths; FastAPI notes beside them what they are from the outside.
    included = scope.get("fastapi", {}).get("effective_route_context")
    template = getattr(scope.get("route") if included is None else included, "path", None)
    return f"{mounted}{template}" if template is not None else mounted or NO_ROUTE
