"""Every order of five events, each of them twice, each of them lost: one end in the books, whatever way it was told.

The end is the far side's: the payment's state, what lies on its invoice, the journal, the postings towards the ERP and the
mail to its customer. `make test` plays a part of the orders, `make test-long` all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any, Final

import pytest

from activities.catching_up import CaughtUp
from tests import machine
from tests.connectors.adyen.harness import AdyenHarness
from tests.connectors.gocardless.harness import GoCardlessHarness
from tests.connectors.stripe.harness import StripeHarness
from tests.naive import hubs
from tests.telling.conftest import TimedSandbox
from tests.telling.ground import Ground, ground_of
from tests.telling.streams import EVENTS, OfAdyen, OfAdyenWon, OfGoCardless, OfSandbox, OfStripe, Stream

Order = tuple[int, ...]

ALL: Final[Sequence[Order]] = tuple(permutations(range(EVENTS)))
ONE_LOST: Final[Sequence[Order]] = tuple(
    order for lost in range(EVENTS) for order in permutations(each for each in range(EVENTS) if each != lost)
)
"""All orders with each event lost: where in the order it would have come makes no difference."""
EVERY: Final[Sequence[Order]] = (*ALL, *ONE_LOST, ())
SOME: Final[Sequence[Order]] = (*EVERY[::48], ())
FEW: Final[Sequence[Order]] = tuple(EVERY[each] for each in (0, 70, 140, 230, -1))
"""As it went; the last words before the first; the first one lost; the last one lost; nothing told."""
CAME_BACK: Final = {
    "payment": ("returned", 10_000, 10_000),
    "allocated": 0,
    "invoice": (10_000, 0),
    "postings": [("payment", 10_000), ("reversal", 10_000)],
    "journal": {"clearing": 0, "receivable": 0},
    "entries": ["captured", "returned"],
    "mails": ["payment_returned", "receipt"],
}

PAID: Final = {
    "payment": ("settled", 10_000, 0),
    "allocated": 10_000,
    "invoice": (0, 0),
    "postings": [("payment", 10_000)],
    "journal": {"clearing": 10_000, "receivable": -10_000},
    "entries": ["captured"],
    "mails": ["receipt"],
}


async def one_end(ground: Ground, stream: Stream[Any], orders: Sequence[Order]) -> None:
    """Carry what is told of as many payments to the door, each in an order of its own and then backwards once more; what
    was lost is found by the look at the far side's list.
    """
    await ground.catch_up()
    played = list((await stream.play(len(orders))).values())
    for order, (_, events) in zip(orders, played, strict=True):
        for place in (*order, *reversed(order)):
            await ground.receive(events[place])
    carried = await deliveries(ground)
    while (await ground.catch_up()).has_more:
        pass
    listed = await deliveries(ground)
    for order, (paid, events) in zip(orders, played, strict=True):
        assert await ground.end(paid) == CAME_BACK, order
        for place, event in enumerate(events):
            times = 2 * order.count(place)
            assert (carried.get(event.dedupe_key, 0), listed[event.dedupe_key]) == (times, times + 1), order
    assert await ground.books.is_conserved()
    states = await ground.books.rows("SELECT DISTINCT state FROM inbox WHERE subject = 'charge'")
    assert {row.state for row in states} == {"handled", "stale"}
    assert ground.processes.failed == {}


async def deliveries(ground: Ground) -> dict[str, int]:
    rows = await ground.books.rows("SELECT dedupe_key, deliveries FROM inbox")
    return {row.dedupe_key: row.deliveries for row in rows}


async def one_end_without_a_list(ground: Ground, stream: OfAdyen, orders: Sequence[Order], end: dict[str, Any]) -> None:
    """The same where nothing can be looked up: after each event the books say what was told so far and nothing else. What
    was lost stays so whoever looks, until it is delivered after all, which is tried for a month.
    """
    played = list((await stream.play(len(orders))).values())
    for order, (paid, events) in zip(orders, played, strict=True):
        told: set[str] = set()
        for place in (*order, *reversed(order)):
            await ground.receive(events[place])
            told.add(events[place].kind)
            assert await ground.state(paid.payment_id) == stream.so_far(told), (order, told)
    before = [await ground.end(paid) for paid, _ in played]
    assert await ground.books.is_conserved()
    assert await ground.catch_up() == CaughtUp(listed=0, fresh=0, has_more=False)
    assert (await ground.sweep()).events == 0
    assert [await ground.end(paid) for paid, _ in played] == before
    for order, (paid, events) in zip(orders, played, strict=True):
        for place in set(range(EVENTS)) - set(order):
            await ground.receive(events[place])
        assert await ground.end(paid) == end, order
    assert await ground.books.is_conserved()
    states = await ground.books.rows("SELECT DISTINCT state FROM inbox WHERE subject = 'charge'")
    assert {row.state for row in states} == {"handled", "stale"}
    assert ground.processes.failed == {}


async def test_some_orders_at_the_sandbox_come_to_one_end(database: machine.Database, sandbox: TimedSandbox) -> None:
    async with ground_of(database, sandbox) as ground:
        await one_end(ground, OfSandbox(ground, sandbox), SOME)


async def test_some_orders_at_stripe_come_to_one_end(database: machine.Database, stripe: StripeHarness) -> None:
    async with ground_of(database, stripe) as ground:
        await one_end(ground, OfStripe(ground, stripe), SOME)


async def test_some_orders_at_gocardless_come_to_one_end(database: machine.Database, gocardless: GoCardlessHarness) -> None:
    async with ground_of(database, gocardless) as ground:
        await one_end(ground, OfGoCardless(ground, gocardless), SOME)


async def test_some_orders_at_adyen_come_to_one_end(database: machine.Database, adyen: AdyenHarness) -> None:
    async with ground_of(database, adyen) as ground:
        await one_end_without_a_list(ground, OfAdyen(ground, adyen), FEW, CAME_BACK)


async def test_some_orders_of_a_dispute_that_is_won_come_to_one_end(database: machine.Database, adyen: AdyenHarness) -> None:
    async with ground_of(database, adyen) as ground:
        await one_end_without_a_list(ground, OfAdyenWon(ground, adyen), FEW, PAID)


@pytest.mark.long
async def test_every_order_at_the_sandbox_comes_to_one_end(database: machine.Database, sandbox: TimedSandbox) -> None:
    async with ground_of(database, sandbox) as ground:
        await one_end(ground, OfSandbox(ground, sandbox), EVERY)


@pytest.mark.long
async def test_every_order_at_stripe_comes_to_one_end(database: machine.Database, stripe: StripeHarness) -> None:
    async with ground_of(database, stripe) as ground:
        await one_end(ground, OfStripe(ground, stripe), EVERY)


@pytest.mark.long
async def test_every_order_at_gocardless_comes_to_one_end(database: machine.Database, gocardless: GoCardlessHarness) -> None:
    async with ground_of(database, gocardless) as ground:
        await one_end(ground, OfGoCardless(ground, gocardless), EVERY)


@pytest.mark.long
@pytest.mark.parametrize(("stream", "end"), [(OfAdyen, CAME_BACK), (OfAdyenWon, PAID)])
async def test_every_order_at_adyen_comes_to_one_end(
    database: machine.Database, adyen: AdyenHarness, stream: type[OfAdyen], end: dict[str, Any]
) -> None:
    async with ground_of(database, adyen) as ground:
        await one_end_without_a_list(ground, stream(ground, adyen), EVERY, end)


async def believed_wrongly(ground: Ground, stream: Stream[Any]) -> int:
    """In how many orders whoever takes each event at its word does not see that the money went back."""
    ((_, events),) = (await stream.play(1)).values()
    wrong = 0
    for order in ALL:
        naive = hubs.BelievesEvents()
        for place in order:
            if (claims := events[place].claims) is not None:
                naive.hear(claims.value)
        wrong += naive.state != "returned"
    return wrong


async def test_whoever_believes_what_an_event_claims_ends_elsewhere_in_most_orders(
    database: machine.Database, sandbox: TimedSandbox, gocardless: GoCardlessHarness, stripe: StripeHarness
) -> None:
    async with ground_of(database, sandbox) as ground:
        assert await believed_wrongly(ground, OfSandbox(ground, sandbox)) == 90
    async with ground_of(database, gocardless) as ground:
        assert await believed_wrongly(ground, OfGoCardless(ground, gocardless)) == 90
    async with ground_of(database, stripe) as ground:
        assert await believed_wrongly(ground, OfStripe(ground, stripe)) == len(ALL), "no event of it says so at all"
