"""The headers of every answer: nothing runs that is not ours, nobody frames us, no address leaks, nothing is kept."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

KEPT: Final = ("/static/",)
"""The only paths whose answers a browser may keep; all others are private and leave no copy."""


@lru_cache(maxsize=8)
def policy(provider_origins: frozenset[str]) -> str:
    """The content security policy. A form may be sent to us, and from there on to a provider's hosted page."""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "font-src 'self'",
            "connect-src 'self'",
            " ".join(("form-action 'self'", *(origin_of(each) for each in sorted(provider_origins)))),
            "frame-ancestors 'none'",
            "base-uri 'none'",
        )
    )


def origin_of(url: str) -> str:
    """'scheme://host[:port]' of an address. Raises ValueError for what is no absolute http(s) address."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.netloc or "@" in parts.netloc:
        raise ValueError(f"{url!r} is not the address of a site")
    return f"{parts.scheme}://{parts.netloc}"


class SecurityHeaders:
    """ASGI middleware that adds them, also to errors. Providers come and go while it runs: `provider_origins` is asked."""

    def __init__(self, app: ASGIApp, *, provider_origins: Callable[[], frozenset[str]], is_https: bool) -> None:
        self._app = app
        self._provider_origins = provider_origins
        self._always = {
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
        }
        if is_https:
            self._always["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        keeps = scope["path"].startswith(KEPT)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = policy(self._provider_origins())
                for name, value in self._always.items():
                    headers[name] = value
                if not keeps:
                    headers["Cache-Control"] = "no-store"
            await send(message)

        await self._app(scope, receive, send_with_headers)
