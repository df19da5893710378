"""The web application: the API, the laboratory and the hosted pages of one provider."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI, Request, Response

from simulators.sandbox_provider.api import api_routes
from simulators.sandbox_provider.laboratory import laboratory_routes
from simulators.sandbox_provider.pages import page_routes
from simulators.sandbox_provider.provider import Provider
from simulators.sandbox_provider.refusals import Refusal
from simulators.sandbox_provider.requests import refusal_response

_TICK_SECONDS = 0.5


def application(provider: Provider) -> FastAPI:
    """The application; its background work starts and ends with it."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        work = [asyncio.create_task(provider.sender.run()), asyncio.create_task(_tick(provider))]
        yield
        for task in work:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        provider.storage.close()

    app = FastAPI(title="Sandbox payment provider", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.include_router(api_routes(provider))
    app.include_router(laboratory_routes(provider))
    app.include_router(page_routes(provider))

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok", "service": "sandbox-provider"}

    @app.exception_handler(Refusal)
    async def refused(_request: Request, refusal: Refusal) -> Response:
        return refusal_response(refusal)

    return app


async def _tick(provider: Provider) -> None:
    """Debits move and pages expire although nobody asks."""
    while True:
        provider.schedule.run_due()
        await asyncio.sleep(_TICK_SECONDS)
