"""Opening and recording survive running twice and three times at once, and payers who race for the same invoices."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from random import Random

import pytest
import pytest_asyncio
from sqlalchemy.exc import DBAPIError

from activities.requests import PayRequest
from connectors.payments.ports import ChargeStatus
from domain.refusals import RULES
from store import invoices
from tests import machine
from tests.store.money import AT, PROVIDER, Books, books_of

ROUNDS = 100


@pytest_asyncio.fixture
async def books(database: machine.Database) -> AsyncIterator[Books]:
    async with books_of(database) as opened:
        yield opened


Copy = Callable[[Books, PayRequest], Awaitable[str]]


async def as_it_is(books: Books, request: PayRequest) -> str:
    """One copy of open_payment; what it answers in a word."""
    step, answer = await books.open(request)
    return step if answer is None else f"{step}: {answer.rule or answer.state}"


async def in_natural_order(books: Books, request: PayRequest) -> str:
    """How one would write it first: look for the own row, lock, check what is available, insert. It must fail."""
    line = request.lines[0]
    try:
        async with books.store.begin("naive") as tx:
            known = await tx.row("SELECT state FROM payments WHERE id = :id", id=request.payment_id)
            if known is not None:
                return "charge"
            await invoices.lock(tx, [line.invoice_id])
            room = await tx.row("SELECT available FROM invoice_states WHERE id = :id", id=line.invoice_id)
            if room is None or room.available < line.minor:
                return "answer: amount_exceeds_available"
            await tx.run(
                """INSERT INTO payments (id, customer_id, connection_id, currency, amount, state, run_id, request_hash, way,
                       method_kind, method_label, channel, started_by, opened_at, changed_at)
                   VALUES (:id, :customer, :connection, 'USD', :minor, 'charging', 'run-1', '', 'page', 'card', '', '', '',
                       :at, :at)""",
                id=request.payment_id,
                customer=request.customer_id,
                connection=PROVIDER,
                minor=line.minor,
                at=AT,
            )
            await tx.run(
                "INSERT INTO holds (holder_id, invoice_id, customer_id, amount, held_at) VALUES (:p, :i, :c, :minor, :at)",
                p=request.payment_id,
                i=line.invoice_id,
                c=request.customer_id,
                minor=line.minor,
                at=AT,
            )
    except DBAPIError:
        return "an error"
    return "charge"


async def race_copies(books: Books, copy: Copy, *, rounds: int, copies: int) -> None:
    """Every round: a payment of a whole invoice, opened by so many copies at once. All must answer the same."""
    customer_id, ids = await books.customer(*[1_000] * rounds)
    for invoice_id in ids:
        request = books.request(customer_id, [(invoice_id, 1_000)])
        answers = await asyncio.gather(*(copy(books, request) for _ in range(copies)))
        assert answers == ["charge"] * copies
    assert await books.count("holds") == rounds
    assert await books.count("payments", "state = 'charging'") == rounds


@pytest.mark.parametrize("copies", [2, 3])
async def test_copies_of_open_payment_at_once_all_answer_that_it_is_open(books: Books, copies: int) -> None:
    await race_copies(books, as_it_is, rounds=ROUNDS // 2, copies=copies)
    assert await books.count("timeline", "kind = 'held'") == ROUNDS // 2


async def test_the_natural_order_refuses_its_own_second_copy_and_this_test_sees_it(books: Books) -> None:
    with pytest.raises(AssertionError):
        await race_copies(books, in_natural_order, rounds=10, copies=3)


async def test_copies_of_a_refused_payment_all_answer_the_same_refusal(books: Books) -> None:
    customer_id, (invoice_id,) = await books.customer(1_000)
    await books.opened(customer_id, (invoice_id, 600))
    for _ in range(20):
        request = books.request(customer_id, [(invoice_id, 500)])
        answers = await asyncio.gather(*(books.open(request) for _ in range(3)))
        assert [(step, answer.rule) for step, answer in answers if answer is not None] == [
            ("answer", "amount_exceeds_available")
        ] * 3
        assert answers[0] == answers[1] == answers[2]
    assert await books.count("payments", "state = 'refused'") == 20
    assert await books.balance(invoice_id) == (1_000, 600)


async def test_another_run_of_an_open_payment_asks_before_it_charges(books: Books) -> None:
    customer_id, (invoice_id,) = await books.customer(1_000)
    request = books.request(customer_id, [(invoice_id, 1_000)])
    first = await books.open(request, run_id="run-1")
    assert first == ("charge", None)
    assert await books.open(request, run_id="run-2") == ("ask", None)
    assert await books.count("holds") == 1


async def test_the_same_payment_id_with_another_body_changes_nothing(books: Books) -> None:
    customer_id, (invoice_id, other_id) = await books.customer(1_000, 2_000)
    request = books.request(customer_id, [(invoice_id, 1_000)])
    await books.open(request)
    before = await books.rows("SELECT * FROM payments p JOIN holds h ON h.holder_id = p.id")
    another = books.request(
        customer_id, [(other_id, 2_000)], payment_id=request.payment_id, request_hash="hash of another form"
    )
    step, answer = await books.open(another)
    assert answer is not None
    assert (step, answer.rule) == ("answer", "form_used_differently")
    stranger_id, _ = await books.customer(1_000)
    _, answer = await books.open(books.request(stranger_id, [(invoice_id, 1_000)], payment_id=request.payment_id))
    assert answer is not None
    assert answer.rule == "not_found"
    assert await books.rows("SELECT * FROM payments p JOIN holds h ON h.holder_id = p.id") == before
    assert await books.count("timeline", "kind = 'refused'") == 0


async def test_copies_of_an_outcome_at_once_book_it_once(books: Books) -> None:
    customer_id, ids = await books.customer(*[1_000] * ROUNDS)
    for number, invoice_id in enumerate(ids):
        payment_id = await books.opened(customer_id, (invoice_id, 1_000))
        charge = await books.told(payment_id, ChargeStatus.CAPTURED)
        copies = 2 + number % 2
        states = await asyncio.gather(*(books.recording.record(payment_id, "told", charge, None) for _ in range(copies)))
        assert [now.state.value for now in states] == ["captured"] * copies
        assert sum(now.changed for now in states) == 1
    assert await books.count("postings") == await books.count("journal_entries") == await books.count("outbox") == ROUNDS
    assert await books.count("allocations") == ROUNDS
    assert await books.count("timeline", "kind = 'captured'") == ROUNDS
    assert await books.count("holds") == 0
    assert await books.count("payments", "captured = 1000") == ROUNDS
    assert await books.is_conserved()


async def test_every_order_of_what_is_told_at_once_has_one_end(books: Books) -> None:
    """A capture, a settlement and a return arrive together: it ends returned, each step booked once."""
    customer_id, ids = await books.customer(*[1_000] * 12)
    for number, invoice_id in enumerate(ids):
        payment_id = await books.opened(customer_id, (invoice_id, 1_000))
        news = [ChargeStatus.CAPTURED, ChargeStatus.SETTLED, ChargeStatus.RETURNED]
        Random(number).shuffle(news)
        await asyncio.gather(*(books.record(payment_id, status) for status in news * 2))
        row = await books.one("SELECT state, captured, returned FROM payments WHERE id = :id", id=payment_id)
        assert tuple(row) == ("returned", 1_000, 1_000)
        assert await books.balance(invoice_id) == (1_000, 0)
        entries = await books.rows("SELECT kind FROM journal_entries WHERE process_id = :id ORDER BY seq", id=payment_id)
        assert [entry.kind for entry in entries] == ["captured", "returned"]
    assert await books.count("outbox", "template = 'payment_returned'") == len(ids)
    assert await books.is_conserved()


async def test_a_payer_waits_for_whoever_is_taking_the_same_invoice_and_sees_what_is_left(books: Books) -> None:
    """The race made certain: the first payer has taken its part and not committed when the second begins."""
    customer_id, (invoice_id,) = await books.customer(1_000)
    first, second = (books.request(customer_id, [(invoice_id, 600)]) for _ in range(2))
    async with books.store.begin("first") as tx:
        await invoices.lock(tx, [invoice_id])
        await tx.run(
            """INSERT INTO holds (holder_id, invoice_id, customer_id, amount, held_at)
               VALUES (:holder, :invoice, :customer, 600, :at)""",
            holder=first.payment_id,
            invoice=invoice_id,
            customer=customer_id,
            at=AT,
        )
        behind = asyncio.create_task(books.open(second))
        async with asyncio.timeout(20):
            while not behind.done():
                waiting = await books.count("pg_stat_activity", "wait_event_type = 'Lock' AND datname = current_database()")
                if waiting:
                    break
                await asyncio.sleep(0.02)
        assert not behind.done(), "it decided without waiting"
    _, answer = await behind
    assert answer is not None
    assert answer.rule == "amount_exceeds_available"
    assert await books.balance(invoice_id) == (1_000, 600)


async def test_fifty_payers_race_for_ten_invoices_and_none_is_over(books: Books) -> None:
    customer_id, ids = await books.customer(*[1_000] * 10)
    random = Random(2026)
    requests = [books.request(customer_id, [(each, 400) for each in random.sample(ids, 5)]) for _ in range(50)]
    # An exception here would be a deadlock or a lock time-out: none is expected.
    answers = await asyncio.gather(*(books.open(request) for request in requests))
    opened = [step for step, answer in answers if answer is None]
    refused = [answer for _, answer in answers if answer is not None]
    assert opened
    assert len(opened) + len(refused) == 50
    assert {answer.rule for answer in refused} <= set(RULES)
    assert {answer.rule for answer in refused} <= {"amount_exceeds_available", "invoice_being_paid"}
    assert await books.count("holds") == 5 * len(opened)
    assert await books.count("balances", "held > open") == 0
    # Nobody was refused while there was room for all five of theirs.
    free = {row.id for row in await books.rows("SELECT id FROM invoice_states WHERE available >= 400")}
    refused_requests = [request for request, (_, answer) in zip(requests, answers, strict=True) if answer is not None]
    assert all(not {line.invoice_id for line in request.lines} <= free for request in refused_requests)
    assert await books.is_conserved()


async def test_payers_decliners_and_the_erp_race_and_no_money_is_lost(books: Books) -> None:
    """Openings, captures, declines and syncs of the same five invoices at once, in random order."""
    customer_id, ids = await books.customer(*[1_000] * 5)
    random = Random(7)

    async def pay(number: int) -> None:
        wished = random.sample(ids, 3)
        request = books.request(customer_id, [(each, 100) for each in wished])
        _, answer = await books.open(request)
        if answer is None:
            ends = [ChargeStatus.CAPTURED, ChargeStatus.DECLINED]
            await books.record(request.payment_id, ends[number % 2])

    async def sync() -> None:
        await books.change(random.choice(ids), total=1_000)

    await asyncio.gather(*(pay(number) for number in range(40)), *(sync() for _ in range(10)))
    assert await books.count("holds") == 0
    captured = await books.one("SELECT coalesce(sum(captured), 0) AS c FROM payments")
    allocated = await books.one("SELECT coalesce(sum(amount), 0) AS a FROM allocations")
    assert captured.c == allocated.a > 0
    assert await books.is_conserved()
