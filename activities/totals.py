"""The ERP's own sums beside ours: a customer's that differs is read again, and what still differs is kept.

Rows that a cursor missed are found by nothing else: no later read brings them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from connectors.erp.ports import LedgerErp, ReadsControlTotals, ReadsOpenTotals, ReadsPayments
from domain.differences import DifferenceKind
from domain.money import Money
from store import control_totals, differences, snapshots, streams
from store.control_totals import Key, Owed
from store.database import Database
from store.differences import Found

PAGE: Final = 500
CUSTOMERS_MOST: Final = 200
"""Of so many customers whose sums differ the invoices are read again one by one; more is no slip of a cursor's."""

Gaps = Mapping[Key, tuple[Owed, Owed]]
"""What differs: theirs, ours."""
_NOTHING: Final = Owed(0, 0)


class ControlTotals:
    """Compares with one ERP at a time. Raises ConnectorError."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def compare(self, erp: LedgerErp, connection_id: str) -> int:
        """How many sums differ after what was missed was read again. 0 where the ERP tells none."""
        if not isinstance(erp, ReadsOpenTotals):
            return 0
        gaps = await self._gaps(erp, connection_id)
        if gaps:
            await self._read_again(erp, connection_id, sorted({customer for customer, _ in gaps})[:CUSTOMERS_MOST])
            gaps = await self._gaps(erp, connection_id)
        found = await self._keep_customers(connection_id, gaps)
        # Only where documents agree does the ledger say something else.
        if not gaps and isinstance(erp, ReadsPayments) and isinstance(erp, ReadsControlTotals):
            found += await self._keep_ledger(erp, connection_id)
        return found

    async def _gaps(self, erp: ReadsOpenTotals, connection_id: str) -> Gaps:
        theirs: dict[Key, Owed] = {}
        async with self._database.begin("totals.before") as tx:
            before = await control_totals.owed(tx, connection_id)
        cursor, more = "", True
        while more:
            page = await erp.open_totals(cursor, limit=PAGE)
            theirs |= {(each.customer_erp_id, each.open.currency): Owed(each.count, each.open.minor) for each in page.rows}
            cursor, more = page.cursor, page.more
        async with self._database.begin("totals.after") as tx:
            after = await control_totals.owed(tx, connection_id)
        # What was read in between would look like a difference: only what stood still is judged.
        return {
            key: (theirs.get(key, _NOTHING), after.get(key, _NOTHING))
            for key in theirs.keys() | after.keys()
            if theirs.get(key, _NOTHING) != after.get(key, _NOTHING)
            and before.get(key, _NOTHING) == after.get(key, _NOTHING)
        }

    async def _read_again(self, erp: LedgerErp, connection_id: str, customers: list[str]) -> None:
        for customer in customers:
            async with self._database.begin("totals.sequence") as tx:
                invoices = await control_totals.invoices_of(tx, connection_id, customer)
                read_seq = await snapshots.next_seq(tx)
            rows = await erp.invoices_by_id(invoices) if invoices else ()
            async with self._database.begin("totals.take") as tx:
                await snapshots.take(tx, rows, read_seq, connection_id=connection_id, at=self._clock())

    async def _keep_customers(self, connection_id: str, gaps: Gaps) -> int:
        kind = DifferenceKind.CUSTOMER_TOTAL
        async with self._database.begin("totals.customers") as tx:
            names = await control_totals.ours(tx, connection_id, [customer for customer, _ in gaps])
            found = [
                Found(
                    kind=kind,
                    item=f"{connection_id}/{customer}/{currency}",
                    amount=Money.of(theirs.open - ours.open, currency),
                    customer_id=names.get(customer),
                    facts={"there": _told(theirs, currency), "here": _told(ours, currency)},
                )
                for (customer, currency), (theirs, ours) in sorted(gaps.items())
            ]
            new = await differences.keep(tx, found, connection_id=connection_id, at=self._clock())
            if new:
                # A row that was never told cannot be asked for by its id: everything is read again, once. What says
                # nothing new is not written, so that this costs the reading.
                await streams.rewind(tx, connection_id, "invoices")
            looked_at = await control_totals.still_open(tx, connection_id, kind)
            await differences.agree(tx, looked_at, [kind], found, at=self._clock())
        return len(found)

    async def _keep_ledger(self, erp: ReadsControlTotals, connection_id: str) -> int:
        kind = DifferenceKind.LEDGER_TOTAL
        async with self._database.begin("totals.documents") as tx:
            before = await control_totals.receivables(tx, connection_id)
        ledger: dict[str, int] = {each.currency: each.minor for each in await erp.receivable_balances()}
        async with self._database.begin("totals.ledger") as tx:
            after = await control_totals.receivables(tx, connection_id)
            found = [
                Found(
                    kind=kind,
                    item=f"{connection_id}/{currency}",
                    amount=Money.of(ledger.get(currency, 0) - after.get(currency, 0), currency),
                    facts={
                        "ledger": f"{Money.of(ledger.get(currency, 0), currency).plain()} {currency}",
                        "documents": f"{Money.of(after.get(currency, 0), currency).plain()} {currency}",
                    },
                )
                for currency in sorted(ledger.keys() | after.keys())
                if ledger.get(currency, 0) != after.get(currency, 0) and before.get(currency, 0) == after.get(currency, 0)
            ]
            await differences.keep(tx, found, connection_id=connection_id, at=self._clock())
            looked_at = await control_totals.still_open(tx, connection_id, kind)
            await differences.agree(tx, looked_at, [kind], found, at=self._clock())
        return len(found)


def _told(owed: Owed, currency: str) -> str:
    return f"{owed.invoices} open, {Money.of(owed.open, currency).plain()} {currency}"
