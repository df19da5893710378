"""What a person decides about a refused posting moves money on no invoice twice, and is taken once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from connectors.payments.ports import ChargeStatus
from domain.lifecycles import PostingState
from domain.resolving import Resolution
from store import checks, postings, resolving
from store.checks import Horizons
from tests import machine
from tests.store.money import AT, ERP, Books, books_of


@pytest_asyncio.fixture
async def books(database: machine.Database) -> AsyncIterator[Books]:
    async with books_of(database) as opened:
        yield opened


async def refused(books: Books, *amounts: int) -> tuple[str, list[str]]:
    """A captured payment over an invoice each, whose posting the ERP refused: the posting, the invoices."""
    customer, invoices = await books.customer(*amounts)
    payment = await books.opened(customer, *zip(invoices, amounts, strict=True))
    await books.record(payment, ChargeStatus.CAPTURED)
    posting = f"{payment}-captured"
    await refuse(books, posting)
    return posting, invoices


async def refuse(books: Books, posting: str) -> None:
    async with books.store.begin("test") as tx:
        fence = await postings.fence(tx, ERP)
        assert await postings.claim(tx, posting, connection_id=ERP, fence=fence, at=books.at)
        assert await postings.refuse(tx, posting, fence=fence, code="CLOSED", sentence="Closed.", at=books.at)


async def decide(books: Books, posting: str, how: Resolution, *, attempts: int = 1, by: str = "ann") -> bool:
    async with books.store.begin("test") as tx:
        return await resolving.resolve(
            tx, posting, how, attempts=attempts, by=by, reason="as agreed", at=books.at + timedelta(days=3)
        )


async def ready(books: Books) -> list[str]:
    async with books.store.begin("test") as tx:
        return list(await postings.ready(tx, ERP, limit=10, at=books.at + timedelta(days=3)))


async def shown(books: Books, invoices: list[str]) -> list[str]:
    rows = await books.rows("SELECT shown FROM invoice_states WHERE id = ANY(:ids) ORDER BY total", ids=invoices)
    return [row.shown for row in rows]


async def books_are_whole(books: Books) -> None:
    async with books.store.begin("test") as tx:
        for invariant in (checks.JOURNAL_BALANCED, checks.MONEY_CONSERVED):
            found = await checks.look(tx, invariant, at=AT, horizons=Horizons(), most=5)
            assert found.holds, found.offenders


async def test_on_account_takes_it_off_its_invoices_and_writes_it_without_them(books: Books) -> None:
    posting, invoices = await refused(books, 1_000, 2_000)
    assert await shown(books, invoices) == ["paid", "paid"]
    assert await decide(books, posting, Resolution.ON_ACCOUNT)
    assert await shown(books, invoices) == ["open", "open"]
    async with books.store.begin("test") as tx:
        document = await postings.load(tx, posting)
    assert (document.amount, document.lines) == (3_000, ())
    assert await ready(books) == [posting]
    await books_are_whole(books)
    assert await decide(books, posting, Resolution.ON_ACCOUNT), "it was taken"
    assert await shown(books, invoices) == ["open", "open"], "and not once more"
    assert not await decide(books, posting, Resolution.IGNORE), "another decision comes too late"
    await books_are_whole(books)


async def test_what_waited_behind_it_goes_once_its_invoices_are_free(books: Books) -> None:
    posting, (invoice,) = await refused(books, 1_000)
    customer = (await books.one("SELECT customer_id FROM invoices")).customer_id
    assert await ready(books) == []
    assert await decide(books, posting, Resolution.ON_ACCOUNT)
    second = await books.opened(customer, (invoice, 1_000))
    await books.record(second, ChargeStatus.CAPTURED)
    assert await ready(books) == [posting, f"{second}-captured"]


async def test_it_is_not_put_on_account_once_something_is_built_on_its_lines(books: Books) -> None:
    posting, invoices = await refused(books, 1_000)
    payment = posting.removesuffix("-captured")
    await books.record(payment, ChargeStatus.RETURNED)
    assert not await decide(books, posting, Resolution.ON_ACCOUNT)
    assert (await books.one("SELECT state FROM postings WHERE id = :id", id=posting)).state == "refused"
    assert await shown(books, invoices) == ["open"]
    await books_are_whole(books)


async def test_it_is_not_put_on_account_once_money_of_it_was_applied_elsewhere(books: Books) -> None:
    posting, invoices = await refused(books, 1_000)
    await books.damage(
        """INSERT INTO postings (id, connection_id, kind, payment_id, customer_id, docs, amount, queued_at)
           SELECT payment_id || '-applied-1', connection_id, 'application', payment_id, customer_id, docs, 100, queued_at
           FROM postings"""
    )
    assert not await decide(books, posting, Resolution.ON_ACCOUNT)
    assert await shown(books, invoices) == ["paid"]


async def test_dated_today_it_goes_again_with_the_day_of_the_decision(books: Books) -> None:
    posting, _ = await refused(books, 1_000)
    async with books.store.begin("test") as tx:
        assert (await postings.load(tx, posting)).on == AT.date()
    assert await decide(books, posting, Resolution.TODAY)
    async with books.store.begin("test") as tx:
        document = await postings.load(tx, posting)
    assert (document.on, document.state.value, len(document.lines)) == ((AT + timedelta(days=3)).date(), "queued", 1)


async def test_what_waits_for_a_time_is_asked_for_at_once_and_sent_no_sooner(books: Books) -> None:
    customer, (invoice,) = await books.customer(1_000)
    payment = await books.opened(customer, (invoice, 1_000))
    await books.record(payment, ChargeStatus.CAPTURED)
    posting = f"{payment}-captured"
    async with books.store.begin("test") as tx:
        fence = await postings.fence(tx, ERP)
        assert await postings.claim(tx, posting, connection_id=ERP, fence=fence, at=books.at)
        later = books.at + timedelta(days=30)
        assert await postings.set_aside(
            tx, posting, fence=fence, state=PostingState.UNKNOWN, look_at=later, error="no answer", looked=False
        )
    assert await ready(books) == []
    assert not await decide(books, posting, Resolution.NOW, attempts=2), "somebody looked at another attempt"
    assert await decide(books, posting, Resolution.NOW)
    assert await ready(books) == [posting]
    row = await books.one("SELECT state, looks, attempts FROM postings")
    assert (row.state, row.looks, row.attempts) == ("unknown", 0, 1), "it is looked up; nothing was decided"
    assert not await books.rows("SELECT 1 FROM timeline WHERE kind = 'posting_sent_again'")


async def test_what_is_never_sent_holds_up_nothing_and_waits_for_nobody(books: Books) -> None:
    posting, (invoice, another) = await refused(books, 1_000, 2_000)
    await books.change(another, total=2_500)
    customer = (await books.one("SELECT customer_id FROM invoices WHERE id = :id", id=another)).customer_id
    behind = await books.opened(customer, (another, 500))
    await books.record(behind, ChargeStatus.CAPTURED)
    assert await ready(books) == [], "it shares an invoice with what was refused"
    assert await decide(books, posting, Resolution.IGNORE)
    assert await ready(books) == [f"{behind}-captured"]
    async with books.store.begin("test") as tx:
        assert await postings.waiting(tx, ERP) == 1
    assert await shown(books, [invoice]) == ["paid"], "the customer has paid"
    assert not await decide(books, posting, Resolution.AGAIN), "it was decided"
    told = await books.one("SELECT facts FROM timeline WHERE kind = 'posting_ignored'")
    assert told.facts == {"by": "ann", "reason": "as agreed"}


@pytest.mark.parametrize("how", list(Resolution))
async def test_whoever_saw_an_older_refusal_decides_nothing(books: Books, how: Resolution) -> None:
    posting, invoices = await refused(books, 1_000)
    assert await decide(books, posting, Resolution.AGAIN)
    await refuse(books, posting)
    assert not await decide(books, posting, how) or how in {Resolution.AGAIN, Resolution.TODAY}
    assert (await books.one("SELECT state, ignored_at FROM postings")).state == "refused"
    assert await shown(books, invoices) == ["paid"]
