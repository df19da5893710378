"""How much anybody may send. A body is read here, up to its limit, before any code of ours looks at it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.security.refusing import respond
from domain.refusals import Refusal

LIMIT: Final = 1_000_000
LIMITS: Final[Mapping[str, int]] = {"/webhooks/": 256 * 1024}
"""Bytes, by the beginning of a path; everything else has LIMIT."""


class BodyLimit:
    """ASGI middleware: a larger body is refused with 413 'body_too_large', said or counted.

    The body that passed is in `scope["duly.body"]`, and is played to the application again.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            await self._app(scope, receive, send)
            return
        limit = next((most for start, most in LIMITS.items() if scope["path"].startswith(start)), LIMIT)
        body = await _read(scope, receive, limit)
        if body is None:
            refusal = Refusal(rule="body_too_large", facts={"limit": f"{limit // 1000} kB"})
            response = respond(HTTPConnection(scope), refusal)
            response.headers["Connection"] = "close"
            await response(scope, receive, send)
            return
        scope["duly.body"] = body
        await self._app(scope, _again(body, receive), send)


async def _read(scope: Scope, receive: Receive, limit: int) -> bytes | None:
    said = Headers(scope=scope).get("content-length", "0")
    if not said.isdigit() or int(said) > limit:
        return None
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(parts)
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            return None
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body in one piece, then whatever comes after it (a disconnect)."""
    given = False

    async def receive_again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again
