"""Cutting a connection: the one fault that HTTP itself cannot express."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

_OPEN: dict[tuple[str, int], asyncio.Transport] = {}


class CuttableProtocol(H11Protocol):
    """Remembers each connection's transport by the caller's address and port."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Remember it."""
        super().connection_made(transport)
        if self.client is not None:
            _OPEN[self.client] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        if self.client is not None:
            _OPEN.pop(self.client, None)
        super().connection_lost(exc)


async def cut(scope: Scope) -> None:
    """Reset the caller's connection without an answer."""
    client: Any = scope.get("client")
    transport = _OPEN.get(tuple(client)) if client else None
    if transport is not None:
        transport.abort()
        # Let the server notice before the handler returns, so that it does not try to answer.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
