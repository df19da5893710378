"""A mistake of ours is answered inside the wall, so that its page has the same headers as every other."""

from __future__ import annotations

import inspect

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Mistakes:
    """ASGI middleware: answers with the application's own handler of `Exception`, then lets the server log it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_answered = False

        async def send_and_know(message: Message) -> None:
            nonlocal is_answered
            is_answered = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_know)
        except Exception as error:
            if not is_answered:
                response = await _answer(Request(scope), error)
                await response(scope, receive, send)
            raise


async def _answer(request: Request, error: Exception) -> Response:
    handler = request.app.exception_handlers.get(Exception)
    if handler is None:
        return PlainTextResponse("Something went wrong here. Nothing more was done.\n", 500)
    answer = handler(request, error)
    response: Response = await answer if inspect.isawaitable(answer) else answer
    return response
