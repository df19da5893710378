"""The JSON API for programs of others: an application of its own below /v1, behind the same wall, with keys of its own.

It reads views and starts processes, as the portal does; it calls no provider and no ERP, and writes no money.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from api.services import Services
from api.v1 import (
    apply_requests,
    customer_credits,
    customers,
    failing,
    invoices,
    links,
    methods,
    payments,
    refunds,
    settings,
)
from api.v1.description import check, describe
from api.v1.door import Door
from api.v1.listing import json_answer

RESOURCES: Final = (customers, invoices, payments, refunds, customer_credits, apply_requests, methods, links, settings)
ROUTES: Final = [route for each in RESOURCES for route in each.router.routes if isinstance(route, APIRoute)]


@cache
def _resources() -> Sequence[BaseRoute]:
    """The routes of all resources, put together once for each process (api/app.py)."""
    together = APIRouter()
    for each in RESOURCES:
        together.include_router(each.router)
    return together.routes


def create_api(services: Services) -> FastAPI:
    """The application below /v1. Raises LookupError for a route without a scope or a description of how it says no."""
    app = FastAPI(
        title="Duly",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        telemetry=services.telemetry,
    )
    app.state.services = services
    app.router.routes.extend(_resources())
    failing.install(app)
    check(ROUTES)
    told: dict[str, Any] = {}

    @app.get("/openapi.json", include_in_schema=False)
    async def description(_: Request) -> Response:
        """How this API is spoken to; it says nothing about anybody."""
        if not told:  # the first who asks waits for it
            told.update(describe(ROUTES))
        return json_answer(told)

    app.add_middleware(Door, services=services)
    return app
