"""Webhooks: verify the raw body, store, answer 2xx, wake. Nothing else happens in the request.

A hostile body is a 4xx and never a 500. What is stored and not woken (a crash in between) is found by the sweep.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse

from activities.arrivals import Arrived, Delivery, close_known, store_together
from activities.events import deliver, take_in
from api.gathering import Gathering
from api.security.sessions import address_of
from api.services import Services
from connectors.errors import WebhookRejected
from connectors.payments.ports import ProviderEvent, SignsWebhooks
from store import inbox, rate_limits

router: Final = APIRouter()
logger = logging.getLogger(__name__)

LARGEST_BYTES: Final = 256 * 1024
REFUSED_MOST: Final = 60
REFUSED_WINDOW: Final = timedelta(minutes=1)
"""Anybody can send what is not believed; beyond this many from one address it is turned away unwritten. What is
believed is never limited, and a provider that was answered 429 delivers again."""
_WAKE_SECONDS: Final = 5


@router.post("/webhooks/{connection_id}", include_in_schema=False)
async def receive(connection_id: str, request: Request) -> PlainTextResponse:
    """One delivery: 202 stored, 400 not believed, 404 no such connection, 413 too large, 429 too many not believed."""
    services: Services = request.app.state.services
    reader = await _reader(services, connection_id)
    if reader is None:  # not counted by its name, which a stranger chose
        return PlainTextResponse("no such connection\n", status_code=404)
    raw = await _body(request)
    if raw is None:
        services.counts.delivery(connection_id, "too_large")
        return PlainTextResponse("too large\n", status_code=413)
    at = services.clock()
    try:
        events = await _read(services, connection_id, reader, raw, request, at=at)
    except WebhookRejected as refusal:
        return await _refused(services, request, connection_id, raw, refusal.reason, at=at)
    fresh = await _stored(services, request.app.state.arrivals, Delivery(connection_id=connection_id, events=events, at=at))
    services.counts.delivery(connection_id, "stored" if fresh else "repeated")
    return PlainTextResponse("stored\n", status_code=202)


class Arrivals:
    """Deliveries that come at the same time are written together; one for each application."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.stored = Gathering(self._store)
        self.closed = Gathering(self._close)

    async def _store(self, deliveries: Sequence[Delivery]) -> Sequence[Arrived]:
        async with self._services.staff.begin("webhook.stored") as tx:
            return await store_together(tx, deliveries)

    async def _close(self, inbox_ids: Sequence[str]) -> Sequence[bool]:
        async with self._services.staff.begin("deliver.known") as tx:
            return await close_known(tx, inbox_ids, at=self._services.clock())


async def _stored(services: Services, arrivals: Arrivals, delivery: Delivery) -> Sequence[str]:
    """Everything of a delivery is committed when this returns; the inbox ids of what is new, which is being passed on. What
    is there already is counted by itself, and so is everything where it could not be written with others.
    """
    arrived = await arrivals.stored.add(delivery)
    fresh: list[str] = [] if arrived is None else [*arrived.fresh]
    known = delivery.events if arrived is None else arrived.known
    for inbox_id in fresh:
        _wake_soon(services, arrivals, inbox_id)
    if known:
        async with services.staff.begin("webhook.repeated") as tx:
            alone = await take_in(tx, delivery.connection_id, known, at=delivery.at)
        for inbox_id in alone:
            _wake_soon(services, arrivals, inbox_id)
        fresh += alone
    return fresh


async def _reader(services: Services, connection_id: str) -> SignsWebhooks | None:
    """The connection's connector; one that was made a moment ago, by another process perhaps, is looked for."""
    connected = services.connected
    if connection_id not in connected.by_connection and not await connected.refresh_soon():
        return None
    reader: object = connected.by_connection.get(connection_id)
    return reader if isinstance(reader, SignsWebhooks) else None


async def _read(
    services: Services, connection_id: str, reader: SignsWebhooks, raw: bytes, request: Request, *, at: datetime
) -> Sequence[ProviderEvent]:
    """Its events. A delivery that is not believed is read once more where the secrets may have been changed just now.

    Raises WebhookRejected.
    """
    try:
        return reader.read_webhook(raw, request.headers, now=at)
    except WebhookRejected:
        again = await _reader(services, connection_id) if await services.connected.refresh_soon() else reader
        if again is None or again is reader:
            raise
        return again.read_webhook(raw, request.headers, now=at)


async def _refused(
    services: Services, request: Request, connection_id: str, raw: bytes, reason: str, *, at: datetime
) -> PlainTextResponse:
    """Stored as refused, unless this address has sent a great many of these."""
    subject = f"webhook_refused/{connection_id}/{address_of(request)}"
    async with services.staff.begin("webhook.refused") as tx:
        wait_seconds = await rate_limits.hit(tx, subject, limit=REFUSED_MOST, window=REFUSED_WINDOW, at=at)
        if wait_seconds is None:
            digest = hashlib.sha256(raw).hexdigest()
            await inbox.refuse(tx, connection_id=connection_id, digest=digest, reason=reason, at=at)
    services.counts.delivery(connection_id, "refused" if wait_seconds is None else "limited")
    if wait_seconds is not None:
        return PlainTextResponse("too many refused\n", status_code=429, headers={"Retry-After": str(wait_seconds)})
    return PlainTextResponse(f"refused: {reason}\n", status_code=400)


async def _body(request: Request) -> bytes | None:
    """The raw body, or None as soon as it is longer than any real delivery."""
    parts: list[bytes] = []
    length = 0
    async for part in request.stream():
        length += len(part)
        if length > LARGEST_BYTES:
            return None
        parts.append(part)
    return b"".join(parts)


_waking: set[asyncio.Task[None]] = set()


def _wake_soon(services: Services, arrivals: Arrivals, inbox_id: str) -> None:
    """Beside the answer: the sender does not wait for Temporal, and a Temporal that is away loses nothing."""
    task = asyncio.create_task(_wake(services, arrivals, inbox_id))
    _waking.add(task)
    task.add_done_callback(_waking.discard)


async def _wake(services: Services, arrivals: Arrivals, inbox_id: str) -> None:
    try:
        async with asyncio.timeout(_WAKE_SECONDS):
            if await arrivals.closed.add(inbox_id):
                return
            providers = services.connected.providers
            await deliver(services.processes.client, services.staff, inbox_id, clock=services.clock, providers=providers)
    except Exception as error:  # whatever it was, the row says 'received' and the sweep delivers it
        logger.warning("event %s will be delivered by the sweep: %s", inbox_id, type(error).__name__)
