"""The lines that the capture's one statement and the return book are those of `domain/booking.py`."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.payments.ports import ChargeStatus
from domain import booking
from domain.allocation import Line, adopt
from domain.booking import JournalEntry
from tests import machine
from tests.store.money import PROVIDER, Books, books_of

# One database for all examples of a test: each has a customer of its own.
generated = settings(
    max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
parts = st.integers(min_value=1, max_value=5_000)


@pytest_asyncio.fixture
async def books(database: machine.Database) -> AsyncIterator[Books]:
    async with books_of(database) as opened:
        yield opened


def lines_of(entry: JournalEntry) -> set[tuple[str, str, str | None, int]]:
    return {(line.account.value, line.holder, line.invoice_id, line.minor) for line in entry.lines}


@generated
@given(amounts=st.lists(parts, min_size=1, max_size=5))
async def test_a_capture_and_its_return_are_booked_as_the_domain_says(books: Books, amounts: list[int]) -> None:
    customer_id, ids = await books.customer(*[5_000] * len(amounts))
    lines = [Line(invoice_id=each, minor=minor) for each, minor in zip(ids, amounts, strict=True)]
    payment_id = await books.opened(customer_id, *((line.invoice_id, line.minor) for line in lines))
    await books.record(payment_id, ChargeStatus.CAPTURED)
    captured = booking.captured(amount=sum(amounts), allocated=lines, customer_id=customer_id, connection_id=PROVIDER)
    assert await books.journal(f"{payment_id}/captured") == lines_of(captured)
    await books.record(payment_id, ChargeStatus.RETURNED)
    returned = booking.returned(amount=sum(amounts), deallocated=lines, customer_id=customer_id, connection_id=PROVIDER)
    assert await books.journal(f"{payment_id}/returned") == lines_of(returned)


@generated
@given(wishes=st.lists(st.tuples(parts, st.integers(min_value=0, max_value=5_000)), min_size=1, max_size=4))
async def test_late_money_is_booked_as_the_domain_adopts_it(books: Books, wishes: list[tuple[int, int]]) -> None:
    """Each wish: what the late payment was for, and what somebody else holds of the same invoice meanwhile."""
    customer_id, ids = await books.customer(*[5_000] * len(wishes))
    lines = [Line(invoice_id=each, minor=minor) for each, (minor, _) in zip(ids, wishes, strict=True)]
    payment_id = await books.opened(customer_id, *((line.invoice_id, line.minor) for line in lines))
    await books.record(payment_id, ChargeStatus.EXPIRED)
    held = [(each, minor) for each, (_, minor) in zip(ids, wishes, strict=True) if minor]
    holder = await books.opened(customer_id, *held) if held else None
    await books.record(payment_id, ChargeStatus.CAPTURED)
    room = {each: 5_000 - minor for each, (_, minor) in zip(ids, wishes, strict=True)}
    adoption = adopt(lines, room)
    amount = sum(line.minor for line in lines)
    entry = booking.captured(amount=amount, allocated=adoption.lines, customer_id=customer_id, connection_id=PROVIDER)
    assert await books.journal(f"{payment_id}/captured") == lines_of(entry)
    wanted = await books.rows("SELECT invoice_id, amount FROM wanted WHERE payment_id = :id", id=payment_id)
    assert {(row.invoice_id, row.amount) for row in wanted} == {(wish.invoice_id, wish.minor) for wish in adoption.wanted}
    if holder is not None:
        await books.record(holder, ChargeStatus.DECLINED)
    assert await books.allocated(payment_id) == {line.invoice_id: line.minor for line in lines}
    for number, wish in enumerate(sorted(adoption.wanted, key=lambda each: ids.index(each.invoice_id)), start=1):
        applied = booking.applied(lines=[wish], customer_id=customer_id)
        assert await books.journal(f"{payment_id}/applied-{number}") == lines_of(applied)
    await books.record(payment_id, ChargeStatus.RETURNED)
    returned = booking.returned(amount=amount, deallocated=lines, customer_id=customer_id, connection_id=PROVIDER)
    assert await books.journal(f"{payment_id}/returned") == lines_of(returned)
    assert await books.is_conserved()
