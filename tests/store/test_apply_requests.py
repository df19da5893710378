"""Requests to apply a credit: what they hold, who decides, what an ERP's answer does; ending one restores nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from random import Random

import pytest
import pytest_asyncio
from sqlalchemy.exc import DBAPIError

from activities.applying import Alarm
from domain.allocation import Line
from store import checks
from store.staff_accounts import Role
from tests import machine
from tests.store.money import books_of
from tests.store.requests import Desk


@pytest_asyncio.fixture
async def desk(database: machine.Database) -> AsyncIterator[Desk]:
    async with books_of(database) as opened:
        yield Desk(opened)


async def limit(desk: Desk, minor: int) -> None:
    await desk.books.damage(
        """INSERT INTO settings (name, version, value, changed_by, changed_at)
           VALUES ('approval_limit', 1, jsonb_build_object('USD', cast(:minor AS bigint)), 'test', :at)""",
        minor=minor,
        at=desk.books.at,
    )


async def test_a_request_holds_both_sides_and_its_approval_settles_them(desk: Desk) -> None:
    customer_id, (first, second) = await desk.books.customer(1_000, 2_000)
    credit_id = await desk.credit(customer_id, 1_500)
    agent = await desk.staff(Role.AGENT)
    request_id = await desk.asked(customer_id, credit_id, (first, 1_000), (second, 500))
    assert await desk.left(credit_id) == (1_500, 1_500)
    assert await desk.books.balance(first) == (1_000, 1_000)
    assert await desk.books.balance(second) == (2_000, 500)
    assert (await desk.decide(request_id, "approve", agent)).state == "posting"
    assert await desk.left(credit_id) == (0, 0)
    assert await desk.books.balance(first) == (0, 0)
    assert await desk.books.balance(second) == (1_500, 0)
    assert await desk.books.journal(f"{request_id}-applied-1") == {
        ("credits", customer_id, None, 1_500),
        ("receivable", customer_id, first, -1_000),
        ("receivable", customer_id, second, -500),
    }
    await desk.confirm(f"{request_id}-applied-1")
    assert await desk.state(request_id) == "applied"
    assert await desk.books.count("outbox", "template = 'request_decided'") == 1
    # Before the read-back and after it the figures are the same, on either side, in whichever order they come.
    await desk.books.change(first, total=1_000, settled=1_000)
    assert await desk.books.balance(first) == (0, 0)
    erp_id = (await desk.books.one("SELECT erp_id FROM credits")).erp_id
    await desk.tell_credit(customer_id, erp_id, 1_500, used=1_500)
    assert await desk.left(credit_id) == (0, 0)
    assert await desk.books.is_conserved()


@pytest.mark.parametrize("ending", ["reject", "withdraw", "expire"])
@pytest.mark.parametrize("edited", [False, True])
async def test_ending_a_request_leaves_every_document_as_it_is_then(desk: Desk, ending: str, edited: bool) -> None:
    customer_id, (invoice_id, other) = await desk.books.customer(1_000, 500)
    credit_id = await desk.credit(customer_id, 800)
    before = await desk.untouched(credit_id, [invoice_id, other])
    request_id = await desk.asked(customer_id, credit_id, (invoice_id, 800))
    assert await desk.untouched(credit_id, [invoice_id, other]) == before
    if edited:
        erp_id = (await desk.books.one("SELECT erp_id FROM credits")).erp_id
        await desk.tell_credit(customer_id, erp_id, 800, used=100, origin="edited meanwhile")
        await desk.books.change(invoice_id, total=900, settled=50)
        before = await desk.untouched(credit_id, [invoice_id, other])
    if ending == "expire":
        desk.books.at += timedelta(days=30)
        await desk.alarm(request_id)
    else:
        await desk.decide(request_id, ending, "somebody", text="Not this one")
    assert await desk.state(request_id) == {"reject": "rejected", "withdraw": "withdrawn", "expire": "expired"}[ending]
    assert await desk.untouched(credit_id, [invoice_id, other]) == before
    assert await desk.left(credit_id) == (700 if edited else 800, 0)
    assert await desk.books.balance(invoice_id) == (850 if edited else 1_000, 0)
    assert await desk.books.count("holds") == await desk.books.count("credit_holds") == 0
    assert await desk.books.count("allocations") == await desk.books.count("postings") == 0


async def test_what_is_held_is_neither_paid_nor_asked_for_again(desk: Desk) -> None:
    customer_id, (invoice_id,) = await desk.books.customer(1_000)
    credit_id = await desk.credit(customer_id, 1_000)
    await desk.asked(customer_id, credit_id, (invoice_id, 1_000))
    _, answer = await desk.books.open(desk.books.request(customer_id, [(invoice_id, 1)]))
    assert answer is not None
    assert answer.rule == "invoice_requested"
    other = await desk.credit(customer_id, 500)
    assert (await desk.ask(customer_id, other, (invoice_id, 1)))[1].rule == "invoice_requested"
    _, (more,) = customer_id, [(await desk.books.customer(300))[1][0]]
    assert (await desk.ask(customer_id, credit_id, (more, 1)))[1].rule == "credit_used_up"


async def test_an_invoice_or_a_credit_of_another_customer_does_not_exist(desk: Desk) -> None:
    customer_id, (invoice_id,) = await desk.books.customer(1_000)
    stranger_id, (theirs,) = await desk.books.customer(1_000)
    credit_id = await desk.credit(customer_id, 1_000)
    assert (await desk.ask(customer_id, credit_id, (theirs, 10)))[1].rule == "invoice_not_found"
    assert (await desk.ask(stranger_id, credit_id, (theirs, 10)))[1].rule == "credit_not_found"
    assert (await desk.ask(customer_id, "crd_nothing", (invoice_id, 10)))[1].rule == "credit_not_found"
    request_id = await desk.asked(customer_id, credit_id, (invoice_id, 10))
    answer = await desk.decide(request_id, "withdraw", "them", customer_ids=(stranger_id,))
    assert answer.rule == "request_not_found"
    assert await desk.state(request_id) == "submitted"


async def test_the_switch_refuses_a_request_and_lets_open_ones_run_on(desk: Desk) -> None:
    customer_id, (invoice_id,) = await desk.books.customer(1_000)
    credit_id = await desk.credit(customer_id, 1_000)
    request_id = await desk.asked(customer_id, credit_id, (invoice_id, 100))
    await desk.books.damage(
        """INSERT INTO settings (name, version, value, changed_by, changed_at)
           VALUES ('requests_credit_notes', 1, 'false', 'test', :at)""",
        at=desk.books.at,
    )
    assert (await desk.ask(customer_id, credit_id, (invoice_id, 100)))[1].rule == "credits_not_requested"
    assert (await desk.decide(request_id, "approve", await desk.staff(Role.AGENT))).state == "posting"


async def test_part_of_a_request_is_approved_by_line_and_the_rest_is_free(desk: Desk) -> None:
    customer_id, (first, second) = await desk.books.customer(1_000, 1_000)
    credit_id = await desk.credit(customer_id, 1_500)
    request_id = await desk.asked(customer_id, credit_id, (first, 1_000), (second, 500))
    agent = await desk.staff(Role.AGENT)
    more = (Line(invoice_id=first, minor=1_001),)
    assert (await desk.decide(request_id, "approve", agent, lines=more)).rule == "lines_differ"
    part = (Line(invoice_id=first, minor=400),)
    assert (await desk.decide(request_id, "approve", agent, lines=part)).state == "posting"
    assert await desk.left(credit_id) == (1_100, 0)
    assert await desk.books.balance(first) == (600, 0)
    assert await desk.books.balance(second) == (1_000, 0)


async def test_an_answer_is_to_the_question_that_was_read(desk: Desk) -> None:
    customer_id, (invoice_id,) = await desk.books.customer(1_000)
    request_id = await desk.asked(customer_id, await desk.credit(customer_id, 800), (invoice_id, 800))
    await desk.decide(request_id, "ask", await desk.staff(Role.AGENT), text="Which delivery was it?")
    assert (await desk.decide(request_id, "answer", "them", version=1, text="May")).rule == "request_moved_on"
    assert (await desk.decide(request_id, "answer", "them", text="May")).state == "submitted"


async def test_approval_looks_again_and_refuses_what_the_erp_has_used_meanwhile(desk: Desk) -> None:
    customer_id, (invoice_id,) = await desk.books.customer(1_000)
    credit_id = await desk.credit(customer_id, 800)
    request_id = await desk.asked(customer_id, credit_id, (invoice_id, 800))
    agent = await desk.staff(Role.AGENT)
    await desk.books.change(invoice_id, total=1_000, settled=900)
    assert (await desk.decide(request_id, "approve", agent)).rule == "amount_exceeds_available"
    assert await desk.books.count("differences", "kind = 'hold_exceeds_open' AND closed_at IS NULL") == 1
    await desk.books.change(invoice_id, total=1_000)
    erp_id = (await desk.books.one("SELECT erp_id FROM credits")).erp_id
    await desk.tell_credit(customer_id, erp_id, 800, used=300)
    assert (await desk.decide(request_id, "approve", agent)).rule == "amount_exceeds_credit"
    assert await desk.books.count("differences", "kind = 'credit_overused' AND closed_at IS NULL") == 1
    assert await desk.state(request_id) == "submitted"
    await desk.decide(request_id, "reject", agent, text="Used elsewhere")
    assert await desk.books.count("differences", "closed_at IS NULL") == 0


async def test_what_waited_for_a_person_because_of_a_request_ends_with_it(desk: Desk) -> None:
    customer_id, (invoice_id,) = await desk.books.customer(1_000)
    request_id = await desk.asked(customer_id, await desk.credit(customer_id, 800), (invoice_id, 800))
    await desk.books.change(invoice_id, total=1_000, settled=900)
    assert await desk.books.count("differences", "kind = 'hold_exceeds_open' AND closed_at IS NULL") == 1
    await desk.decide(request_id, "withdraw", "them")
    assert await desk.books.count("differences", "closed_at IS NULL") == 0


async def test_a_decision_about_what_is_no_longer_so_is_refused(desk: Desk) -> None:
    customer_id, (invoice_id,) = await desk.books.customer(1_000)
    credit_id = await desk.credit(customer_id, 800)
    request_id = await desk.asked(customer_id, credit_id, (invoice_id, 800))
    agent = await desk.staff(Role.AGENT)
    await desk.decide(request_id, "ask", agent, version=1, text="Which delivery was it?")
    assert (await desk.decide(request_id, "approve", agent, version=1)).rule == "request_moved_on"
    assert (await desk.decide(request_id, "answer", "portal link", text="The one of May")).state == "submitted"
    stale = await desk.decide(request_id, "approve", agent, facts_hash="what another page showed")
    assert stale.rule == "facts_moved"
    assert (await desk.decide(request_id, "reject", agent, text=" ")).rule == "reason_needed"
    assert await desk.state(request_id) == "submitted"


async def test_the_same_decision_taken_twice_is_one(desk: Desk) -> None:
    customer_id, (invoice_id,) = await desk.books.customer(1_000)
    credit_id = await desk.credit(customer_id, 800)
    request_id = await desk.asked(customer_id, credit_id, (invoice_id, 800))
    agent = await desk.staff(Role.AGENT)
    for _ in range(2):
        assert (await desk.decide(request_id, "approve", agent, version=1, decision_id="d")).state == "posting"
    assert await desk.books.count("postings") == 1


async def test_above_the_limit_two_people_approve_and_the_second_has_the_role(desk: Desk) -> None:
    await limit(desk, 500)
    customer_id, (invoice_id,) = await desk.books.customer(1_000)
    credit_id = await desk.credit(customer_id, 800)
    request_id = await desk.asked(customer_id, credit_id, (invoice_id, 501))
    agent, colleague = await desk.staff(Role.AGENT), await desk.staff(Role.AGENT)
    first, second = await desk.staff(Role.APPROVER), await desk.staff(Role.APPROVER)
    assert (await desk.decide(request_id, "approve", first)).state == "second"
    assert await desk.left(credit_id) == (800, 501)
    assert (await desk.decide(request_id, "approve", first)).rule == "second_person_needed"
    for lesser in (agent, colleague):
        assert (await desk.decide(request_id, "approve", lesser)).rule == "approver_needed"
    assert (await desk.decide(request_id, "approve", second)).state == "posting"
    row = await desk.books.one("SELECT first_by, second_by, needs_second FROM apply_requests")
    assert (row.first_by, row.second_by, row.needs_second) == (first, second, True)


async def test_the_database_itself_refuses_one_person_twice_and_a_missing_second(desk: Desk) -> None:
    await limit(desk, 500)
    customer_id, (invoice_id,) = await desk.books.customer(1_000)
    credit_id = await desk.credit(customer_id, 800)
    request_id = await desk.asked(customer_id, credit_id, (invoice_id, 501))
    await desk.decide(request_id, "approve", await desk.staff(Role.AGENT))
    for change in ("second_by = first_by", "state = 'posting'"):
        with pytest.raises(DBAPIError, match="check constraint"):
            await desk.books.rows(f"UPDATE apply_requests SET {change} WHERE id = :id RETURNING 1", id=request_id)


async def test_the_limit_itself_needs_one_person(desk: Desk) -> None:
    await limit(desk, 500)
    customer_id, (invoice_id,) = await desk.books.customer(1_000)
    request_id = await desk.asked(customer_id, await desk.credit(customer_id, 800), (invoice_id, 500))
    assert (await desk.decide(request_id, "approve", await desk.staff(Role.AGENT))).state == "posting"


async def test_an_erp_that_says_no_returns_the_request_to_staff_with_its_words(desk: Desk) -> None:
    customer_id, (invoice_id,) = await desk.books.customer(1_000)
    credit_id = await desk.credit(customer_id, 800)
    request_id = await desk.asked(customer_id, credit_id, (invoice_id, 800))
    agent = await desk.staff(Role.AGENT)
    await desk.decide(request_id, "approve", agent)
    await desk.refuse(f"{request_id}-applied-1")
    row = await desk.books.one("SELECT state, erp_words, first_by, remind_at FROM apply_requests")
    assert (row.state, row.erp_words, row.first_by) == ("posting_failed", "The period is closed.", None)
    assert row.remind_at is not None
    assert await desk.left(credit_id) == (800, 800)
    assert await desk.books.balance(invoice_id) == (1_000, 800)
    assert (await desk.decide(request_id, "approve", agent)).state == "posting"
    await desk.confirm(f"{request_id}-applied-2")
    assert await desk.state(request_id) == "applied"
    assert await desk.left(credit_id) == (0, 0)
    assert await desk.books.balance(invoice_id) == (200, 0)
    assert await desk.books.is_conserved()


async def test_undoing_reserves_both_sides_until_the_erp_has_undone_it(desk: Desk) -> None:
    customer_id, (invoice_id,) = await desk.books.customer(1_000)
    credit_id = await desk.credit(customer_id, 800)
    request_id = await desk.asked(customer_id, credit_id, (invoice_id, 800))
    agent = await desk.staff(Role.AGENT)
    await desk.decide(request_id, "approve", agent)
    assert (await desk.decide(request_id, "undo", agent, text="Too early")).rule == "request_moved_on"
    await desk.confirm(f"{request_id}-applied-1")
    assert (await desk.decide(request_id, "undo", agent, text="Wrong invoice")).state == "undoing"
    assert await desk.left(credit_id) == (800, 800)
    assert await desk.books.balance(invoice_id) == (1_000, 800)
    await desk.refuse(f"{request_id}-undone-2", "That period is closed.")
    assert await desk.state(request_id) == "applied"
    assert await desk.left(credit_id) == (0, 0)
    assert await desk.books.balance(invoice_id) == (200, 0)
    await desk.decide(request_id, "undo", agent, text="Wrong invoice")
    await desk.confirm(f"{request_id}-undone-3")
    assert await desk.state(request_id) == "undone"
    assert await desk.left(credit_id) == (800, 0)
    assert await desk.books.balance(invoice_id) == (1_000, 0)
    assert await desk.books.is_conserved()


async def test_a_read_during_which_an_application_may_have_landed_is_left_and_read_again(desk: Desk) -> None:
    """The ERP shows (credit, invoice) without a reference of ours: counted or not, nobody could say."""
    customer_id, (invoice_id,) = await desk.books.customer(1_000)
    credit_id = await desk.credit(customer_id, 800)
    request_id = await desk.asked(customer_id, credit_id, (invoice_id, 800))
    await desk.decide(request_id, "approve", await desk.staff(Role.AGENT))
    await desk.send(f"{request_id}-applied-1")
    erp_id = (await desk.books.one("SELECT erp_id FROM credits")).erp_id
    await desk.books.change(invoice_id, total=1_000, settled=800)
    await desk.tell_credit(customer_id, erp_id, 800, used=800)
    assert await desk.books.balance(invoice_id) == (200, 0)
    assert await desk.left(credit_id) == (0, 0)


async def test_staff_are_reminded_then_approvers_then_it_expires_each_once(desk: Desk) -> None:
    customer_id, (invoice_id,) = await desk.books.customer(1_000)
    credit_id = await desk.credit(customer_id, 800)
    request_id = await desk.asked(customer_id, credit_id, (invoice_id, 800))
    for role in (Role.VIEWER, Role.AGENT, Role.APPROVER, Role.ADMIN):
        await desk.staff(role)
    told = []
    for _ in range(32):
        await desk.alarm(request_id)
        await desk.alarm(request_id)
        told.append(await desk.books.count("outbox", "template = 'request_waits_staff'"))
        desk.books.at += timedelta(days=1)
    # Sunday 22 November: Monday is the first working day, so two more are Wednesday, five the Monday after.
    assert [day for day in range(1, 32) if told[day] != told[day - 1]] == [3, 8]
    assert (told[3], told[-1]) == (3, 5)
    assert await desk.state(request_id) == "expired"


@pytest.mark.parametrize("rounds", [1, pytest.param(10, marks=pytest.mark.long)])
async def test_ten_act_at_once_on_each_of_many_requests_and_one_wins(desk: Desk, rounds: int) -> None:
    """Twenty requests a round: five approvals by two people, two withdrawals, a rejection, its expiry, the ERP's edit."""
    await limit(desk, 100)
    people = [await desk.staff(Role.APPROVER), await desk.staff(Role.APPROVER)]
    random = Random(4)
    actions = [("approve", 0), ("approve", 0), ("approve", 1), ("approve", 1), ("withdraw", 0), ("withdraw", 1)]
    actions += [("reject", 0), ("approve", 1)]

    async def act(request_id: str, action: str, who: int) -> None:
        await asyncio.sleep(random.random() / 20)
        await desk.decide(request_id, action, people[who], text="No")

    async def read(invoice_id: str) -> None:
        await desk.books.change(invoice_id, total=1_000)

    async def expire(request_id: str) -> None:
        await asyncio.sleep(random.random() / 20)
        await desk.applying.alarm_request(Alarm(request_id=request_id, at=desk.books.at + timedelta(days=40)))

    for _ in range(rounds):
        customer_id, ids = await desk.books.customer(*[1_000] * 20)
        requests = [await desk.asked(customer_id, await desk.credit(customer_id, 500), (each, 400)) for each in ids]
        await asyncio.gather(
            *(act(request_id, action, who) for request_id in requests for action, who in actions),
            *(expire(request_id) for request_id in requests),
            *(read(each) for each in ids),
        )
    rows = await desk.books.rows("SELECT * FROM apply_requests")
    for row in rows:
        held = await desk.books.count("holds", "holder_id = :id", id=row.id)
        posted = await desk.books.count("postings", "request_id = :id", id=row.id)
        assert (row.state in {"submitted", "second"}) == (held == 1)
        assert (row.state == "posting") == (posted == 1)
        if row.state == "posting":
            assert {row.first_by, row.second_by} == set(people)
    assert {row.state for row in rows} <= {"posting", "withdrawn", "rejected", "expired", "second", "submitted"}
    assert await desk.books.count("balances", "held > open OR open < 0") == 0
    assert await desk.books.is_conserved()


