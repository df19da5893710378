"""Asking a provider for what it told by webhooks: a delivery that never arrived is found here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from temporalio import activity
from temporalio.client import Client
from temporalio.service import RPCError

from activities.events import deliver, take_in
from activities.failures import told_to_temporal
from activities.heartbeats import beating
from activities.providers import Providers
from store import cursors
from store.database import Database

LOOKS_AT_ONCE: Final = 10
FIRST_LOOK: Final = timedelta(days=3)
"""How far a connection that was never asked is looked back at: so long do providers try to deliver."""
FORGOTTEN_LOOK: Final = timedelta(days=1)
"""How far before the last look a provider is asked that has forgotten the event which it ended with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaughtUp:
    """What a look found: events that were listed, those of them that no webhook had brought, and whether there are more."""

    listed: int
    fresh: int
    has_more: bool


class CatchingUp:
    """The activity; what it needs is given once by the worker."""

    def __init__(self, database: Database, providers: Providers, clock: Callable[[], datetime], client: Client) -> None:
        self._database = database
        self._providers = providers
        self._clock = clock
        self._client = client

    @activity.defn
    async def catch_up(self, connection_id: str) -> CaughtUp:
        """Store what the provider lists since the last look, a bounded part of it, and deliver what is new.

        The place in the list is kept with the events that lie before it, in one transaction: whoever dies begins again
        there, and what is listed twice is a repeat. An event that was stored and not delivered is the sweep's.
        """
        listed, fresh = 0, 0
        provider = self._providers.lists_events(connection_id)
        if provider is None:
            return CaughtUp(listed=0, fresh=0, has_more=False)
        async with beating(), told_to_temporal(waits_for_a_person=True):
            for _ in range(LOOKS_AT_ONCE):
                asked_at = self._clock()
                async with self._database.begin("catch_up.read") as tx:
                    known = await cursors.load(tx, connection_id)
                since = asked_at - FIRST_LOOK if known is None else known.read_at - FORGOTTEN_LOOK
                page = await provider.events_after(None if known is None else known.cursor, since=since)
                async with self._database.begin("catch_up.stored") as tx:
                    new = await take_in(tx, connection_id, page.events, at=self._clock())
                    await cursors.keep(tx, connection_id, page.cursor, read_at=asked_at)
                listed, fresh = listed + len(page.events), fresh + len(new)
                for inbox_id in new:
                    await self._deliver(inbox_id)
                if not page.has_more:
                    return CaughtUp(listed=listed, fresh=fresh, has_more=False)
        return CaughtUp(listed=listed, fresh=fresh, has_more=True)

    async def _deliver(self, inbox_id: str) -> None:
        """As a webhook's: one that cannot be delivered now is the sweep's, and stands in nobody's way."""
        try:
            await deliver(self._client, self._database, inbox_id, clock=self._clock, providers=self._providers)
        except RPCError as error:
            activity.logger.warning("event %s stays for the sweep: %s", inbox_id, error.status.name)
