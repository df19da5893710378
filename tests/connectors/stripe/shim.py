"""Between the connector and somebody else's emulator: lost answers, and the few things that the emulator cannot.

localstripe keeps no idempotency keys, knows no pages and no search, and refuses some names that Stripe allows. What it
does know, it does by itself: charges are counted there. It is run as a program and never imported (its licence is GPL).
It listens on every interface, which nothing else here does.
"""

import asyncio
import json
import os
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import httpx

from tests.machine import free_port

KEY: Final = "sk_test_of_an_emulator"
START_SECONDS_MAX: Final = 20
_UNKNOWN_NAMES: Final = frozenset({"description", "created", "expand"})
_FORM: Final = "application/x-www-form-urlencoded"
_EMPTY: Final = {"object": "list", "data": [], "has_more": False}


@contextmanager
def localstripe(folder: Path) -> Iterator[str]:
    """The emulator as a program of its own, on a free port, with nothing in it."""
    port = free_port()
    program = subprocess.Popen(
        [Path(sysconfig.get_path("scripts")) / "localstripe", "--port", str(port), "--from-scratch"],
        env=os.environ | {"TMPDIR": str(folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url, deadline = f"http://localhost:{port}", time.monotonic() + START_SECONDS_MAX
    try:
        with httpx.Client(trust_env=False, auth=(KEY, "")) as client:
            while True:
                try:
                    if client.get(f"{url}/v1/customers").is_success:
                        break
                except httpx.TransportError:
                    assert time.monotonic() < deadline, "localstripe does not answer"
                time.sleep(0.05)
        yield url
    finally:
        program.kill()
        program.wait(timeout=10)


class Shim:
    """Forwards each call once, keeps keys as Stripe does, and lets the next write go wrong when it is told to."""

    def __init__(self, url: str) -> None:
        self._far = httpx.AsyncClient(base_url=url, trust_env=False, auth=(KEY, ""), timeout=10)
        self._kept: dict[str, tuple[str, int, bytes]] = {}
        self.requests: list[dict[str, Any]] = []
        self.fault: str | None = None  # refuse_before, drop_after, hang_after or broken_after

    async def aclose(self) -> None:
        await self._far.aclose()

    async def far(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """A call to the emulator itself, which must succeed."""
        answer = await self._far.request(method, path, **options)
        assert answer.is_success, answer.text
        told: dict[str, Any] = answer.json()
        return told

    async def charges(self) -> int:
        """How many charges the emulator has taken."""
        return len((await self.far("GET", "/v1/charges", params={"limit": "100"}))["data"])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One call of the connector."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            named = {name.lower(): value for name, _, value in (line.partition(": ") for line in head.split("\r\n")[1:])}
            body = (await reader.readexactly(int(named.get("content-length", "0")))).decode()
            method, target, _ = head.split(" ", 2)
            path, _, query = target.partition("?")
            fault = None
            if method == "POST":
                fault, self.fault = self.fault, None
            self.requests.append(
                {
                    "method": method,
                    "path": path,
                    "encoded": body if method == "POST" else query,
                    "version": named.get("stripe-version"),
                    "key": named.get("idempotency-key"),
                }
            )
            if fault == "refuse_before":
                return
            status, told = await self._once(method, path, self.requests[-1], fault)
            if fault == "hang_after":
                await asyncio.sleep(2)
            if fault in {"drop_after", "hang_after"}:
                return
            reply = f"HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {len(told)}\r\n"
            writer.write(f"{reply}Connection: close\r\n\r\n".encode() + told)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # the connector has gone
        finally:
            writer.close()

    async def _once(self, method: str, path: str, request: dict[str, Any], fault: str | None) -> tuple[int, bytes]:
        key, encoded = request["key"], request["encoded"]
        if key in self._kept:
            mark, status, told = self._kept[key]
            same = mark == path + encoded
            conflict = {"error": {"type": "idempotency_error", "message": "Another body."}}
            return (status, told) if same else (400, json.dumps(conflict).encode())
        status, told = await self._forwarded(method, path, encoded)
        if fault == "broken_after":
            status, told = 500, b'{"error": {"type": "api_error", "message": "Something broke."}}'
        if key is not None:
            self._kept[key] = (path + encoded, status, told)
        return status, told

    async def _forwarded(self, method: str, path: str, encoded: str) -> tuple[int, bytes]:
        """The call in the few words that the emulator knows."""
        if path.endswith("/search") or path.startswith(("/v1/checkout", "/v1/disputes")):
            return 200, json.dumps(_EMPTY).encode()
        kept = [(name, value) for name, value in parse_qsl(encoded) if name.partition("[")[0] not in _UNKNOWN_NAMES]
        if method == "GET":
            answer = await self._far.get(f"{path}?{urlencode(kept)}")
        else:
            answer = await self._far.post(path, content=urlencode(kept), headers={"Content-Type": _FORM})
        return answer.status_code, json.dumps(_completed(answer.json())).encode()


def _completed(told: Any) -> Any:
    """What the emulator leaves out: how much was received."""
    if isinstance(told, list):
        return [_completed(each) for each in told]
    if not isinstance(told, dict):
        return told
    made = {name: _completed(each) for name, each in told.items()}
    if made.get("object") == "payment_intent":
        made["amount_received"] = made["amount"] if made["status"] == "succeeded" else 0
    return made
