"""How a simulator serves: on a loopback port that it prints, until a signal, which ends it with status 0."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from types import FrameType
from typing import Literal

import uvicorn
from starlette.types import ASGIApp

BACKLOG = 512


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Listening before serving lets the first caller wait, not fail."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(BACKLOG)
    return listener


def address_of(listener: socket.socket) -> str:
    """host:port of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"{host}:{port}"


def serve(
    app: ASGIApp, listener: socket.socket, *, name: str, http: type[asyncio.Protocol] | Literal["auto"] = "auto"
) -> None:
    """Serve until SIGTERM or SIGINT, then end the process with status 0; prints 'NAME listening on http://…' first.

    `http` is the protocol of a connection, for a simulator that must do what HTTP cannot say.
    """
    # uvicorn raises the signal again once it has stopped, and would end the process by it.
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    config = uvicorn.Config(
        app,
        http=http,
        log_level="warning",
        access_log=False,
        # Longer than any client keeps one: a connection closed under its hands looks to it like an unknown outcome.
        timeout_keep_alive=75,
        timeout_graceful_shutdown=2,
    )
    sys.stdout.write(f"{name} listening on http://{address_of(listener)}\n")
    sys.stdout.flush()
    uvicorn.Server(config).run(sockets=[listener])


def _leave(_: int, __: FrameType | None) -> None:
    raise SystemExit(0)
