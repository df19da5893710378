"""Waking the poster and the mailer after a commit: through the client, so that it costs the payment no history.

A dirty flag per worker, at most five signals a second, cleared before the call leaves. What is lost here is healed by
the sweep.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

from temporalio.client import Client
from temporalio.service import RPCError

logger = logging.getLogger(__name__)

QUEUE: Final = "duly"
_PAUSE_SECONDS: Final = 0.2
_REQUEST: Final = "apply/"
_POSTERS: Final = {"poster": "poke", "poster_at_once": "retry_now"}
"""The signal to every poster, by what was asked for."""


class Pokes:
    """Signals workflows by name, started when they are not there. `erps` are the posters: an ERP's connection → the queue of
    its calls, None where they share ours. It is read whenever they are woken: staff may connect another meanwhile.
    """

    def __init__(self, client: Client, *, erps: Mapping[str, str | None]) -> None:
        self._client = client
        self._erps = erps
        self._dirty: set[str] = set()
        self._wake = asyncio.Event()

    def poster(self) -> None:
        """A posting may wait."""
        self._dirty.add("poster")
        self._wake.set()

    def poster_at_once(self) -> None:
        """A person wants it tried now, even where an ERP was down a moment ago: that costs it one cheap read."""
        self._dirty.add("poster_at_once")
        self._wake.set()

    def mailer(self) -> None:
        """A mail may wait."""
        self._dirty.add("mailer")
        self._wake.set()

    def request(self, request_id: str) -> None:
        """The ERP has answered about a request: whoever waits for that looks at its row."""
        self._dirty.add(f"{_REQUEST}{request_id}")
        self._wake.set()

    async def run(self) -> None:
        """Send what was asked for, until cancelled."""
        while True:
            await self._wake.wait()
            dirty, self._dirty = self._dirty, set()
            self._wake.clear()
            for name in sorted(dirty):
                try:
                    await self._send(name)
                except RPCError as error:
                    logger.warning("could not wake the %s: %s", name, error.status.name)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _send(self, name: str) -> None:
        if name.startswith(_REQUEST):
            await self._client.get_workflow_handle(name).signal("hint", "posting")
        elif name in _POSTERS:
            for erp, queue in dict(self._erps).items():
                await self._client.start_workflow(
                    "PostToErp",
                    args=[erp, 0, queue],
                    id=f"post/{erp}",
                    task_queue=QUEUE,
                    start_signal=_POSTERS[name],
                )
        else:
            await self._client.start_workflow("SendMail", id="mail/outgoing", task_queue=QUEUE, start_signal="poke")
