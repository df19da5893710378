"""Refunds on the books: never above what was captured, nothing moves before the provider says so, and back by reversal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
from sqlalchemy.exc import IntegrityError

from connectors.payments.ports import ChargeStatus, RefundStatus
from domain import refunds as rules
from domain.lifecycles import RefundState
from store import business, checks, refunds, wanted
from tests import machine
from tests.store.money import AT, Books, books_of
from tests.store.refunding import Counter


@pytest_asyncio.fixture
async def books(database: machine.Database) -> AsyncIterator[Books]:
    async with books_of(database) as opened:
        yield opened


@pytest.fixture
def counter(books: Books) -> Counter:
    return Counter(books)


async def healthy(books: Books) -> list[str]:
    """The names of the invariants that are broken."""
    async with books.store.begin("test") as tx:
        looked = [await checks.look(tx, each, at=books.at, horizons=checks.Horizons()) for each in checks.INVARIANTS]
    return [f"{each.name}: {each.offenders}" for each in looked if not each.holds]


async def test_of_twenty_refunds_of_sixty_percent_at_once_exactly_one_is_granted(books: Books, counter: Counter) -> None:
    for _ in range(5):
        payment_id, (invoice_id,) = await counter.paid(1_000)
        asked = [counter.ask(counter.request(payment_id, 600, [(invoice_id, 600)])) for _ in range(20)]
        answers = await asyncio.gather(*asked)
        assert [step for step, _ in answers].count("send") == 1
        rules_told = {answer.rule for step, answer in answers if step != "send" and answer is not None}
        assert rules_told == {"refund_above_captured"}
        assert await counter.sums(payment_id) == (600, 0)
    assert not await healthy(books)


async def test_three_copies_of_one_request_answer_the_same(books: Books, counter: Counter) -> None:
    payment_id, (invoice_id,) = await counter.paid(1_000)
    request = counter.request(payment_id, 1_000, [(invoice_id, 1_000)])
    assert await asyncio.gather(*(counter.ask(request) for _ in range(3))) == [("send", None)] * 3
    assert await counter.sums(payment_id) == (1_000, 0)
    too_much = counter.request(payment_id, 1)
    refused = await asyncio.gather(*(counter.ask(too_much) for _ in range(3)))
    assert {(step, answer.rule if answer else None) for step, answer in refused} == {("answer", "refund_above_captured")}


async def test_another_run_asks_before_it_sends_and_another_form_is_refused(counter: Counter) -> None:
    payment_id, (invoice_id,) = await counter.paid(1_000)
    request = counter.request(payment_id, 100, [(invoice_id, 100)])
    await counter.ask(request)
    assert await counter.ask(request, run_id="run-2") == ("ask", None)
    other = counter.request(payment_id, 900, [(invoice_id, 900)], refund_id=request.refund_id, request_hash="other")
    step, answer = await counter.ask(other)
    assert (step, answer.rule if answer else None) == ("answer", "form_used_differently")


async def test_nothing_is_booked_before_the_provider_says_that_it_succeeded(books: Books, counter: Counter) -> None:
    payment_id, (invoice_id,) = await counter.paid(1_000)
    refund_id = await counter.sent(payment_id, 400, (invoice_id, 400))
    for status in (RefundStatus.PENDING, RefundStatus.PROCESSING):
        await counter.told(refund_id, status)
        assert await books.balance(invoice_id) == (0, 0)
        assert await books.count("postings", "kind = 'refund'") == 0
        assert await counter.sums(payment_id) == (400, 0)
    assert (await counter.told(refund_id, RefundStatus.SUCCEEDED)).changed
    assert await books.balance(invoice_id) == (400, 0)
    assert await counter.sums(payment_id) == (0, 400)
    assert await books.journal(f"{refund_id}/refunded") == {
        ("clearing", "sandbox", None, -400),
        ("receivable", (await books.one("SELECT customer_id AS id FROM payments")).id, invoice_id, 400),
    }
    assert await books.count("postings", "kind = 'refund' AND amount = 400") == 1
    assert await books.count("outbox", "template = 'refund_done'") == 1
    assert not (await counter.told(refund_id, RefundStatus.SUCCEEDED)).changed
    assert not await healthy(books)


async def test_an_unknown_refund_stays_reserved_and_is_never_failed_by_silence(books: Books, counter: Counter) -> None:
    payment_id, (invoice_id,) = await counter.paid(1_000)
    refund_id = await counter.sent(payment_id, 600, (invoice_id, 600))
    for why in ("unknown", "nothing"):
        await counter.refunding.record(refund_id, why, None, None)
        assert await counter.state(refund_id) == RefundState.UNKNOWN
    step, answer = await counter.ask(counter.request(payment_id, 600, [(invoice_id, 600)]))
    assert (step, answer.rule if answer else None) == ("answer", "refund_above_captured")
    await counter.told(refund_id, RefundStatus.SUCCEEDED)
    assert await counter.sums(payment_id) == (0, 600)
    assert not await healthy(books)


async def test_staff_are_told_once_when_it_lasts_and_again_after_a_day(books: Books, counter: Counter) -> None:
    await counter.person("stf_bob")
    payment_id, (invoice_id,) = await counter.paid(1_000)
    refund_id = await counter.sent(payment_id, 600, (invoice_id, 600))
    await counter.refunding.record(refund_id, "unknown", None, None)
    told = []
    for minutes in (29, 2, 60, 23 * 60, 60):
        books.at += timedelta(minutes=minutes)
        await counter.refunding.note_check(refund_id, next_at=books.at)
        told.append(await books.count("outbox", "template = 'unknown_refund_staff'"))
    assert told == [0, 1, 1, 2, 2]


async def test_a_refund_that_fails_leaves_the_books_as_they_were_and_its_room_is_free(
    books: Books, counter: Counter
) -> None:
    payment_id, (invoice_id,) = await counter.paid(1_000)
    refund_id = await counter.sent(payment_id, 600, (invoice_id, 600))
    await counter.told(refund_id, RefundStatus.FAILED)
    assert await counter.sums(payment_id) == (0, 0)
    assert await books.balance(invoice_id) == (0, 0)
    assert not (await counter.told(refund_id, RefundStatus.SUCCEEDED)).changed, "a stale success after a failure"
    await counter.sent(payment_id, 1_000, (invoice_id, 1_000))
    assert not await healthy(books)


async def test_a_refund_that_fails_after_success_is_booked_back_and_whoever_paid_meanwhile_keeps_it(
    books: Books, counter: Counter
) -> None:
    payment_id, (first, second) = await counter.paid(1_000, 500)
    refund_id = await counter.sent(payment_id, 1_500, (first, 1_000), (second, 500))
    await counter.told(refund_id, RefundStatus.SUCCEEDED)
    customer_id = (await books.one("SELECT customer_id AS id FROM payments")).id
    other = await books.opened(customer_id, (first, 700))
    await books.record(other, ChargeStatus.CAPTURED)
    await counter.told(refund_id, RefundStatus.FAILED)
    assert await counter.state(refund_id) == RefundState.FAILED
    assert await books.allocated(payment_id) == {first: 300, second: 500}
    assert await books.allocated(other) == {first: 700}
    async with books.store.begin("test") as tx:
        assert await wanted.unapplied(tx, payment_id) == 700
    assert (await books.one("SELECT amount FROM wanted WHERE payment_id = :id", id=payment_id)).amount == 700
    assert await counter.sums(payment_id) == (0, 0)
    assert await books.count("postings", "kind = 'refund_reversal' AND amount = 1500") == 1
    assert not (await counter.told(refund_id, RefundStatus.FAILED)).changed
    assert not await healthy(books)


async def test_a_return_of_the_payment_rejects_what_was_not_sent_and_takes_back_only_what_is_left(
    books: Books, counter: Counter
) -> None:
    payment_id, (invoice_id,) = await counter.paid(1_000)
    gone = await counter.sent(payment_id, 400, (invoice_id, 400))
    await counter.told(gone, RefundStatus.SUCCEEDED)
    asked = counter.request(payment_id, 100, [(invoice_id, 100)])
    await counter.ask(asked)
    await books.record(payment_id, ChargeStatus.RETURNED)
    assert await counter.state(asked.refund_id) == RefundState.REJECTED
    row = await books.one("SELECT returned, refunded, refunding FROM payments WHERE id = :id", id=payment_id)
    assert (row.returned, row.refunded, row.refunding) == (600, 400, 0)
    assert await books.balance(invoice_id) == (1_000, 0)
    assert not await counter.announce(asked.refund_id)
    assert not await healthy(books)


async def test_a_refund_on_its_way_while_the_payment_is_returned_ends_as_the_customers_debt(
    books: Books, counter: Counter
) -> None:
    payment_id, (invoice_id,) = await counter.paid(1_000)
    refund_id = await counter.sent(payment_id, 400, (invoice_id, 400))
    await books.record(payment_id, ChargeStatus.RETURNED)
    await counter.told(refund_id, RefundStatus.SUCCEEDED)
    assert await books.balance(invoice_id) == (1_000, 0)
    difference = await books.one("SELECT kind, amount FROM differences WHERE closed_at IS NULL")
    assert (difference.kind, difference.amount) == ("refund_after_return", 400)
    assert not await healthy(books)


async def test_lines_and_the_rest_are_bounded_by_what_lies_there_less_what_others_reserve(
    books: Books, counter: Counter
) -> None:
    payment_id, (first, second) = await counter.paid(1_000, 500)
    await counter.sent(payment_id, 700, (first, 700))
    for minor, lines, rule in (
        (301, [(first, 301)], "refund_line_above"),
        (100, [], "refund_unapplied_above"),
        (100, [(second, 200)], "refund_lines_exceed"),
        (100, [("inv_unknown", 100)], "invoice_not_found"),
        (100, [(first, 50), (first, 50)], "invoice_listed_twice"),
        (801, [(first, 300), (second, 500)], "refund_above_captured"),
    ):
        step, answer = await counter.ask(counter.request(payment_id, minor, lines))
        assert (step, answer.rule if answer else None) == ("answer", rule)
    step, answer = await counter.ask(counter.request(payment_id, 100, [(first, 100)], reason=" "))
    assert (step, answer.rule if answer else None) == ("answer", "refund_reason_needed")
    await counter.sent(payment_id, 800, (first, 300), (second, 500))
    assert not await healthy(books)


async def test_unapplied_money_that_a_refund_reserves_is_not_applied_meanwhile(books: Books, counter: Counter) -> None:
    customer_id, (invoice_id,) = await books.customer(1_000)
    late = await books.opened(customer_id, (invoice_id, 1_000))
    await books.record(late, ChargeStatus.EXPIRED)
    taker = await books.opened(customer_id, (invoice_id, 1_000))
    await books.record(late, ChargeStatus.CAPTURED)
    refund_id = await counter.sent(late, 600)
    await books.record(taker, ChargeStatus.DECLINED)
    assert await books.allocated(late) == {invoice_id: 400}, "the rest of it is on its way back"
    await counter.told(refund_id, RefundStatus.SUCCEEDED)
    assert await books.count("wanted") == 0, "what was given back is wanted no more"
    assert await books.balance(invoice_id) == (600, 0)
    assert not await healthy(books)


async def test_money_that_a_failed_refund_reserved_is_offered_to_what_it_wanted(books: Books, counter: Counter) -> None:
    customer_id, (invoice_id,) = await books.customer(1_000)
    late = await books.opened(customer_id, (invoice_id, 1_000))
    await books.record(late, ChargeStatus.EXPIRED)
    taker = await books.opened(customer_id, (invoice_id, 1_000))
    await books.record(late, ChargeStatus.CAPTURED)
    refund_id = await counter.sent(late, 1_000)
    await books.record(taker, ChargeStatus.DECLINED)
    assert await books.allocated(late) == {}
    await counter.told(refund_id, RefundStatus.FAILED)
    assert await books.allocated(late) == {invoice_id: 1_000}
    assert not await healthy(books)


async def test_above_the_limit_another_person_who_may_must_agree_to_what_they_saw(books: Books, counter: Counter) -> None:
    async with books.admin.begin("test") as tx:
        await business.change(tx, "approval_limit", {"USD": 500}, by="test", at=AT)
    ann, bob, cy = [
        await counter.person(name, role)
        for name, role in (("stf_ann", "admin"), ("stf_bob", "approver"), ("stf_cy", "agent"))
    ]
    payment_id, (invoice_id,) = await counter.paid(1_000)
    assert (await counter.ask(counter.request(payment_id, 500, [(invoice_id, 500)])))[0] == "send"
    payment_id, (invoice_id,) = await counter.paid(1_000)
    request = counter.request(payment_id, 501, [(invoice_id, 501)])
    step, answer = await counter.ask(request)
    assert (step, answer.state if answer else None) == ("wait", "awaiting_second")
    assert not await counter.announce(request.refund_id), "nothing leaves before the second person agreed"
    assert (await counter.decide(request.refund_id, ann)).rule == "second_person_needed"
    assert (await counter.decide(request.refund_id, cy)).rule == "not_allowed"
    assert (await counter.decide(request.refund_id, bob, version=2)).rule == "refund_moved_on"
    assert (await counter.decide(request.refund_id, bob)).state == "requested"
    assert (await counter.decide(request.refund_id, bob, agrees=False, version=2)).rule == "refund_moved_on"
    assert await counter.announce(request.refund_id)
    assert not await healthy(books)


async def test_a_rejected_refund_gives_its_room_back_and_of_ten_decisions_one_counts(books: Books, counter: Counter) -> None:
    async with books.admin.begin("test") as tx:
        await business.change(tx, "approval_limit", {"USD": 0}, by="test", at=AT)
    people = [await counter.person(f"stf_{number}") for number in range(10)]
    payment_id, (invoice_id,) = await counter.paid(1_000)
    request = counter.request(payment_id, 1_000, [(invoice_id, 1_000)])
    await counter.ask(request)
    said = (counter.decide(request.refund_id, by, agrees=number % 2 == 0) for number, by in enumerate(people))
    answers = await asyncio.gather(*said)
    assert sum(answer.rule is None for answer in answers) == 1
    is_rejected = await counter.state(request.refund_id) == RefundState.REJECTED
    assert await counter.sums(payment_id) == ((0, 0) if is_rejected else (1_000, 0))
    assert not await healthy(books)


@pytest.mark.parametrize(
    ("damage", "constraint"),
    [
        ("UPDATE refunds SET second_by = requested_by", "ck_refunds_two_people"),
        ("UPDATE refunds SET state = 'requested'", "ck_refunds_second_person"),
        ("UPDATE payments SET refunding = 1001", "ck_payments_refunds_within_captured"),
        ("UPDATE payments SET refunded = 1001, refunding = 0", "ck_payments_refunds_within_captured"),
    ],
)
async def test_the_database_itself_refuses_what_must_never_be(
    books: Books, counter: Counter, damage: str, constraint: str
) -> None:
    async with books.admin.begin("test") as tx:
        await business.change(tx, "approval_limit", {"USD": 0}, by="test", at=AT)
    payment_id, (invoice_id,) = await counter.paid(1_000)
    await counter.ask(counter.request(payment_id, 1_000, [(invoice_id, 1_000)]))
    with pytest.raises(IntegrityError, match=constraint):
        await books.rows(f"{damage} RETURNING 1")


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE payments SET refunded = 0",
        "UPDATE payments SET refunding = 5",
        "UPDATE refunds SET amount = amount + 1",
        "UPDATE refunds SET needs_second = true",
        "DELETE FROM postings WHERE kind = 'refund'",
    ],
)
async def test_duly_check_sees_refunds_that_do_not_add_up(books: Books, counter: Counter, damage: str) -> None:
    payment_id, (invoice_id,) = await counter.paid(1_000)
    refund_id = await counter.sent(payment_id, 400, (invoice_id, 400))
    await counter.told(refund_id, RefundStatus.SUCCEEDED)
    assert not await healthy(books)
    if damage.startswith("UPDATE refunds SET needs"):
        damage = "ALTER TABLE refunds DROP CONSTRAINT ck_refunds_second_person; UPDATE refunds SET needs_second = true"
    for statement in damage.split("; "):
        if not statement.startswith("UPDATE payments SET refunding"):
            await books.damage(statement)
        else:
            await books.damage(f"{statement} WHERE captured > 5")
    assert [each for each in await healthy(books) if each.startswith("refunds_within_captured")]


async def test_what_the_page_showed_must_still_be_so(books: Books, counter: Counter) -> None:
    payment_id, (invoice_id,) = await counter.paid(1_000)
    async with books.store.begin("test") as tx:
        facts = await refunds.refundable(tx, payment_id)
    assert facts is not None
    shown = rules.facts_hash(facts)
    await counter.sent(payment_id, 100, (invoice_id, 100))
    late = counter.request(payment_id, 100, [(invoice_id, 100)], facts_hash=shown)
    step, answer = await counter.ask(late)
    assert (step, answer.rule if answer else None) == ("answer", "refund_facts_changed")
