"""What protects a request: locks taken before facts are read, states that are compared, reads that are made again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from datetime import timedelta

import pytest
import pytest_asyncio

from activities.requests import FirstAnswer
from store import erp_credits, invoices, postings
from store.database import Transaction
from store.staff_accounts import Role
from tests import machine
from tests.store.money import ERP, books_of
from tests.store.requests import Desk


@pytest_asyncio.fixture
async def desk(database: machine.Database) -> AsyncIterator[Desk]:
    async with books_of(database) as opened:
        yield Desk(opened)


async def _behind(desk: Desk, tx: Transaction, asks: Awaitable[FirstAnswer]) -> asyncio.Task[FirstAnswer]:
    """Somebody asks while `tx` holds what they need: the race made certain."""
    task = asyncio.ensure_future(asks)
    async with asyncio.timeout(20):
        while not task.done():
            if await desk.books.count("pg_stat_activity", "wait_event_type = 'Lock' AND datname = current_database()"):
                break
            await asyncio.sleep(0.02)
    assert not task.done(), "it decided without waiting"
    del tx
    return task


@pytest.mark.parametrize("side", ["credit", "invoice"])
async def test_an_approval_waits_for_whoever_changes_either_side_and_sees_what_is_left(desk: Desk, side: str) -> None:
    customer_id, (invoice_id,) = await desk.books.customer(1_000)
    credit_id = await desk.credit(customer_id, 800)
    request_id = await desk.asked(customer_id, credit_id, (invoice_id, 800))
    agent = await desk.staff(Role.AGENT)
    async with desk.books.store.begin("first") as tx:
        if side == "credit":
            await erp_credits.lock(tx, credit_id)
            await tx.run("UPDATE credits SET used = 100 WHERE id = :id", id=credit_id)
        else:
            await invoices.lock(tx, [invoice_id])
            await tx.run("UPDATE invoices SET settled = 300 WHERE id = :id", id=invoice_id)
        behind = await _behind(desk, tx, desk.decide(request_id, "approve", agent, version=1))
    assert (await behind).rule == ("amount_exceeds_credit" if side == "credit" else "amount_exceeds_available")
    assert await desk.books.count("postings") == 0


@pytest.mark.parametrize("side", ["credit", "invoice"])
async def test_who_asks_waits_for_whoever_takes_the_same_credit_or_invoice(desk: Desk, side: str) -> None:
    customer_id, (invoice_id,) = await desk.books.customer(1_000)
    credit_id = await desk.credit(customer_id, 800)

    async def ask() -> FirstAnswer:
        return (await desk.ask(customer_id, credit_id, (invoice_id, 800)))[1]

    async with desk.books.store.begin("first") as tx:
        if side == "credit":
            await erp_credits.lock(tx, credit_id)
            await tx.run("UPDATE credits SET used = 100 WHERE id = :id", id=credit_id)
        else:
            await invoices.lock(tx, [invoice_id])
            await tx.run("UPDATE invoices SET settled = 300 WHERE id = :id", id=invoice_id)
        behind = await _behind(desk, tx, ask())
    assert (await behind).rule == ("amount_exceeds_credit" if side == "credit" else "amount_exceeds_available")
    assert await desk.books.count("holds") == 0


async def test_what_is_on_its_way_is_neither_withdrawn_nor_rejected_nor_expired(desk: Desk) -> None:
    customer_id, (invoice_id,) = await desk.books.customer(1_000)
    credit_id = await desk.credit(customer_id, 800)
    request_id = await desk.asked(customer_id, credit_id, (invoice_id, 800))
    agent = await desk.staff(Role.AGENT)
    await desk.decide(request_id, "approve", agent)
    for state in ("posting", "applied"):
        if state == "applied":
            await desk.confirm(f"{request_id}-applied-1")
        for action in ("withdraw", "reject", "approve", "ask"):
            assert (await desk.decide(request_id, action, agent, text="Too late")).rule == "request_moved_on"
        desk.books.at += timedelta(days=31)
        await desk.alarm(request_id)
        assert await desk.state(request_id) == state
        assert await desk.left(credit_id) == (0, 0)


async def test_what_a_person_changed_while_the_erp_refused_us_is_read_again(desk: Desk) -> None:
    """The only read that told of it came while our posting was on its way, and was left; its cursor has moved on."""
    customer_id, (invoice_id,) = await desk.books.customer(1_000)
    credit_id = await desk.credit(customer_id, 800)
    told = await desk.books.one("SELECT k.erp_id, i.erp_id AS invoice FROM credits k, invoices i")
    request_id = await desk.asked(customer_id, credit_id, (invoice_id, 800))
    await desk.decide(request_id, "approve", await desk.staff(Role.AGENT))
    fence = await desk.send(f"{request_id}-applied-1")
    await desk.books.change(invoice_id, total=1_000, settled=950)
    await desk.tell_credit(customer_id, told.erp_id, 800, used=700)
    async with desk.books.store.begin("test") as tx:
        refused = await postings.refuse(
            tx, f"{request_id}-applied-1", fence=fence, code="OVER", sentence="Too much.", at=desk.books.at
        )
        assert refused
        assert list(await postings.unread(tx, ERP, limit=9)) == [told.invoice]
        assert list(await erp_credits.unread(tx, ERP, limit=9)) == [told.erp_id]
        assert list(await postings.ready(tx, ERP, limit=9, at=desk.books.at)) == []
    await desk.books.change(invoice_id, total=1_000, settled=950)
    await desk.tell_credit(customer_id, told.erp_id, 800, used=700)
    assert await desk.books.balance(invoice_id) == (50, 800)
    assert await desk.left(credit_id) == (100, 800)
    kinds = await desk.books.rows("SELECT kind FROM differences WHERE closed_at IS NULL ORDER BY kind")
    assert [row.kind for row in kinds] == ["credit_overused", "hold_exceeds_open"]


async def test_the_same_request_with_another_form_or_of_another_customer_changes_nothing(desk: Desk) -> None:
    customer_id, (invoice_id,) = await desk.books.customer(1_000)
    stranger_id, (theirs,) = await desk.books.customer(1_000)
    credit_id = await desk.credit(customer_id, 800)
    request_id = await desk.asked(customer_id, credit_id, (invoice_id, 300))
    _, answer = await desk.ask(customer_id, credit_id, (invoice_id, 800), request_id=request_id, request_hash="another")
    assert answer.rule == "form_used_differently"
    _, answer = await desk.ask(stranger_id, credit_id, (theirs, 300), request_id=request_id)
    assert answer.rule == "not_found"
    assert await desk.left(credit_id) == (800, 300)


async def test_an_approval_leaves_other_requests_what_they_hold_of_the_credit(desk: Desk) -> None:
    customer_id, (first, second) = await desk.books.customer(1_000, 1_000)
    credit_id = await desk.credit(customer_id, 800)
    request_id = await desk.asked(customer_id, credit_id, (first, 500))
    await desk.asked(customer_id, credit_id, (second, 300))
    erp_id = (await desk.books.one("SELECT erp_id FROM credits")).erp_id
    await desk.tell_credit(customer_id, erp_id, 800, used=100)
    answer = await desk.decide(request_id, "approve", await desk.staff(Role.AGENT))
    assert answer.rule == "amount_exceeds_credit"
    assert await desk.left(credit_id) == (700, 800)
