"""Requests of customers that went wrong elsewhere, each played against Duly and against the variant that it happened to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio

from domain.allocation import Line
from store import apply_requests
from store.identity import fresh_id
from store.staff_accounts import Role
from tests import machine
from tests.naive import hubs
from tests.store.money import ERP, books_of
from tests.store.requests import Desk


@pytest_asyncio.fixture
async def desk(database: machine.Database) -> AsyncIterator[Desk]:
    async with books_of(database) as opened:
        yield Desk(opened)


# ---------------------------------------------------------------- looked at, then decided (hmis #23833)


async def used_meanwhile(desk: Desk) -> tuple[str, str]:
    """A request for 800 of a credit of which a person used 500 in the ERP since: its id, and the credit's."""
    customer_id, (invoice_id,) = await desk.books.customer(1_000)
    credit_id = await desk.credit(customer_id, 800)
    return await desk.asked(customer_id, credit_id, (invoice_id, 800)), credit_id


async def use_500(desk: Desk, credit_id: str) -> None:
    row = await desk.books.one("SELECT customer_id, erp_id FROM credits WHERE id = :id", id=credit_id)
    await desk.tell_credit(row.customer_id, row.erp_id, 800, used=500)


async def test_an_approval_that_was_checked_before_the_lock_applies_what_is_no_longer_there(desk: Desk) -> None:
    request_id, credit_id = await used_meanwhile(desk)
    async with desk.books.store.begin("naive") as tx:
        row = await apply_requests.load(tx, request_id, lock=True)
        assert row is not None
        asked = [Line(invoice_id=each.invoice_id, minor=each.minor) for each in await apply_requests.lines(tx, request_id)]
        credit, _ = await apply_requests.both_sides(tx, request_id, credit_id, [each.invoice_id for each in asked])
        assert credit is not None
        assert credit.available_minor == 800, "checked, and the lock ends here"
    await use_500(desk, credit_id)
    async with desk.books.store.begin("naive") as tx:
        await apply_requests.approve(tx, row, asked, by="ann", needs_second=False, erp=ERP, at=desk.books.at)
    assert await desk.left(credit_id) == (-500, 0)


async def test_an_approval_looks_at_what_is_there_under_its_own_lock(desk: Desk) -> None:
    request_id, credit_id = await used_meanwhile(desk)
    agent = await desk.staff(Role.AGENT)
    await use_500(desk, credit_id)
    assert (await desk.decide(request_id, "approve", agent)).rule == "amount_exceeds_credit"
    assert await desk.left(credit_id) == (300, 800)


# ---------------------------------------------------------------- a form that is sent three times (invoiceninja #6491)


async def test_a_request_of_each_submission_is_three(desk: Desk) -> None:
    customer_id, (invoice_id,) = await desk.books.customer(1_000)
    credit_id = await desk.credit(customer_id, 1_000)
    for _ in range(3):
        await desk.asked(customer_id, credit_id, (invoice_id, 300))
    assert await desk.left(credit_id) == (1_000, 900)


async def test_a_form_that_is_sent_three_times_at_once_is_one_request(desk: Desk) -> None:
    customer_id, (invoice_id,) = await desk.books.customer(1_000)
    credit_id, request_id = await desk.credit(customer_id, 1_000), fresh_id("req")
    answers = await asyncio.gather(
        *(desk.ask(customer_id, credit_id, (invoice_id, 300), request_id=request_id) for _ in range(3))
    )
    assert {answer.state for _, answer in answers} == {"submitted"}
    assert await desk.books.count("apply_requests") == 1
    assert await desk.left(credit_id) == (1_000, 300)


# ---------------------------------------------------------------- whose id it is (Dolibarr #38947, InvoiceShelf #565)


async def test_whoever_knows_an_id_withdraws_a_strangers_request_where_only_the_id_is_asked_for(desk: Desk) -> None:
    request_id, _ = await used_meanwhile(desk)
    async with desk.books.store.begin("naive") as tx:
        assert await hubs.withdraw_by_id(tx, request_id)
    assert await desk.state(request_id) == "withdrawn"


async def test_a_strangers_request_does_not_exist_here(desk: Desk) -> None:
    request_id, credit_id = await used_meanwhile(desk)
    stranger, _ = await desk.books.customer(1_000)
    for action in ("withdraw", "answer"):
        answer = await desk.decide(request_id, action, "portal link", customer_ids=(stranger,), text="mine")
        assert answer.rule == "request_not_found"
    assert (await desk.state(request_id), await desk.left(credit_id)) == ("submitted", (800, 800))
    _, refused = await desk.ask(stranger, credit_id, ("inv_of_nobody", 300))
    assert refused.rule == "credit_not_found"
