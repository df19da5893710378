"""Saved methods under races: one default always, and none is removed under a payment that uses it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from random import Random
from typing import TypeVar

import pytest_asyncio

from activities.method_changes import MethodChanges
from activities.providers import Providers
from activities.requests import MethodChange
from connectors.payments.ports import ChargeStatus
from store.identity import fresh_id
from tests import machine
from tests.store.money import Books, books_of

T = TypeVar("T")


@pytest_asyncio.fixture
async def books(database: machine.Database) -> AsyncIterator[Books]:
    async with books_of(database) as opened:
        yield opened


def changes_of(books: Books) -> MethodChanges:
    return MethodChanges(books.store, Providers({}), books.now)


def change(customer_id: str, method_id: str, action: str, *, then: str | None = None) -> MethodChange:
    return MethodChange(
        change_id=fresh_id("chg"), method_id=method_id, customer_id=customer_id, action=action, next_default_id=then
    )


async def defaults(books: Books, customer_id: str) -> list[str]:
    rows = await books.rows("SELECT id FROM payment_methods WHERE customer_id = :id AND is_default", id=customer_id)
    return [row.id for row in rows]


async def after(seconds: float, doing: Awaitable[T]) -> T:
    """A head start for the others."""
    await asyncio.sleep(seconds)
    return await doing


async def test_tabs_that_set_different_defaults_at_once_leave_one(books: Books) -> None:
    customer_id, _ = await books.customer(1_000)
    cards = [await books.method(customer_id) for _ in range(4)]
    assert await defaults(books, customer_id) == cards[:1]
    changes, random = changes_of(books), Random(1)
    for _ in range(25):
        chosen = random.sample(cards, 3)
        steps = await asyncio.gather(*(changes.decide_change(change(customer_id, each, "default")) for each in chosen))
        assert [step.answer.state for step in steps] == ["default"] * 3
        left = await defaults(books, customer_id)
        assert len(left) == 1
        assert left[0] in chosen


async def test_methods_that_arrive_at_once_make_one_default(books: Books) -> None:
    customer_id, _ = await books.customer(1_000)
    await asyncio.gather(*(books.method(customer_id) for _ in range(6)))
    assert await books.count("payment_methods") == 6
    assert len(await defaults(books, customer_id)) == 1


async def test_a_method_that_pays_is_not_removed_and_one_being_removed_does_not_pay(books: Books) -> None:
    """A payment and a removal of its card meet at once, 30 times: exactly one of them goes on."""
    customer_id, ids = await books.customer(*[1_000] * 30)
    keeps = await books.method(customer_id)
    changes = changes_of(books)
    outcomes = set()
    for number, invoice_id in enumerate(ids):
        card = await books.method(customer_id)
        request = books.request(customer_id, [(invoice_id, 1_000)], method_id=card)

        # Every third time the payment starts first, every third time the removal, and else both at once.
        paying, removing = await asyncio.gather(
            after(0.01 * (number % 3 == 0), books.open(request)),
            after(0.01 * (number % 3 == 1), changes.decide_change(change(customer_id, card, "remove"))),
        )
        has_opened = paying == ("charge", None)
        assert has_opened != (removing.next == "detach")
        if has_opened:
            assert removing.answer.rule == "method_in_use"
        else:
            row = await books.one("SELECT refused_rule FROM payments WHERE id = :id", id=request.payment_id)
            assert row.refused_rule == "method_not_usable"
        outcomes.add(has_opened)
    assert outcomes == {True, False}, "both orders were seen"
    assert await defaults(books, customer_id) == [keeps]


async def test_defaults_change_while_payments_open_and_nobody_waits_for_ever(books: Books) -> None:
    """The ring that once was: a payment holds its card and needs the customer, a change holds the customer and needs
    the card."""
    customer_id, ids = await books.customer(*[1_000] * 20)
    cards = [await books.method(customer_id) for _ in range(2)]
    changes = changes_of(books)
    requests = [
        books.request(customer_id, [(invoice_id, 1_000)], method_id=cards[number % 2])
        for number, invoice_id in enumerate(ids)
    ]
    answers = await asyncio.gather(
        *(books.open(request) for request in requests),
        *(changes.decide_change(change(customer_id, cards[number % 2], "default")) for number in range(20)),
    )
    assert answers[:20] == [("charge", None)] * 20
    assert len(await defaults(books, customer_id)) == 1


async def test_a_method_can_be_removed_once_its_payment_has_ended(books: Books) -> None:
    customer_id, (invoice_id,) = await books.customer(1_000)
    first, second = await books.method(customer_id), await books.method(customer_id)
    changes = changes_of(books)
    payment_id = await books.opened(customer_id, (invoice_id, 400), method_id=first)
    refused = await changes.decide_change(change(customer_id, first, "remove", then=second))
    assert refused.answer.rule == "method_in_use"
    await books.record(payment_id, ChargeStatus.CAPTURED)
    needs = await changes.decide_change(change(customer_id, first, "remove"))
    assert needs.answer.rule == "new_default_needed"
    going = await changes.decide_change(change(customer_id, first, "remove", then=second))
    assert going.next == "detach"
    assert await defaults(books, customer_id) == [second]
