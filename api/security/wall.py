"""The wall: every middleware of ours, in the one order that is right."""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from api.security.body import BodyLimit
from api.security.cross_site import CrossSite
from api.security.headers import SecurityHeaders, origin_of
from api.security.hosts import HostCheck
from api.security.mistakes import Mistakes


class Wall:
    """`app.add_middleware(Wall, base_url=…, provider_origins=…)`, outermost: headers on everything, then the host, the
    size, where it comes from.
    """

    def __init__(self, app: ASGIApp, *, base_url: str, provider_origins: Callable[[], frozenset[str]]) -> None:
        inner: ASGIApp = CrossSite(app, base_url=base_url, origin=origin_of(base_url))
        inner = BodyLimit(inner)
        inner = Mistakes(HostCheck(inner, base_url=base_url))
        self._app: ASGIApp = SecurityHeaders(
            inner, provider_origins=provider_origins, is_https=base_url.startswith("https://")
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)
