"""Reading the ERP: each stream by pages, one after the other, each batch stored with its cursor in one transaction."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from temporalio import activity

from activities.erps import erp_of
from activities.failures import told_to_temporal
from activities.heartbeats import beating
from activities.reading import CUSTOMERS, Stream, Taking, streams_of
from connectors.erp.ports import LedgerErp
from connectors.errors import ConnectorError, Misconfigured, Rejected, Throttled
from store import connections, snapshots, streams
from store.database import Database

PAGE: Final = 500
LOAD_PAGES: Final = 10
"""How many pages of a first load are one batch: what a kill costs at most."""

READ_FOR_SECONDS: Final = 120
"""After so long nothing more is asked for: an ERP that answers slowly must not cost the activity its time, and with that the
batch in hand.
"""

_AT_ONCE: Final = 2
"""So many failures of a stream in a row are not waited for: a hiccup is over by the next try."""
_PAUSE: Final = timedelta(seconds=15)
_PAUSE_MAX: Final = timedelta(seconds=30)
_PAUSE_FOR_A_PERSON: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """How much was read, and whether more waits."""

    customers: int
    invoices: int
    more: bool
    credits: int = 0  # runs that were recorded before these were read answer without them
    others: int = 0  # payment documents, quotes, templates


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """Pages that are stored together: rows, where the next one begins, whether more waits, of how many."""

    rows: tuple[Any, ...]
    cursor: str
    more: bool
    total: int | None


class Syncing:
    """The activities of one ERP connection. `erps` are the connectors by connection, which may be built anew meanwhile."""

    def __init__(
        self,
        database: Database,
        erps: Mapping[str, LedgerErp],
        clock: Callable[[], datetime],
        *,
        connection_id: str,
        read_for_seconds: int = READ_FOR_SECONDS,
    ) -> None:
        self._database = database
        self._erps = erps
        self._clock = clock
        self._connection_id = connection_id
        self._read_for_seconds = read_for_seconds

    @activity.defn
    async def sync_pages(self, pages: int) -> Synced:
        """Read up to so many pages of each stream, the next one where nothing of the one before waits. A kill loses at most
        the batch in hand.

        A stream that fails is written down and tried again later; the others are read, unless the ERP does not answer at
        all. Then the first failure is the activity's.
        """
        async with beating(), told_to_temporal():
            async with self._database.begin("sync.enabled") as tx:
                if not await connections.is_enabled(tx, self._connection_id):
                    return Synced(customers=0, invoices=0, more=False)
            until_seconds = time.monotonic() + self._read_for_seconds
            read: dict[str, int] = {}
            failure: ConnectorError | None = None
            more = False
            for stream in await self._streams():
                try:
                    read[stream.name], more = await self._read(stream, pages, until_seconds)
                except ConnectorError as error:
                    failure = failure or error
                    await self._note(stream.name, error)
                    if await self._is_away(error):
                        break
                if more:
                    break
            if failure is not None and not more:
                raise failure
            return _synced(read, more=more)

    async def _streams(self) -> list[Stream[Any]]:
        try:
            return streams_of(self._erp)
        except Misconfigured as error:
            await self._note(CUSTOMERS, error)
            raise

    @property
    def _erp(self) -> LedgerErp:
        return erp_of(self._erps, self._connection_id)

    async def _read(self, stream: Stream[Any], pages: int, until_seconds: float) -> tuple[int, bool]:
        """(rows, whether more waits) of one stream. Raises ConnectorError; what was stored until then stays."""
        count = 0
        while pages > 0:
            # The sequence number is drawn and committed before the request leaves: what is confirmed later than this
            # cannot be in the answer.
            async with self._database.begin("sync.page.cursor") as tx:
                at = await streams.start(tx, self._connection_id, stream.name, at=self._clock())
                read_seq = await snapshots.next_seq(tx)
            if at is None:
                return count, False
            most = 1 if at.is_loaded else min(pages, LOAD_PAGES)
            batch, asked = await self._batch(stream, at.cursor, most, until_seconds)
            pages -= asked
            if not await self._owners_are_there(stream, batch, until_seconds):
                # Not taken, and the cursor stays: the next run finds the customer, and nothing was left out.
                return count, False
            async with self._database.begin("sync.page.take") as tx:
                now = self._clock()
                to = Taking(tx=tx, read_seq=read_seq, connection_id=self._connection_id, at=now)
                await stream.take(to, batch.rows)
                await streams.advance(
                    tx,
                    self._connection_id,
                    stream.name,
                    cursor=batch.cursor,
                    rows=len(batch.rows),
                    at=now,
                    ended_at_seq=None if batch.more else read_seq,
                )
                if batch.total is not None and not at.is_loaded:
                    await streams.expect(tx, self._connection_id, stream.name, batch.total)
            count += len(batch.rows)
            if not batch.more:
                return count, False
            if time.monotonic() >= until_seconds:
                break
        return count, True

    async def _batch(self, stream: Stream[Any], cursor: str, pages: int, until_seconds: float) -> tuple[_Batch, int]:
        """Up to so many pages, and how many were asked for. What was read before a failure is kept: the failing page comes
        again, alone, and then its failure is told.
        """
        rows: list[Any] = []
        total: int | None = None
        for asked in range(1, pages + 1):
            try:
                page = await stream.since(cursor, limit=PAGE)
            except ConnectorError:
                if asked == 1:
                    raise
                return _Batch(rows=tuple(rows), cursor=cursor, more=True, total=total), asked
            rows.extend(page.rows)
            cursor, total = page.cursor, page.total
            if not page.more or time.monotonic() >= until_seconds:
                return _Batch(rows=tuple(rows), cursor=cursor, more=page.more, total=total), asked
        return _Batch(rows=tuple(rows), cursor=cursor, more=True, total=total), pages

    async def _owners_are_there(self, stream: Stream[Any], batch: _Batch, until_seconds: float) -> bool:
        """Whether every row's customer was taken in; one that was made after the customers were read is read first."""
        owners = stream.owners(batch.rows)
        if await self._known(owners):
            return True
        customers = next(each for each in streams_of(self._erp) if each.name == CUSTOMERS)
        await self._read(customers, LOAD_PAGES, until_seconds)
        return await self._known(owners)

    async def _known(self, owners: list[str]) -> bool:
        if not owners:
            return True
        async with self._database.begin("sync.page.owners") as tx:
            known = await snapshots.known_customers(tx, owners, connection_id=self._connection_id)
        return len(known) == len(owners)

    async def _note(self, name: str, error: ConnectorError) -> None:
        """Staff see what went wrong, and when it is tried again."""
        async with self._database.begin("sync.page.failed") as tx:
            at = self._clock()
            failures = await streams.failures(tx, self._connection_id, name) + 1
            await streams.fail(
                tx, self._connection_id, name, error=str(error)[:500], at=at, next_try_at=at + _pause(error, failures)
            )

    async def _is_away(self, error: ConnectorError) -> bool:
        """Whether the others need not be asked: it wants to be left alone, or does not even answer a ping."""
        if isinstance(error, Rejected):
            return False
        if isinstance(error, Throttled):
            return True
        try:
            await self._erp.ping()
        except ConnectorError:
            return True
        return False


def _pause(error: ConnectorError, failures: int) -> timedelta:
    """How long a stream is left alone after it failed so often in a row."""
    if isinstance(error, Throttled):
        return timedelta(seconds=error.retry_after_seconds)
    if failures <= _AT_ONCE:
        return timedelta(0)
    if isinstance(error, Rejected | Misconfigured):
        return _PAUSE_FOR_A_PERSON
    return min(_PAUSE * (failures - _AT_ONCE), _PAUSE_MAX)


def _synced(read: Mapping[str, int], *, more: bool) -> Synced:
    named = {name: read.get(name, 0) for name in (CUSTOMERS, "invoices", "credits")}
    return Synced(**named, more=more, others=sum(read.values()) - sum(named.values()))
