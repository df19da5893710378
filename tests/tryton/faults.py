"""What can go wrong between a connector and Tryton: a proxy in front of it that loses requests and answers."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import httpx

READS: Final = ("search", "search_read", "search_count", "read", "login", "get_preferences")


@dataclass(slots=True)
class Fault:
    """What happens to a write: the next one of a method, or after so many others."""

    skip: int
    method: str
    is_carried_out: bool
    answer: bytes | None


@dataclass(slots=True)
class Proxy:
    """Passes everything on, and counts the writes; `fault` happens once."""

    address: str
    port: int = 0
    fault: Fault | None = None
    writes: list[str] = field(default_factory=list)
    authorization: str = ""
    _close: Callable[[], None] = lambda: None
    _client: httpx.AsyncClient = field(default_factory=lambda: httpx.AsyncClient(trust_env=False, timeout=60))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen, on the same port every time."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        self._close = server.close

    async def stop(self) -> None:
        """Nobody listens any more: what is sent does not leave."""
        self._close()
        await asyncio.sleep(0)

    async def aclose(self) -> None:
        await self.stop()
        await self._client.aclose()

    def lose_answer(self, *, skip: int = 0, method: str = "") -> None:
        """It is carried out, and nobody hears of it."""
        self.fault = Fault(skip=skip, method=method, is_carried_out=True, answer=None)

    def lose_request(self, *, skip: int = 0, method: str = "") -> None:
        """It never arrives."""
        self.fault = Fault(skip=skip, method=method, is_carried_out=False, answer=None)

    def fail_after(self, *, method: str = "") -> None:
        """It is carried out, and answered with a server error."""
        self.fault = Fault(skip=0, method=method, is_carried_out=True, answer=b"HTTP/1.1 500 Oops")

    async def end_session(self, path: str) -> None:
        """What Tryton does to who is silent for a while: the connector's session is no more."""
        body = {"id": 1, "method": "common.db.logout", "params": []}
        told = await self._client.post(f"{self.address}{path}", json=body, headers={"authorization": self.authorization})
        assert told.is_success, told.text

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request for each connection."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *rest = head.rstrip().split("\r\n")
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in rest)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            answer = await self._answer(first.split(" ")[1], headers, body)
            if answer is not None:
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # the connector left
        finally:
            writer.close()

    async def _answer(self, path: str, headers: dict[str, str], body: bytes) -> bytes | None:
        self.authorization = headers.get("authorization", self.authorization)
        fault = self._due(json.loads(body)["method"])
        if fault is not None and not fault.is_carried_out:
            return fault.answer
        passed: dict[str, str] = {name: headers[name] for name in ("authorization", "content-type") if name in headers}
        told = await self._client.post(f"{self.address}{path}", content=body, headers=passed)
        if fault is not None:
            return None if fault.answer is None else fault.answer + b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        lines = [f"HTTP/1.1 {told.status_code} x", f"date: {told.headers.get('date', '')}", "connection: close"]
        lines += ["content-type: application/json", f"content-length: {len(told.content)}"]
        return "\r\n".join([*lines, "", ""]).encode() + told.content

    def _due(self, method: str) -> Fault | None:
        if method.rpartition(".")[2] in READS:
            return None
        self.writes.append(method)
        fault = self.fault
        if fault is None or fault.method not in {"", method}:
            return None
        if fault.skip:
            fault.skip -= 1
            return None
        self.fault = None
        return fault
