"""Guards of the store that only show when something goes wrong twice: fences, orders, keys and what is written for ever."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
from sqlalchemy.exc import DBAPIError, IntegrityError

from connectors.payments.ports import ChargeStatus
from domain.lifecycles import PaymentState, PostingState
from domain.resolving import Resolution
from store import inbox, payments, postings, resolving
from store.payments import Outcome
from tests import machine
from tests.store.money import ERP, PROVIDER, Books, books_of


@pytest_asyncio.fixture
async def books(database: machine.Database) -> AsyncIterator[Books]:
    async with books_of(database) as opened:
        yield opened


async def captured(books: Books, customer_id: str, *lines: tuple[str, int]) -> str:
    """The id of a posting that waits."""
    payment_id = await books.opened(customer_id, *lines)
    await books.record(payment_id, ChargeStatus.CAPTURED)
    return f"{payment_id}-captured"


async def test_an_older_poster_claims_confirms_and_sets_aside_nothing(books: Books) -> None:
    customer_id, (first,) = await books.customer(1_000)
    posting = await captured(books, customer_id, (first, 1_000))
    async with books.store.begin("test") as tx:
        older, newer = await postings.fence(tx, ERP), await postings.fence(tx, ERP)
        assert not await postings.claim(tx, posting, connection_id=ERP, fence=older, at=books.at)
        assert await postings.claim(tx, posting, connection_id=ERP, fence=newer, at=books.at)
        assert not await postings.claim(tx, posting, connection_id=ERP, fence=newer, at=books.at), "sent is not queued"

        async def confirm(fence: int, number: str) -> bool:
            return await postings.confirm(tx, posting, fence=fence, erp_id=number, erp_number=number, at=books.at)

        assert not await confirm(older, "D1")
        for state in (PostingState.QUEUED, PostingState.UNKNOWN):
            assert not await postings.set_aside(
                tx, posting, fence=older, state=state, look_at=None, error="late", looked=False
            )
        assert await confirm(newer, "D1")
        assert not await confirm(newer, "D2")
    assert (await books.one("SELECT erp_id FROM postings")).erp_id == "D1"


async def test_what_shares_a_document_waits_for_what_was_before_it(books: Books) -> None:
    customer_id, (first, second) = await books.customer(1_000, 1_000)
    before = await captured(books, customer_id, (first, 400))
    after = await captured(books, customer_id, (first, 600))
    beside = await captured(books, customer_id, (second, 1_000))
    async with books.store.begin("test") as tx:
        assert await postings.ready(tx, ERP, limit=9, at=books.at) == [before, beside]
        fence = await postings.fence(tx, ERP)
        await postings.claim(tx, before, connection_id=ERP, fence=fence, at=books.at)
        look_at = books.at + timedelta(minutes=1)
        await postings.set_aside(
            tx, before, fence=fence, state=PostingState.UNKNOWN, look_at=look_at, error="?", looked=False
        )
        assert await postings.ready(tx, ERP, limit=9, at=books.at) == [beside]
        await postings.take_over(tx, before, connection_id=ERP, fence=fence)
        await postings.confirm(tx, before, fence=fence, erp_id="D1", erp_number="D1", at=books.at)
        assert await postings.ready(tx, ERP, limit=9, at=books.at) == [after, beside]


async def test_every_confirmed_posting_is_read_back_until_a_later_read_has_it(books: Books) -> None:
    customer_id, (first,) = await books.customer(1_000)
    posting = await captured(books, customer_id, (first, 400))
    async with books.store.begin("test") as tx:
        fence = await postings.fence(tx, ERP)
        await postings.claim(tx, posting, connection_id=ERP, fence=fence, at=books.at)
        await postings.confirm(tx, posting, fence=fence, erp_id="D1", erp_number="D1", at=books.at)
        await postings.mark_read_back(tx, ERP, at=books.at)
        assert len(await postings.unread(tx, ERP, limit=9)) == 1
    await books.change(first, total=1_000, settled=400)
    async with books.store.begin("test") as tx:
        assert await postings.unread(tx, ERP, limit=9) == []


async def test_a_payment_that_has_ended_is_never_announced_as_sent(books: Books) -> None:
    customer_id, (first,) = await books.customer(1_000)
    payment_id = await books.opened(customer_id, (first, 1_000))
    await books.recording.record(payment_id, "nothing", None, None)
    async with books.store.begin("test") as tx:
        assert not await payments.sending(tx, payment_id, at=books.at)
    assert (await books.one("SELECT sent_at FROM payments")).sent_at is None


async def test_two_payments_never_share_a_charge(books: Books) -> None:
    customer_id, (first, second) = await books.customer(1_000, 1_000)
    one, other = await books.opened(customer_id, (first, 1_000)), await books.opened(customer_id, (second, 1_000))
    outcome = Outcome(state=PaymentState.PROCESSING, provider_ref="ch_1")
    async with books.store.begin("test") as tx:
        await payments.move(tx, one, outcome, at=books.at)
    with pytest.raises(IntegrityError):
        async with books.store.begin("test") as tx:
            await payments.move(tx, other, outcome, at=books.at)


async def test_a_customer_has_no_two_defaults_whoever_writes_them(books: Books) -> None:
    """Changes follow one another under the customer's lock; whoever forgets the lock is stopped here."""
    customer_id, _ = await books.customer(1_000)
    for _ in range(2):
        await books.method(customer_id)
    with pytest.raises(IntegrityError, match="uq_payment_methods_default"):
        async with books.store.begin("test") as tx:
            await tx.run("UPDATE payment_methods SET is_default = true WHERE customer_id = :id", id=customer_id)


