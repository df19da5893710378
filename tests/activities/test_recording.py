"""What a provider tells late, twice, or not at all: adopted where there is room, unapplied where there is none, served
when room appears, taken back when it was returned.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from connectors.payments.ports import ChargeStatus
from tests import machine
from tests.store.money import Books, books_of

LATE = (ChargeStatus.DECLINED, ChargeStatus.CANCELED, ChargeStatus.EXPIRED)


@pytest_asyncio.fixture
async def books(database: machine.Database) -> AsyncIterator[Books]:
    async with books_of(database) as opened:
        yield opened


async def late(books: Books, customer_id: str, *lines: tuple[str, int], status: ChargeStatus = ChargeStatus.EXPIRED) -> str:
    """A payment that was given up; its money has not come yet."""
    payment_id = await books.opened(customer_id, *lines)
    now = await books.record(payment_id, status)
    assert (now.ended, await books.count("holds", "holder_id = :id", id=payment_id)) == (True, 0)
    return payment_id


async def wanted(books: Books, payment_id: str) -> int:
    row = await books.one("SELECT coalesce(sum(amount), 0)::bigint AS n FROM wanted WHERE payment_id = :id", id=payment_id)
    return int(row.n)


@pytest.mark.parametrize("status", LATE)
async def test_late_money_with_room_settles_what_it_was_for(books: Books, status: ChargeStatus) -> None:
    customer_id, (first, second) = await books.customer(1_000, 2_000)
    payment_id = await late(books, customer_id, (first, 1_000), (second, 500), status=status)
    now = await books.record(payment_id, ChargeStatus.CAPTURED)
    assert now.state.value == "captured"
    assert await books.allocated(payment_id) == {first: 1_000, second: 500}
    assert await wanted(books, payment_id) == 0
    row = await books.one("SELECT facts FROM timeline WHERE id = :id", id=f"{payment_id}/captured")
    assert row.facts == {"late": True}
    assert await books.is_conserved()


async def test_late_money_takes_only_what_others_do_not_hold_and_remembers_the_rest(books: Books) -> None:
    customer_id, (first, second) = await books.customer(1_000, 2_000)
    payment_id = await late(books, customer_id, (first, 1_000), (second, 500))
    await books.opened(customer_id, (first, 600))
    await books.record(payment_id, ChargeStatus.CAPTURED)
    assert await books.allocated(payment_id) == {first: 400, second: 500}
    assert await wanted(books, payment_id) == 600
    assert await books.balance(first) == (600, 600)
    assert (await books.one("SELECT amount FROM postings WHERE payment_id = :id", id=payment_id)).amount == 1_500
    # Told again, late and twice: it is known.
    again = await books.record(payment_id, ChargeStatus.CAPTURED)
    assert not again.changed
    assert await wanted(books, payment_id) == 600
    assert await books.is_conserved()


async def test_room_goes_to_whoever_has_wanted_it_longest_when_a_hold_ends(books: Books) -> None:
    customer_id, (invoice_id,) = await books.customer(1_000)
    older = await late(books, customer_id, (invoice_id, 700))
    younger = await late(books, customer_id, (invoice_id, 800))
    holder = await books.opened(customer_id, (invoice_id, 1_000))
    await books.record(older, ChargeStatus.CAPTURED)
    await books.record(younger, ChargeStatus.CAPTURED)
    assert (await books.allocated(older), await books.allocated(younger)) == ({}, {})
    await books.record(holder, ChargeStatus.DECLINED)
    assert (await books.allocated(older), await books.allocated(younger)) == ({invoice_id: 700}, {invoice_id: 300})
    assert (await wanted(books, older), await wanted(books, younger)) == (0, 500)
    assert await books.balance(invoice_id) == (0, 0), "nobody can pay it again while money for it lies here"
    refused = books.request(customer_id, [(invoice_id, 1)])
    _, answer = await books.open(refused)
    assert answer is not None
    assert answer.rule == "invoice_paid"
    kinds = await books.rows("SELECT kind, amount FROM postings WHERE payment_id = :id ORDER BY seq", id=younger)
    assert [tuple(kind) for kind in kinds] == [("payment", 800), ("application", 300)]
    assert await books.is_conserved()


async def test_room_is_served_when_the_erp_raises_a_total_and_in_parts(books: Books) -> None:
    customer_id, (invoice_id,) = await books.customer(1_000)
    payment_id = await late(books, customer_id, (invoice_id, 900))
    taker = await books.opened(customer_id, (invoice_id, 1_000))
    await books.record(taker, ChargeStatus.CAPTURED)
    await books.record(payment_id, ChargeStatus.CAPTURED)
    assert await wanted(books, payment_id) == 900
    for total, applied in ((1_250, 250), (1_400, 400), (3_000, 900)):
        await books.change(invoice_id, total=total)
        assert await books.allocated(payment_id) == {invoice_id: applied}
        assert await wanted(books, payment_id) == 900 - applied
    assert await books.balance(invoice_id) == (1_100, 0)
    assert await books.count("postings", "kind = 'application'") == 3
    assert await books.is_conserved()


async def test_room_is_served_when_somebody_elses_payment_comes_back(books: Books) -> None:
    customer_id, (invoice_id,) = await books.customer(1_000)
    payment_id = await late(books, customer_id, (invoice_id, 1_000))
    taker = await books.opened(customer_id, (invoice_id, 1_000))
    await books.record(taker, ChargeStatus.SETTLED)
    await books.record(payment_id, ChargeStatus.CAPTURED)
    assert await books.allocated(payment_id) == {}
    await books.record(taker, ChargeStatus.RETURNED, return_code="R01")
    assert (await books.allocated(taker), await books.allocated(payment_id)) == ({}, {invoice_id: 1_000})
    assert await books.balance(invoice_id) == (0, 0)
    assert await books.is_conserved()


async def test_a_return_books_everything_back_once(books: Books) -> None:
    customer_id, (first, second) = await books.customer(1_000, 2_000)
    payment_id = await books.opened(customer_id, (first, 1_000), (second, 500))
    await books.record(payment_id, ChargeStatus.CAPTURED)
    assert await books.balance(first) == (0, 0)
    for _ in range(2):
        now = await books.record(payment_id, ChargeStatus.RETURNED, return_code="R01")
        assert now.state.value == "returned"
    assert (await books.balance(first), await books.balance(second)) == ((1_000, 0), (2_000, 0))
    assert await books.allocated(payment_id) == {}
    kinds = await books.rows("SELECT kind, amount FROM postings WHERE payment_id = :id ORDER BY seq", id=payment_id)
    assert [tuple(kind) for kind in kinds] == [("payment", 1_500), ("reversal", 1_500)]
    sums = await books.rows("SELECT account, sum(amount) AS s FROM journal_lines GROUP BY account")
    assert {row.account: row.s for row in sums} == {"clearing": 0, "receivable": 0}
    mails = await books.rows("SELECT template FROM outbox WHERE process_id = :id ORDER BY seq", id=payment_id)
    assert [mail.template for mail in mails] == ["receipt", "payment_returned"]
    # A capture that arrives after the return changes nothing any more.
    assert (await books.record(payment_id, ChargeStatus.CAPTURED)).state.value == "returned"
    assert await books.balance(first) == (1_000, 0)


async def test_the_return_of_late_money_takes_back_its_applications_and_its_wishes(books: Books) -> None:
    customer_id, (first, second) = await books.customer(1_000, 1_000)
    payment_id = await late(books, customer_id, (first, 1_000), (second, 1_000))
    holder = await books.opened(customer_id, (first, 1_000))
    other = await books.opened(customer_id, (second, 300))
    await books.record(payment_id, ChargeStatus.CAPTURED)
    await books.record(other, ChargeStatus.DECLINED)
    assert await books.allocated(payment_id) == {second: 1_000}
    assert await wanted(books, payment_id) == 1_000
    await books.record(payment_id, ChargeStatus.RETURNED)
    assert (await books.allocated(payment_id), await wanted(books, payment_id)) == ({}, 0)
    await books.record(holder, ChargeStatus.DECLINED)
    assert await books.balance(first) == (1_000, 0), "money that went back is not applied any more"
    sums = await books.rows("SELECT account, sum(amount) AS s FROM journal_lines GROUP BY account")
    assert {row.account: row.s for row in sums} == {"clearing": 0, "receivable": 0, "unapplied": 0}
    assert await books.is_conserved()


async def test_another_amount_at_the_provider_is_nothing_to_guess_about(books: Books) -> None:
    customer_id, (invoice_id,) = await books.customer(1_000)
    payment_id = await books.opened(customer_id, (invoice_id, 1_000))
    now = await books.record(payment_id, ChargeStatus.CAPTURED, minor=999)
    assert now.state.value == "unknown"
    assert await books.balance(invoice_id) == (1_000, 1_000)
    row = await books.one("SELECT check_note FROM payments WHERE id = :id", id=payment_id)
    assert row.check_note == "the provider shows another amount"
    assert await books.count("journal_entries") == 0


async def test_an_unknown_outcome_keeps_its_hold_and_says_since_when(books: Books) -> None:
    customer_id, (invoice_id,) = await books.customer(1_000)
    payment_id = await books.opened(customer_id, (invoice_id, 1_000))
    for _ in range(2):
        now = await books.recording.record(payment_id, "unknown", None, "no answer")
        assert (now.state.value, now.ended) == ("unknown", False)
    assert await books.balance(invoice_id) == (1_000, 1_000)
    row = await books.one("SELECT unknown_since FROM payments WHERE id = :id", id=payment_id)
    assert row.unknown_since == books.at
    assert (await books.recording.record(payment_id, "nothing", None, None)).state.value == "failed"
    assert await books.balance(invoice_id) == (1_000, 0)
