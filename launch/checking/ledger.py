"""Comparing with the ERP: the documents that we say it has, and what it says is open."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Protocol

from activities.several import of_each
from connectors.erp.ports import ErpInvoice, OnlyTakesDown, PostsPayments, ReadsReceivables
from connectors.errors import ConnectorError
from domain.ids import owner_of
from launch.checking.tally import PAGE, Advance, Tally, listed, nobody_watches
from store import far_checks
from store.checks import Finding
from store.database import Database
from store.far_checks import Balance, Confirmed


class Ledger(PostsPayments, ReadsReceivables, Protocol):
    """An ERP as it is compared with."""


async def documented_once(
    database: Database, erps: Mapping[str, Ledger], *, most: int = 5, advance: Advance = nobody_watches
) -> Finding:
    """Each confirmed posting has one standing document of its amount in the ERP, found by its reference."""
    tally = Tally(
        name="documented_once",
        says="The ERP has one document of each confirmed posting, found by our reference, or a difference says why not.",
        most=most,
    )

    try:
        for connection_id, erp in erps.items():
            await _count_documents(database, connection_id, erp, tally, advance)
    except ConnectorError as error:
        return tally.finding(problem=str(error))
    return tally.finding()


async def _count_documents(database: Database, connection_id: str, erp: Ledger, tally: Tally, advance: Advance) -> None:
    async def ask(posting: Confirmed) -> None:
        found = [each for each in await erp.find_document(posting.id) if each.reference == posting.id]
        standing = [each for each in found if each.stands or posting.is_taken_back]
        is_right = len(standing) == 1 and standing[0].amount == posting.amount
        if not is_right and not (posting.is_told and len(standing) <= 1):
            shown = listed(f"{each.number} ({each.amount.plain()})" for each in standing)
            tally.blame(posting.id, f"one document of {posting.amount.plain()} expected; the ERP shows {shown}")

    after = ""
    while True:
        async with database.begin("check.confirmed") as tx:
            page = await far_checks.confirmed(tx, connection_id, after=after, limit=PAGE)
        await of_each(page, ask)
        tally.looked_at += len(page)
        advance(len(page))
        if len(page) < PAGE:
            return
        after = page[-1].id


async def balances_agree(
    database: Database, erps: Mapping[str, Ledger], *, most: int = 5, advance: Advance = nobody_watches
) -> Finding:
    """What is open here is what is open there, but for our own money that is still on its way."""
    tally = Tally(
        name="balances_agree",
        says="What is open here is open in the ERP, but for postings on their way and differences that say so to the cent.",
        most=most,
    )
    try:
        for connection_id, erp in erps.items():
            if isinstance(erp, OnlyTakesDown):
                continue
            await _compare_all(database, connection_id, erp, tally, advance)
    except ConnectorError as error:
        return tally.finding(problem=str(error))
    return tally.finding()


async def _compare_all(database: Database, connection_id: str, erp: Ledger, tally: Tally, advance: Advance) -> None:
    shown: set[str] = set()
    cursor, more = "", True
    while more:
        page = await erp.invoices_since(cursor, limit=PAGE)
        cursor, more = page.cursor, page.more
        shown |= {each.erp_id for each in page.rows}
        await _compare(database, connection_id, page.rows, tally)
        advance(len(page.rows))
    await _missing_there(database, erp, connection_id, shown, tally)


async def _compare(database: Database, connection_id: str, rows: Sequence[ErpInvoice], tally: Tally) -> None:
    async with database.begin("check.balances") as tx:
        ours = await far_checks.balances(tx, connection_id, [each.erp_id for each in rows])
    for row in rows:
        tally.looked_at += 1
        balance = ours.get(row.erp_id)
        if row.deleted:
            continue
        if balance is None:
            tally.blame(row.erp_id, f"{row.number} is in the ERP and was never read")
            continue
        gap = _unexplained(row, balance)
        if gap:
            there = row.total.minor - row.settled.minor
            tally.blame(balance.id, f"{row.number}: {balance.open} open here, {there} in the ERP, {gap} unexplained")


def _unexplained(row: ErpInvoice, balance: Balance) -> int:
    """Minor units between the two that neither money on its way nor an open difference explains."""
    seen: Mapping[str, int] = _seen(row)
    on_its_way = sum(net - seen.get(payment_id, 0) for payment_id, net in balance.under_way.items())
    gap = row.total.minor - row.settled.minor - on_its_way - balance.open
    return 0 if abs(gap) in balance.told else gap


def _seen(row: ErpInvoice) -> Mapping[str, int]:
    seen: dict[str, int] = defaultdict(int)
    for settlement in row.settlements:
        owner = owner_of(settlement.reference, "pay") if settlement.reference is not None else None
        if owner is not None:
            seen[owner] += settlement.amount.minor
    return seen


async def _missing_there(database: Database, erp: Ledger, connection_id: str, shown: set[str], tally: Tally) -> None:
    """Invoices that we show and the ERP's list does not: asked for by id, for it may be younger than the list."""
    after = ""
    while True:
        async with database.begin("check.invoices") as tx:
            page = await far_checks.invoices_of(tx, connection_id, after=after, limit=PAGE)
        absent = {erp_id: ours for erp_id, ours in page if erp_id not in shown}
        found = {each.erp_id for each in await erp.invoices_by_id(list(absent))} if absent else set()
        for erp_id, ours in absent.items():
            if erp_id not in found:
                tally.blame(ours, f"{erp_id} is shown here and the ERP does not have it")
        if len(page) < PAGE:
            return
        after = page[-1][0]
