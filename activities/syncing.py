"""Reading the ERP: pages of customers, invoices and credits, each stored with its cursor in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from temporalio import activity

from activities.erps import erp_of
from activities.failures import told_to_temporal
from activities.heartbeats import beating
from connectors.erp.ports import LedgerErp
from store import connections, erp_credits, snapshots
from store.database import Database

PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """How much was read, and whether more waits."""

    customers: int
    invoices: int
    more: bool
    credits: int = 0  # runs that were recorded before these were read answer without them


class Syncing:
    """The activities of one ERP connection. `erps` are the connectors by connection, which may be built anew meanwhile."""

    def __init__(
        self, database: Database, erps: Mapping[str, LedgerErp], clock: Callable[[], datetime], *, connection_id: str
    ) -> None:
        self._database = database
        self._erps = erps
        self._clock = clock
        self._connection_id = connection_id

    @activity.defn
    async def sync_pages(self, pages: int) -> Synced:
        """Read up to so many pages of each, customers before invoices before credits. A kill loses at most the page in
        hand.
        """
        async with beating(), told_to_temporal():
            async with self._database.begin("sync.enabled") as tx:
                if not await connections.is_enabled(tx, self._connection_id):
                    return Synced(customers=0, invoices=0, more=False)
            customers, more_customers = await self._customers(pages)
            if more_customers:
                return Synced(customers=customers, invoices=0, more=True)
            invoices, more = await self._invoices(pages)
            if more:
                return Synced(customers=customers, invoices=invoices, more=True)
            read, more = await self._credits(pages)
            return Synced(customers=customers, invoices=invoices, more=more, credits=read)

    @property
    def _erp(self) -> LedgerErp:
        return erp_of(self._erps, self._connection_id)

    async def _customers(self, pages: int) -> tuple[int, bool]:
        count = 0
        for _ in range(pages):
            async with self._database.begin("sync.customers.cursor") as tx:
                cursor = await snapshots.cursor(tx, self._connection_id, "customers")
            page = await self._erp.customers_since(cursor, limit=PAGE)
            async with self._database.begin("sync.customers.take") as tx:
                await snapshots.take_customers(tx, page.rows, connection_id=self._connection_id, at=self._clock())
                await snapshots.advance(
                    tx, self._connection_id, "customers", cursor=page.cursor, rows=len(page.rows), at=self._clock()
                )
            count += len(page.rows)
            if not page.more:
                return count, False
        return count, True

    async def _invoices(self, pages: int) -> tuple[int, bool]:
        count = 0
        for _ in range(pages):
            # The sequence number is drawn and committed before the request leaves: what is confirmed later than this
            # cannot be in the answer.
            async with self._database.begin("sync.invoices.cursor") as tx:
                cursor = await snapshots.cursor(tx, self._connection_id, "invoices")
                read_seq = await snapshots.next_seq(tx)
            page = await self._erp.invoices_since(cursor, limit=PAGE)
            async with self._database.begin("sync.invoices.customers") as tx:
                strangers = await snapshots.unknown_customers(tx, page.rows, connection_id=self._connection_id)
            if strangers:
                await self._customers(pages)
                async with self._database.begin("sync.invoices.customers") as tx:
                    strangers = await snapshots.unknown_customers(tx, page.rows, connection_id=self._connection_id)
            if strangers:
                # Not taken, and the cursor stays: the next run finds the customer, and nothing was left out.
                return count, False
            async with self._database.begin("sync.invoices.take") as tx:
                await snapshots.take(tx, page.rows, read_seq, connection_id=self._connection_id, at=self._clock())
                await snapshots.advance(
                    tx, self._connection_id, "invoices", cursor=page.cursor, rows=len(page.rows), at=self._clock()
                )
            count += len(page.rows)
            if not page.more:
                return count, False
        return count, True

    async def _credits(self, pages: int) -> tuple[int, bool]:
        count = 0
        for _ in range(pages):
            async with self._database.begin("sync.credits.cursor") as tx:
                cursor = await snapshots.cursor(tx, self._connection_id, "credits")
                read_seq = await snapshots.next_seq(tx)
            page = await self._erp.credits_since(cursor, limit=PAGE)
            async with self._database.begin("sync.credits.customers") as tx:
                owners = [each.customer_erp_id for each in page.rows]
                known = await snapshots.known_customers(tx, owners, connection_id=self._connection_id)
            if known < set(owners):
                # As with invoices: the customer was made after the customers were read, and the next run finds it.
                return count, False
            async with self._database.begin("sync.credits.take") as tx:
                await erp_credits.take(tx, page.rows, read_seq, connection_id=self._connection_id, at=self._clock())
                await snapshots.advance(
                    tx, self._connection_id, "credits", cursor=page.cursor, rows=len(page.rows), at=self._clock()
                )
            count += len(page.rows)
            if not page.more:
                return count, False
        return count, True
