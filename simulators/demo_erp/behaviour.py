"""The knobs: how this ERP misbehaves when a test or a drill tells it to. Outermost, around the application.

Knobs and counts live in memory: a restart is an ERP in good health, with its books.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from simulators.demo_erp.postings import Rules
from simulators.demo_erp.wire import KnobsBody, RefusalKnob

WRITES: Final = ("POST /payments", "POST /reversals", "POST /refunds", "POST /refund-reversals", "POST /applications")
READS: Final = (
    *("GET /ping", "GET /customers", "GET /invoices", "POST /invoices/lookup"),
    *("GET /documents", "POST /documents/lookup", "GET …/pdf"),
    *("GET /payments", "GET /quotes", "GET /templates", "GET /totals", "GET /ledger/receivables"),
)


@dataclass(slots=True, kw_only=True)
class Knobs:
    """How the ERP behaves now. The counted ones (`throttle`, `error_after_success`, `drop_…`) act on writes.

    `broken`: reads of these paths fail inside once `broken_after` of them were answered. `hang`: requests wait, and are
    carried out when it is lifted, even if their caller has gone: late success.
    """

    delay_ms: int = 0
    answer_delay_ms: int = 0
    down: bool = False
    hang: bool = False
    throttle: int = 0
    error_after_success: int = 0
    drop_after: int = 0
    drop_before: int = 0
    unique_references: bool = False
    closed_through: date | None = None
    refuse: list[RefusalKnob] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    broken_after: int = 0

    def rules(self) -> Rules:
        """The part that the checks of a posting need."""
        return Rules(
            unique_references=self.unique_references,
            closed_through=self.closed_through,
            refusals=tuple(self.refuse),
        )

    def turn(self, body: KnobsBody) -> None:
        """Change what was sent, and nothing else."""
        if body.reset:
            for name, value in _values(Knobs()).items():
                setattr(self, name, value)
        for name in body.model_fields_set - {"reset"}:
            value = getattr(body, name)
            setattr(self, name, _values(Knobs())[name] if value is None else value)

    def shown(self) -> dict[str, Any]:
        """The knobs as JSON."""
        shown = _values(self)
        shown["closed_through"] = None if self.closed_through is None else self.closed_through.isoformat()
        shown["refuse"] = [refusal.model_dump() for refusal in self.refuse]
        return shown

    def take(self, name: str) -> bool:
        """Use up one of a counted knob; False when none is left."""
        left: int = getattr(self, name)
        if left > 0:
            setattr(self, name, left - 1)
        return left > 0


def _values(knobs: Knobs) -> dict[str, Any]:
    return {name: getattr(knobs, name) for name in Knobs.__slots__}


class Misbehaving:
    """The application behind its knobs; counts every request by what it asks."""

    def __init__(self, app: ASGIApp, knobs: Knobs) -> None:
        self._app = app
        self.knobs = knobs
        self.requests: Counter[str] = Counter()
        self._lifted = asyncio.Event()
        self._lifted.set()

    def turn(self, body: KnobsBody) -> None:
        """Turn knobs; requests that hang go on when that knob is off."""
        self.knobs.turn(body)
        if self.knobs.hang:
            self._lifted.clear()
        else:
            self._lifted.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = f"{scope['method']} {scope['path']}" if scope["type"] == "http" else ""
        if asked.startswith("GET ") and asked.endswith("/pdf"):
            asked = "GET …/pdf"
        if asked not in WRITES and asked not in READS:
            await self._app(scope, receive, send)
            return
        self.requests[asked] += 1
        # Read it whole now: a caller that hangs up during a wait must not take its body along.
        body = await _body_of(receive)
        if self.knobs.down:
            await _answer(send, 503, "DOWN", "The ERP is down for maintenance.")
            return
        if asked in READS and scope["path"] in self.knobs.broken and not self.knobs.take("broken_after"):
            await _answer(send, 500, "INTERNAL_ERROR", "An unexpected error occurred.")
            return
        if asked in WRITES and self.knobs.take("drop_before"):
            _hang_up(send)
            return
        if asked in WRITES and self.knobs.take("throttle"):
            await _answer(send, 429, "TOO_MANY_REQUESTS", "Too many requests.", (b"retry-after", b"2"))
            return
        await self._carry_out(scope, body, send, is_write=asked in WRITES)

    async def _carry_out(self, scope: Scope, body: bytes, send: Send, *, is_write: bool) -> None:
        await self._lifted.wait()
        await _wait(self.knobs.delay_ms)
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        await self._app(scope, _replay(body), keep)
        await _wait(self.knobs.answer_delay_ms)
        is_success = answer[0]["status"] in (200, 201)
        if is_write and is_success and self.knobs.take("drop_after"):
            _hang_up(send)
            return
        if is_write and is_success and self.knobs.take("error_after_success"):
            await _answer(send, 500, "INTERNAL_ERROR", "An unexpected error occurred.")
            return
        for message in answer:
            await send(message)


async def _wait(milliseconds: int) -> None:
    if milliseconds:
        await asyncio.sleep(timedelta(milliseconds=milliseconds).total_seconds())


async def _body_of(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


def _replay(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _hang_up(send: Send) -> None:
    """Close the connection without a byte of answer: `send` is a method of uvicorn's request cycle."""
    cycle: Any = getattr(send, "__self__", None)
    cycle.transport.abort()
    cycle.disconnected = True


async def _answer(send: Send, status: int, code: str, sentence: str, *headers: tuple[bytes, bytes]) -> None:
    body = json.dumps({"error": {"code": code, "message": sentence}}).encode()
    kind = (b"content-type", b"application/json")
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [kind, length, *headers]})
    await send({"type": "http.response.body", "body": body})