async def test_a_difference_that_a_payments_holds_made_ends_when_it_ends_without_money(books: Books) -> None:
    customer_id, (invoice_id,) = await books.customer(1_000)
    payment_id = await books.opened(customer_id, (invoice_id, 1_000))
    await books.change(invoice_id, total=1_000, settled=900)
    assert await books.count("differences", "kind = 'hold_exceeds_open' AND closed_at IS NULL") == 1
    await books.record(payment_id, ChargeStatus.EXPIRED)
    assert await books.count("differences", "closed_at IS NULL") == 0


async def test_another_customers_invoice_cannot_be_paid(books: Books) -> None:
    mine, _ = await books.customer(1_000)
    _, (theirs,) = await books.customer(1_000)
    _, answer = await books.open(books.request(mine, [(theirs, 1_000)]))
    assert answer is not None
    assert answer.rule == "invoice_not_found"
    assert await books.count("holds") == 0


async def test_an_event_is_stored_once_however_often_it_comes(books: Books) -> None:
    told = []
    for _ in range(3):
        async with books.store.begin("test") as tx:
            told.append(
                await inbox.receive(
                    tx, connection_id=PROVIDER, dedupe_key="ev_1", event_id="ev_1", kind="charge.captured",
                    subject="charge", our_ref=None, provider_id="ch_1", claims=None, occurred_at=None, at=books.at,
                )
            )  # fmt: skip
    assert [is_new for _, is_new in told] == [True, False, False]
    assert len({inbox_id for inbox_id, _ in told}) == 1
    assert await books.count("inbox", "deliveries = 3") == 1


async def test_a_decision_that_is_taken_twice_sends_once(books: Books) -> None:
    """Its worker died after the commit, and the ERP had refused again before another took it up."""
    customer_id, (first,) = await books.customer(1_000)
    posting = await captured(books, customer_id, (first, 1_000))

    async def refused_again() -> str:
        async with books.store.begin("test") as tx:
            fence = await postings.fence(tx, ERP)
            assert await postings.claim(tx, posting, connection_id=ERP, fence=fence, at=books.at)
            assert await postings.refuse(tx, posting, fence=fence, code="CLOSED", sentence="Closed.", at=books.at)
        return str((await books.one("SELECT state FROM postings")).state)

    async def decide(attempts: int) -> bool:
        async with books.store.begin("test") as tx:
            return await resolving.resolve(
                tx, posting, Resolution.AGAIN, attempts=attempts, by="ann", reason="", at=books.at
            )

    assert await refused_again() == "refused"
    assert await decide(1)
    assert await refused_again() == "refused"
    assert await decide(1), "it was taken"
    assert (await books.one("SELECT state FROM postings")).state == "refused", "and not once more"
    assert not await decide(9)


async def test_an_answer_is_done_with_events_that_came_before_the_question_only(books: Books) -> None:
    customer_id, (first,) = await books.customer(1_000)
    payment_id = await books.opened(customer_id, (first, 1_000))
    for name, minutes, reference in (("before", -1, f"{payment_id}-1"), ("after", 1, f"{payment_id}-1"), ("other", -1, "x")):
        await books.rows(
            """INSERT INTO inbox (id, connection_id, dedupe_key, event_id, kind, subject, our_ref, state, received_at)
               VALUES (:id, :connection, :id, :id, 'charge.captured', 'charge', :ref, 'delivered', :at) RETURNING id""",
            id=name,
            connection=PROVIDER,
            ref=reference,
            at=books.at + timedelta(minutes=minutes),
        )
    told = await books.told(payment_id, ChargeStatus.CAPTURED)
    await books.recording.record(payment_id, "told", told, None, asked_at=books.at)
    states = {row.id: row.state for row in await books.rows("SELECT id, state FROM inbox")}
    assert states == {"before": "handled", "after": "delivered", "other": "delivered"}


async def test_an_event_that_was_heard_is_not_marked_as_delivered_by_whoever_is_late(books: Books) -> None:
    await books.rows(
        """INSERT INTO inbox (id, connection_id, dedupe_key, event_id, kind, subject, state, received_at)
           VALUES ('evt_1', :connection, 'k', 'e', 'charge.settled', 'charge', 'received', :at) RETURNING id""",
        connection=PROVIDER,
        at=books.at,
    )
    async with books.store.begin("test") as tx:
        await inbox.close(tx, "evt_1", "handled", at=books.at)
        await inbox.close(tx, "evt_1", "delivered", at=books.at)
    assert (await books.one("SELECT state FROM inbox")).state == "handled"


@pytest.mark.parametrize("table", ["journal_entries", "journal_lines", "timeline", "access_log"])
async def test_what_is_written_for_ever_is_not_changed_even_by_the_administrator(books: Books, table: str) -> None:
    customer_id, (first,) = await books.customer(1_000)
    await captured(books, customer_id, (first, 1_000))
    async with books.admin.begin("test") as tx:
        await tx.run("INSERT INTO access_log (at, actor, action) VALUES (:at, 'a', 'b')", at=books.at)
    for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET customer_id = 'x'"):
        with pytest.raises(DBAPIError, match="append-only"):
            async with books.admin.begin("test") as tx:
                await tx.run(statement)


async def test_an_entry_that_does_not_balance_is_refused_when_its_transaction_ends(books: Books) -> None:
    customer_id, (first,) = await books.customer(1_000)
    await captured(books, customer_id, (first, 1_000))
    with pytest.raises(DBAPIError, match="does not balance"):
        async with books.store.begin("test") as tx:
            await tx.run(
                """INSERT INTO journal_lines (entry_id, position, account, holder, customer_id, currency, amount)
                   SELECT id, 99, 'clearing', 'x', customer_id, currency, 1 FROM journal_entries"""
            )
    assert await books.is_conserved()
