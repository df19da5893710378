"""Signing and sending: each delivery is tried until somebody answers 2xx, with pauses that grow, in real time."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from typing import Final

import httpx

from simulators.sandbox_provider.clock import wall_ms
from simulators.sandbox_provider.settings import Knobs
from simulators.sandbox_provider.storage import Row, Storage

SIGNATURE_HEADER: Final = "X-Sandbox-Signature"
_PAUSES_MS: Final = (200, 1_000, 5_000, 15_000, 60_000, 300_000)
_ATTEMPTS: Final = 60
_AT_ONCE: Final = 8
_IDLE_SECONDS: Final = 1
_WRONG_SECRET: Final = "this-is-not-the-secret-you-know"  # noqa: S105 - what a forged delivery is signed with

log = logging.getLogger(__name__)


def signature(body: bytes, *, secrets: tuple[str, ...], at_seconds: int) -> str:
    """The header's value: 't=…,v1=…' with one v1 for each secret, over 't.body'."""
    signed = str(at_seconds).encode() + b"." + body
    marks = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets]
    return ",".join([f"t={at_seconds}", *(f"v1={mark}" for mark in marks)])


class Sender:
    """Sends what is due. `wake` when something became due; `run` until cancelled."""

    def __init__(self, storage: Storage, knobs: Knobs, secrets: tuple[str, ...]) -> None:
        self._storage = storage
        self._knobs = knobs
        self._secrets = secrets
        self._woken = asyncio.Event()
        self._sending: set[int] = set()

    def wake(self) -> None:
        """Something may be due."""
        self._woken.set()

    async def run(self) -> None:
        """Send for ever."""
        async with httpx.AsyncClient(timeout=10, follow_redirects=False, trust_env=False) as client:
            tasks: set[asyncio.Task[None]] = set()
            try:
                while True:
                    self._woken.clear()
                    for delivery in self._due(_AT_ONCE - len(tasks)):
                        self._sending.add(delivery["id"])
                        task = asyncio.create_task(self._send(client, delivery))
                        tasks.add(task)
                        task.add_done_callback(tasks.discard)
                    await self._pause()
            finally:
                for task in tasks:
                    task.cancel()

    def _due(self, limit: int) -> list[Row]:
        if self._knobs.webhook_url is None or limit <= 0:
            return []
        rows = self._storage.all(
            "SELECT d.*, e.body FROM deliveries d JOIN events e ON e.id = d.event_id "
            "WHERE d.state = 'queued' AND d.due_ms <= ? ORDER BY d.due_ms, d.id LIMIT ?",
            wall_ms(),
            limit + len(self._sending),
        )
        return [row for row in rows if row["id"] not in self._sending][:limit]

    async def _pause(self) -> None:
        """Until woken, or until the next delivery is due."""
        row = self._storage.one(
            "SELECT due_ms FROM deliveries WHERE state = 'queued' AND due_ms > ? ORDER BY due_ms LIMIT 1", wall_ms()
        )
        wait_ms = _IDLE_SECONDS * 1000
        if row is not None:
            wait_ms = max(1, min(wait_ms, row["due_ms"] - wall_ms()))
        try:
            async with asyncio.timeout(wait_ms / 1000):
                await self._woken.wait()
        except TimeoutError:
            return

    async def _send(self, client: httpx.AsyncClient, delivery: Row) -> None:
        status = 0
        try:
            body = str(delivery["body"]).encode()
            at_seconds = wall_ms() // 1000 + self._storage.number("webhook_skew_seconds", 0)
            secrets = (_WRONG_SECRET,) if delivery["bad_signature"] else self._secrets
            headers = {
                SIGNATURE_HEADER: signature(body, secrets=secrets, at_seconds=at_seconds),
                "Content-Type": "application/json",
                "User-Agent": "sandbox-provider",
            }
            answer = await client.post(self._knobs.webhook_url or "", content=body, headers=headers)
            status = answer.status_code
        except (httpx.HTTPError, httpx.InvalidURL) as failure:
            log.info("delivery %s failed: %s", delivery["id"], type(failure).__name__)
        finally:
            self._sending.discard(delivery["id"])
        self._settle(delivery, status)
        self.wake()

    def _settle(self, delivery: Row, status: int) -> None:
        attempts = delivery["attempts"] + 1
        if 200 <= status < 300:
            state = "delivered"
        elif attempts >= _ATTEMPTS or delivery["bad_signature"]:
            state = "given_up"  # a forged one is sent once; its genuine twin follows
        else:
            state = "queued"
        pause_ms = _PAUSES_MS[min(attempts, len(_PAUSES_MS)) - 1]
        self._storage.run(
            "UPDATE deliveries SET state = ?, attempts = ?, last_status = ?, due_ms = ? WHERE id = ?",
            state,
            attempts,
            status,
            wall_ms() + pause_ms,
            delivery["id"],
        )
