"""The API's factory: pages for customers and staff, the JSON API, webhooks, static files, behind one wall."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING, Final

from fastapi import APIRouter, FastAPI
from fastapi.responses import PlainTextResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import BaseRoute
from starlette.types import Scope

from api import brand, pages, portal, problems, staff, webhooks
from api.access import links, viewing
from api.counting import Counting, Meeting
from api.portal import errors
from api.security.logs import keep_secrets_out
from api.security.sessions import SignInAgain
from api.security.wall import Wall
from api.services import Services
from api.v1 import create_api
from connectors.telemetry.metrics import served
from store import safety

if TYPE_CHECKING:
    from settings import Settings

_FOR_EVER: Final = "public, max-age=31536000, immutable"
_SMALLEST_GZIPPED: Final = 800


class KeptFiles(StaticFiles):
    """Static files; an address with a fingerprint never changes what it means, so browsers keep it for ever."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, or Starlette's 404."""
        response = await super().get_response(path, scope)
        if b"v=" in scope.get("query_string", b"") and response.status_code == 200:
            response.headers["Cache-Control"] = _FOR_EVER
        return response


def create_app(settings: Settings | None = None, *, services: Services | None = None) -> FastAPI:
    """The application. Without `services` they are built from the settings, which are read from the environment."""
    if services is None:
        import settings as configuration
        import wiring

        services = wiring.services(settings or configuration.current())
    app = FastAPI(
        title="Duly",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=_starts_only_when_safe,
        telemetry=services.telemetry,
    )
    app.state.services = services
    app.state.arrivals = webhooks.Arrivals(services)
    services.counts.expect_deliveries(services.connected.by_connection)
    _add_plain_routes(app)
    app.router.routes.extend(_pages())
    app.mount(problems.PREFIX, create_api(services), name="v1")
    errors.install(app)
    app.add_exception_handler(SignInAgain, staff.on_sign_in_again)
    app.add_middleware(Meeting)
    app.add_middleware(GZipMiddleware, minimum_size=_SMALLEST_GZIPPED, compresslevel=5)
    app.add_middleware(Wall, base_url=services.base_url, provider_origins=services.form_origins)
    app.add_middleware(Counting, counts=services.counts)
    return app


@asynccontextmanager
async def _starts_only_when_safe(app: FastAPI) -> AsyncIterator[None]:
    """No request is answered while customers could see one another (store/safety.py)."""
    services: Services = app.state.services
    await safety.assert_safe(services.portal)
    keep_secrets_out()
    # A database that is away for a moment does not keep the doors shut: whoever meets an unknown connection looks again.
    following = asyncio.create_task(services.connected.follow())
    with served(services.metrics_address, services.counts.registry):
        yield
    following.cancel()
    await services.connected.aclose()
    await services.portal.close()
    await services.staff.close()
    await asyncio.to_thread(services.close_traces)


@cache
def _pages() -> Sequence[BaseRoute]:
    """The routes of all pages, put together once for each process: what each takes is learned at its first request."""
    together = APIRouter()
    # Routes are tried one after the other, and two hundred cost a delivery more than all else here: its own comes first.
    for router in (webhooks.router, portal.router, links.router, viewing.router, staff.router):
        together.include_router(router)
    return together.routes


def _add_plain_routes(app: FastAPI) -> None:
    @app.get("/health", include_in_schema=False)
    async def health() -> PlainTextResponse:
        """This process answers. Whether its surroundings do is `duly doctor`'s question."""
        return PlainTextResponse("ok\n")

    @app.get("/static/brand/{colour}.css", include_in_schema=False)
    async def brand_colour(colour: str) -> Response:
        """The accent colour, which is part of the address, so it may be kept."""
        return Response(brand.stylesheet(colour), media_type="text/css", headers={"Cache-Control": _FOR_EVER})

    app.mount("/static", KeptFiles(directory=pages.FOLDER / "static"), name="static")
