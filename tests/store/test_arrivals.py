"""Of events that come together only those are closed that say of a payment what its row says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import pytest_asyncio

from activities.arrivals import Delivery, close_known, store_together
from connectors.payments.ports import ChargeStatus, EventSubject, ProviderEvent
from store import inbox
from store.identity import fresh_id
from tests import machine
from tests.store.money import AT, Books, books_of

CAPTURED, CHARGING = fresh_id("pay"), fresh_id("pay")
EVENTS: Final = {
    "repeats": (f"{CAPTURED}-1", "ch_1", ChargeStatus.CAPTURED),
    "returned": (f"{CAPTURED}-1", "ch_1", ChargeStatus.DISPUTED),
    "another charge": (f"{CAPTURED}-1", "ch_2", ChargeStatus.CAPTURED),
    "claims nothing": (f"{CAPTURED}-1", "ch_1", None),
    "in flight": (f"{CHARGING}-1", None, ChargeStatus.CAPTURED),
    "a stranger": ("order-7", "ch_9", ChargeStatus.CAPTURED),
    "without a reference": (None, "ch_1", ChargeStatus.CAPTURED),
    "not there": (f"{fresh_id('pay')}-1", "ch_8", ChargeStatus.CAPTURED),
}


@pytest_asyncio.fixture
async def books(database: machine.Database) -> AsyncIterator[Books]:
    async with books_of(database) as opened:
        yield opened


def event(name: str) -> ProviderEvent:
    reference, provider_id, claims = EVENTS[name]
    return ProviderEvent(
        event_id=name, dedupe_key=name, kind="charge", subject=EventSubject.CHARGE, our_ref=reference,
        provider_id=provider_id, occurred_at=AT, claims=claims, facts={"reason": name},
    )  # fmt: skip


async def test_only_what_a_payments_row_says_already_is_closed_and_once_begun_with_nothing_is(books: Books) -> None:
    customer, _ = await books.customer()
    for payment, state, reference in ((CAPTURED, "captured", "ch_1"), (CHARGING, "charging", None)):
        await books.damage(
            """INSERT INTO payments (id, customer_id, state, amount, currency, captured, connection_id, way, method_kind,
                   method_label, request_hash, run_id, channel, opened_at, changed_at, started_by, provider_ref)
               VALUES (:id, :customer, :state, 100, 'USD', CASE WHEN :state = 'captured' THEN 100 ELSE 0 END, 'sandbox',
                       'saved', 'card', 'Visa', 'h', 'r', 'portal', :at, :at, 'x', :reference)""",
            id=payment, customer=customer, state=state, reference=reference, at=AT,
        )  # fmt: skip
    one, two = (list(EVENTS)[:3], list(EVENTS)[3:])
    deliveries = [Delivery(connection_id="sandbox", events=[event(each) for each in names], at=AT) for names in (one, two)]
    async with books.store.begin("test") as tx:
        first, second = await store_together(tx, deliveries)
        again, _ = await store_together(tx, deliveries)
    assert (len(first.fresh), len(second.fresh), list(first.known)) == (3, 5, [])
    assert (list(again.fresh), [each.event_id for each in again.known]) == ([], one)
    by_id = dict(zip([*first.fresh, *second.fresh], EVENTS, strict=True))
    async with books.store.begin("test") as tx:
        kept = await inbox.load(tx, first.fresh[1])
        closed = await close_known(tx, list(by_id), at=AT)
        after = await close_known(tx, list(by_id), at=AT)
    assert kept is not None
    assert (kept.event_id, kept.our_ref, kept.claims, kept.facts) == (
        "returned",
        *EVENTS["returned"][::2],
        {"reason": "returned"},
    )
    assert [name for name, is_closed in zip(by_id.values(), closed, strict=True) if is_closed] == ["repeats"]
    assert not any(after)
    states = await books.rows("SELECT event_id, state, deliveries FROM inbox WHERE state <> 'received'")
    assert [tuple(row) for row in states] == [("repeats", "stale", 1)]
