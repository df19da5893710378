"""All invariants, one after the other: the books by themselves, then with the provider, the ERP and Temporal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from temporalio.client import Client

from connectors.payments.ports import PaymentProvider
from launch.checking.charges import charged_once
from launch.checking.ledger import Ledger, balances_agree, documented_once
from launch.checking.processes import processes_running
from launch.checking.refunds import refunded_once
from launch.checking.tally import Advance, nobody_watches
from store import checks, far_checks
from store.checks import Finding, Horizons
from store.database import Database

SETTLES_WITHIN: Final = timedelta(seconds=20)
"""Far sides are read at other moments than the books: what is only late looks right once the next sync came by."""

Watch = Callable[[str, int | None], Advance]
"""Told what is looked at now and, where it is known, how many there are."""


def unwatched(_title: str, _total: int | None) -> Advance:
    """Nobody looks on."""
    return nobody_watches


@dataclass(frozen=True, slots=True, kw_only=True)
class FarSides:
    """Who can be asked. `problems` says why somebody cannot, by the invariant that needs them."""

    providers: Mapping[str, PaymentProvider]
    erps: Mapping[str, Ledger]
    client: Client | None
    problems: Mapping[str, str] = field(default_factory=dict)


async def check(
    database: Database,
    far: FarSides,
    *,
    at: datetime,
    horizons: Horizons,
    most: int = 5,
    settles_within: timedelta = SETTLES_WITHIN,
    watch: Watch = unwatched,
) -> Sequence[Finding]:
    """A finding for each invariant, in one order always. Where a far side disagrees it is asked once more, later."""
    found: list[Finding] = []
    for invariant in checks.INVARIANTS:
        watch(invariant.says, None)
        async with database.begin(f"check.{invariant.name}") as tx:
            found.append(await checks.look(tx, invariant, at=at, horizons=horizons, most=most))
    async with database.begin("check.totals") as tx:
        totals = await far_checks.totals(tx)
    looks = _looks(database, far, at=at, horizons=horizons, most=most, totals=totals, watch=watch)
    outside = [await look() for look in looks]
    if any(finding.count for finding in outside) and settles_within > timedelta(0):
        watch("Far sides differ: looking again after the next sync", None)
        await asyncio.sleep(settles_within.total_seconds())
        pairs = zip(looks, outside, strict=True)
        outside = [await look() if finding.count else finding for look, finding in pairs]
    return [*found, *outside]


def _looks(
    database: Database,
    far: FarSides,
    *,
    at: datetime,
    horizons: Horizons,
    most: int,
    totals: Mapping[str, int],
    watch: Watch,
) -> Sequence[Callable[[], Awaitable[Finding]]]:
    async def charges() -> Finding:
        advance = watch("Counting charges at the provider", totals["payments"])
        return await charged_once(database, far.providers, most=most, advance=advance)

    async def refunds() -> Finding:
        advance = watch("Counting refunds at the provider", totals["refunds"])
        return await refunded_once(database, far.providers, most=most, advance=advance)

    async def documents() -> Finding:
        if not far.erps or "documented_once" in far.problems:
            return _unasked("documented_once", far)
        advance = watch("Finding documents in the ERP", totals["postings"])
        return await documented_once(database, far.erps, most=most, advance=advance)

    async def open_there() -> Finding:
        if not far.erps or "balances_agree" in far.problems:
            return _unasked("balances_agree", far)
        advance = watch("Comparing balances with the ERP", totals["invoices"])
        return await balances_agree(database, far.erps, most=most, advance=advance)

    async def running() -> Finding:
        if far.client is None:
            return _unasked("processes_running", far)
        watch("Asking Temporal who is running", None)
        return await processes_running(database, far.client, at=at, horizons=horizons, most=most)

    return [charges, refunds, documents, open_there, running]


def _unasked(name: str, far: FarSides) -> Finding:
    return Finding(name=name, says="It could not be looked at.", problem=far.problems.get(name, "nobody is connected"))
