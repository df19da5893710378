"""Refunds that went wrong elsewhere, each played against Duly and against the variant that it happened to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio

from connectors.payments.ports import RefundStatus
from store.identity import fresh_id
from tests import machine
from tests.store.money import AT, Books, books_of
from tests.store.refunding import Counter


@pytest_asyncio.fixture
async def books(database: machine.Database) -> AsyncIterator[Books]:
    async with books_of(database) as opened:
        yield opened


# ---------------------------------------------------------------- two refunds of 60 % at once (hyperswitch #13182)


async def granted_by_a_sum(books: Books, payment_id: str, minor: int, ready: asyncio.Barrier) -> bool:
    """As it was there: what was refunded so far is added up, compared, and the new one written."""
    async with books.store.begin("naive") as tx:
        row = await tx.row(
            """SELECT p.customer_id, p.captured - coalesce((SELECT sum(amount) FROM refunds r WHERE r.payment_id = p.id
                      AND r.state <> 'failed'), 0) AS left FROM payments p WHERE p.id = :id""",
            id=payment_id,
        )
        await ready.wait()
        if row is None or row.left < minor:
            return False
        await tx.run(
            """INSERT INTO refunds (id, payment_id, customer_id, amount, currency, state, run_id, request_hash, reason, note,
                   requested_by, refund_key, requested_at, changed_at)
               VALUES (:id, :payment, :customer, :minor, 'USD', 'requested', '', '', 'r', '', 'ann', :id, :at, :at)""",
            id=fresh_id("rfd"),
            payment=payment_id,
            customer=row.customer_id,
            minor=minor,
            at=AT,
        )
    return True


async def test_two_refunds_of_sixty_percent_at_once_are_both_granted_where_a_sum_is_compared(books: Books) -> None:
    payment_id, _ = await Counter(books).paid(1_000)
    ready = asyncio.Barrier(2)
    answers = await asyncio.gather(*(granted_by_a_sum(books, payment_id, 600, ready) for _ in range(2)))
    assert answers == [True, True], "1,200 of 1,000"


async def test_two_refunds_of_sixty_percent_at_once_are_one_here(books: Books) -> None:
    counter = Counter(books)
    payment_id, (invoice_id,) = await counter.paid(1_000)
    asked = [counter.ask(counter.request(payment_id, 600, [(invoice_id, 600)])) for _ in range(2)]
    assert sorted(step for step, _ in await asyncio.gather(*asked)) == ["answer", "send"]
    assert await counter.sums(payment_id) == (600, 0)


# ---------------------------------------------------------------- booked here and by its event too (smartstore #1544)


async def booked_at_each_telling(books: Books, payment_id: str, told_by: str, minor: int) -> None:
    """As it was there: whoever tells of a refund has it booked."""
    async with books.store.begin("naive") as tx:
        await tx.run(
            """UPDATE payments SET refunded = refunded + :minor, check_note = coalesce(check_note, '') || :told_by
               WHERE id = :id""",
            minor=minor,
            told_by=told_by,
            id=payment_id,
        )


async def test_a_refund_is_booked_twice_where_the_answer_and_the_event_each_book_it(books: Books) -> None:
    counter = Counter(books)
    payment_id, _ = await counter.paid(1_000)
    for told_by in ("answer", "event"):
        await booked_at_each_telling(books, payment_id, told_by, 400)
    assert await counter.sums(payment_id) == (0, 800), "of 400 that went back"


async def test_a_refund_is_booked_once_here_however_often_and_by_whomever_it_is_told(books: Books) -> None:
    counter = Counter(books)
    payment_id, (invoice_id,) = await counter.paid(1_000)
    refund_id = await counter.sent(payment_id, 400, (invoice_id, 400))
    told = await asyncio.gather(*(counter.told(refund_id, RefundStatus.SUCCEEDED) for _ in range(5)))
    assert sum(each.changed for each in told) == 1
    assert await counter.sums(payment_id) == (0, 400)
    assert await books.count("journal_entries", "kind = 'refunded'") == 1
    assert await books.count("postings", "kind = 'refund'") == 1
    assert await books.balance(invoice_id) == (400, 0)