async def test_what_one_person_approved_needs_another_one_even_if_the_limit_is_lifted_meanwhile(desk: Desk) -> None:
    await limit(desk, 500)
    customer_id, (invoice_id,) = await desk.books.customer(1_000)
    request_id = await desk.asked(customer_id, await desk.credit(customer_id, 800), (invoice_id, 600))
    first, second = await desk.staff(Role.APPROVER), await desk.staff(Role.APPROVER)
    assert (await desk.decide(request_id, "approve", first)).state == "second"
    await desk.books.damage("DELETE FROM settings WHERE name = 'approval_limit'")
    assert (await desk.decide(request_id, "approve", first)).rule == "second_person_needed"
    assert (await desk.decide(request_id, "approve", second)).state == "posting"


async def test_what_is_held_after_the_erp_refused_a_part_is_that_part_whatever_is_said_about_it(desk: Desk) -> None:
    customer_id, (first, other) = await desk.books.customer(1_000, 1_000)
    credit_id = await desk.credit(customer_id, 1_500)
    request_id = await desk.asked(customer_id, credit_id, (first, 1_000), (other, 500))
    agent = await desk.staff(Role.AGENT)
    await desk.decide(request_id, "approve", agent, lines=(Line(invoice_id=first, minor=400),))
    await desk.refuse(f"{request_id}-applied-1")
    assert await desk.left(credit_id) == (1_500, 400)
    for action, text in (("ask", "Which delivery was it?"), ("answer", "The one of May")):
        await desk.decide(request_id, action, agent, text=text)
        assert await holds_are_in_use(desk)
    await limit(desk, 100)
    assert (await desk.decide(request_id, "approve", agent, lines=(Line(invoice_id=first, minor=300),))).state == "second"
    assert await holds_are_in_use(desk)
    approver = await desk.staff(Role.APPROVER)
    assert (await desk.decide(request_id, "approve", approver)).state == "posting"
    assert await desk.books.balance(first) == (700, 0)
    assert await desk.left(credit_id) == (1_200, 0)


async def holds_are_in_use(desk: Desk) -> bool:
    async with desk.books.store.begin("test") as tx:
        return (await checks.look(tx, checks.HOLDS_IN_USE, at=desk.books.at, horizons=checks.Horizons())).holds
