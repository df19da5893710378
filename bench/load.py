"""A small load generator over HTTP/1.1 on loopback, so that nothing need be installed: closed or open loop.

Closed: every connection sends its next request when the last is answered; that finds what a server can do. Open: every
request has its moment, whether or not the server is ready, and is late from that moment on; that finds how long people
wait. It runs in the process of the bench, so its own processor time is `process_time`, apart from the servers'.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from bench.pair import quantile

_HOST: Final = "127.0.0.1"
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
UNANSWERED: Final = 0
"""The status of a request whose connection was lost: nobody knows what became of it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: bytes
    head: bytes = b""


@dataclass(slots=True)
class Load:
    """What a run of requests showed; `answers` are in the order of the requests."""

    answers: list[Answer | None]
    wall_seconds: float = 0.0
    own_cpu_seconds: float = 0.0
    waited_seconds: list[float] = field(default_factory=list)

    @property
    def statuses(self) -> Counter[int]:
        """Status → how often."""
        return Counter(UNANSWERED if answer is None else answer.status for answer in self.answers)

    def waited_ms(self, part: float) -> float:
        """How long that part of the requests waited at most, in milliseconds."""
        return 1000 * quantile(sorted(self.waited_seconds), part)

    def require(self, status: int) -> None:
        """Raises WrongAnswers unless every answer has this status."""
        if set(self.statuses) != {status}:
            example = next(each.body[:300] for each in self.answers if each is not None and each.status != status)
            raise WrongAnswers(f"wanted {status} only, got {dict(self.statuses)}; for example {example!r}")


class WrongAnswers(Exception):
    """The server did not do what is measured; the message holds an answer."""


def request(method: str, path: str, port: int, *, headers: Mapping[str, str] | None = None, body: bytes = b"") -> bytes:
    """A request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {_HOST}:{port}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


async def ask(port: int, wire: bytes) -> Answer:
    """One request on a connection of its own."""
    connection = await _connected(port)
    try:
        return await connection.ask(wire)
    finally:
        connection.close()


async def closed(port: int, wires: Sequence[bytes], *, connections: int) -> Load:
    """All requests, so many at a time. Raises ConnectionError when the server hangs up."""
    load = Load(answers=[None] * len(wires), waited_seconds=[0.0] * len(wires))
    opened = [await _connected(port) for _ in range(min(connections, len(wires)))]
    numbers = iter(range(len(wires)))

    async def hand(connection: _Connection) -> None:
        for number in numbers:
            asked = time.perf_counter()
            load.answers[number] = await connection.ask(wires[number])
            load.waited_seconds[number] = time.perf_counter() - asked

    begun, own = time.perf_counter(), time.process_time()
    async with asyncio.TaskGroup() as group:
        for connection in opened:
            group.create_task(hand(connection))
    load.wall_seconds, load.own_cpu_seconds = time.perf_counter() - begun, time.process_time() - own
    for connection in opened:
        connection.close()
    return load


async def open_loop(
    port: int,
    wires: Sequence[bytes],
    *,
    rate: float,
    connections: int,
    meanwhile: Callable[[int], None] = lambda _number: None,
) -> Load:
    """Requests at their moments, `rate` a second. A lost connection loses its request and is opened again.

    `meanwhile` is told each request's number as its moment comes.
    """
    load = Load(answers=[None] * len(wires))
    queue: asyncio.Queue[tuple[int, float] | None] = asyncio.Queue()

    async def hand() -> None:
        connection = await _connected(port)
        while (piece := await queue.get()) is not None:
            number, moment = piece
            try:
                load.answers[number] = await connection.ask(wires[number])
                load.waited_seconds.append(time.perf_counter() - moment)
            except ConnectionError:
                connection = await _connected_again(port)
        connection.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(hand())
        await asyncio.sleep(0.05)
        begun, own = time.perf_counter(), time.process_time()
        for number in range(len(wires)):
            moment = begun + number / rate
            if (early := moment - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            meanwhile(number)
            queue.put_nowait((number, moment))
        for _ in range(connections):
            queue.put_nowait(None)
    load.wall_seconds, load.own_cpu_seconds = time.perf_counter() - begun, time.process_time() - own
    return load


class _Connection(asyncio.Protocol):
    """One connection with at most one request under way."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._answered: asyncio.Future[Answer] | None = None
        self._transport: asyncio.Transport | None = None
        self._is_lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def ask(self, wire: bytes) -> asyncio.Future[Answer]:
        self._answered = asyncio.get_running_loop().create_future()
        if self._is_lost or self._transport is None:
            self._answered.set_exception(ConnectionResetError("the server has hung up"))
        else:
            self._transport.write(wire)
        return self._answered

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        told = _LENGTH.search(self._received, 0, end)
        length = int(told[1]) if told else 0
        if len(self._received) < end + 4 + length:
            return
        head, body = bytes(self._received[:end]), bytes(self._received[end + 4 : end + 4 + length])
        del self._received[: end + 4 + length]
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(Answer(int(head[9:12]), body, head))

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_lost = True
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(exc if isinstance(exc, ConnectionError) else ConnectionResetError("hung up"))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


async def _connected(port: int) -> _Connection:
    _, connection = await asyncio.get_running_loop().create_connection(_Connection, _HOST, port)
    return connection


async def _connected_again(port: int) -> _Connection:
    """Patiently: the server is being started again."""
    while True:
        with suppress(ConnectionError):
            return await _connected(port)
        await asyncio.sleep(0.05)
