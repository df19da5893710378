"""Providers' events that arrive together: stored by one statement, and closed by another where they tell what is booked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from activities.events import process_of, repeats
from connectors.payments.ports import ProviderEvent
from store import inbox, payments
from store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The events of one verified delivery."""

    connection_id: str
    events: Sequence[ProviderEvent]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """What became of a delivery: inbox ids of events that are new, and the events that were there before, which are still to
    be counted (`activities.events.take_in`).
    """

    fresh: Sequence[str]
    known: Sequence[ProviderEvent]


async def store_together(tx: Transaction, deliveries: Sequence[Delivery]) -> list[Arrived]:
    """Store what is new of several deliveries; for each, in their order, what became of it.

    What is there already is not touched here: whoever holds its row would keep all the others waiting.
    """
    rows = [[inbox.row_of(each.connection_id, event, at=each.at) for event in each.events] for each in deliveries]
    added = await inbox.add(tx, [row for each in rows for row in each])
    return [
        Arrived(
            fresh=[row["id"] for row in own if row["id"] in added],
            known=[event for row, event in zip(own, each.events, strict=True) if row["id"] not in added],
        )
        for own, each in zip(rows, deliveries, strict=True)
    ]


async def close_known(tx: Transaction, inbox_ids: Sequence[str], *, at: datetime) -> list[bool]:
    """Close those that repeat what a payment's row says already, which are most; for each whether it was closed."""
    events = await inbox.received(tx, inbox_ids)
    processes = {each.id: process_of(each.our_ref) for each in events}
    rows = await payments.standings(tx, sorted({each for each in processes.values() if each is not None}))
    stale = [each.id for each in events if repeats(each, rows.get(processes[each.id] or ""))]
    if stale:
        await inbox.close_received(tx, stale, "stale", at=at)
    closed = set(stale)
    return [each in closed for each in inbox_ids]
