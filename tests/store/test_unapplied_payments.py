"""Money of our payments that lies on no invoice: asked for like a credit, reserved against refunds, counted once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from connectors.payments.ports import ChargeStatus, RefundStatus
from store import checks
from store.staff_accounts import Role
from store.views import credits as credit_views
from store.views.payments import payment_page
from tests import machine
from tests.store.money import books_of
from tests.store.refunding import Counter
from tests.store.requests import Desk

PAID = 1_000


@pytest_asyncio.fixture
async def desk(database: machine.Database) -> AsyncIterator[Desk]:
    async with books_of(database) as opened:
        yield Desk(opened)


class Late:
    """A payment of 1,000 that came when its invoice had been paid by another; and an open invoice of 700."""

    def __init__(self, payment_id: str, customer_id: str, wished: str, invoice_id: str) -> None:
        self.payment_id, self.customer_id, self.wished, self.invoice_id = payment_id, customer_id, wished, invoice_id
        self.credit_id = f"crd{payment_id[3:]}"


async def came_late(desk: Desk) -> Late:
    books = desk.books
    customer_id, (wished, other) = await books.customer(PAID, 700)
    late = await books.opened(customer_id, (wished, PAID))
    await books.record(late, ChargeStatus.EXPIRED)
    await books.record(await books.opened(customer_id, (wished, PAID)), ChargeStatus.CAPTURED)
    await books.record(late, ChargeStatus.CAPTURED)
    assert await books.allocated(late) == {}
    return Late(late, customer_id, wished, other)


async def healthy(desk: Desk) -> list[str]:
    """The names of the invariants that are broken."""
    async with desk.books.store.begin("test") as tx:
        looked = [await checks.look(tx, each, at=desk.books.at, horizons=checks.Horizons()) for each in checks.INVARIANTS]
    return [f"{each.name}: {each.offenders}" for each in looked if not each.holds]


async def test_it_is_listed_asked_for_applied_and_told_to_the_erp_as_the_payments_own(desk: Desk) -> None:
    late = await came_late(desk)
    assert await desk.left(late.credit_id) == (PAID, 0)
    request_id = await desk.asked(late.customer_id, late.credit_id, (late.invoice_id, 700))
    assert await desk.left(late.credit_id) == (PAID, 700)
    assert not await healthy(desk)
    await desk.decide(request_id, "approve", await desk.staff(Role.AGENT))
    posting = await desk.books.one("SELECT * FROM postings WHERE request_id = :id", id=request_id)
    assert (posting.kind, posting.payment_id, posting.credit_id) == ("application", late.payment_id, None)
    assert set(posting.docs) == {late.payment_id, late.invoice_id}
    assert not await healthy(desk)
    await desk.confirm(posting.id)
    assert await desk.state(request_id) == "applied"
    assert await desk.left(late.credit_id) == (PAID - 700, 0)
    assert await desk.books.allocated(late.payment_id) == {late.invoice_id: 700}
    assert await desk.books.balance(late.invoice_id) == (0, 0)
    async with desk.books.store.begin("test") as tx:
        (listed,) = await credit_views.list_credits(tx, customers=[late.customer_id], page=1)
        page = await payment_page(tx, late.payment_id)
    assert (listed.id, listed.available, [each.amount for each in listed.applications]) == (late.credit_id, 300, [700])
    assert page is not None
    assert [(each.invoice_id, each.asked, each.covers) for each in page.covered] == [
        (late.wished, PAID, 0),
        (late.invoice_id, 0, 700),
    ]
    assert (page.unapplied, page.credit_id) == (300, late.credit_id)
    assert not await healthy(desk)


async def test_it_comes_off_again_and_the_erps_no_puts_it_back_with_the_payment(desk: Desk) -> None:
    late = await came_late(desk)
    agent = await desk.staff(Role.AGENT)
    request_id = await desk.asked(late.customer_id, late.credit_id, (late.invoice_id, 700))
    await desk.decide(request_id, "approve", agent)
    await desk.refuse(f"{request_id}-applied-1")
    assert await desk.state(request_id) == "posting_failed"
    assert await desk.left(late.credit_id) == (PAID, 700)
    assert not await healthy(desk)
    await desk.decide(request_id, "approve", agent)
    await desk.confirm(f"{request_id}-applied-2")
    await desk.decide(request_id, "undo", agent, text="Wrong invoice")
    assert await desk.left(late.credit_id) == (PAID, 700)
    await desk.confirm(f"{request_id}-undone-3")
    assert await desk.state(request_id) == "undone"
    assert await desk.left(late.credit_id) == (PAID, 0)
    assert await desk.books.balance(late.invoice_id) == (700, 0)
    assert not await healthy(desk)


async def test_what_a_request_reserves_no_refund_takes_and_what_a_refund_reserves_no_request(desk: Desk) -> None:
    late, counter = await came_late(desk), Counter(desk.books)
    request_id = await desk.asked(late.customer_id, late.credit_id, (late.invoice_id, 700))
    step, answer = await counter.ask(counter.request(late.payment_id, 301))
    assert (step, answer.rule if answer else None) == ("answer", "refund_unapplied_above")
    refund_id = await counter.sent(late.payment_id, 300)
    await desk.decide(request_id, "withdraw", "portal link")
    await counter.sent(late.payment_id, 200)
    _, refused = await desk.ask(late.customer_id, late.credit_id, (late.invoice_id, 501))
    assert refused.rule == "amount_exceeds_credit"
    await counter.told(refund_id, RefundStatus.SUCCEEDED)
    assert await desk.left(late.credit_id) == (500, 0)
    assert not await healthy(desk)


async def test_who_asks_for_it_waits_for_a_refund_that_takes_it(desk: Desk) -> None:
    late = await came_late(desk)
    asks = desk.ask(late.customer_id, late.credit_id, (late.invoice_id, 700))
    async with desk.books.store.begin("refund") as tx:
        await tx.run("SELECT 1 FROM payments WHERE id = :id FOR UPDATE", id=late.payment_id)
        await tx.run("UPDATE payments SET refunded = captured WHERE id = :id", id=late.payment_id)
        asked = asyncio.ensure_future(asks)
        async with asyncio.timeout(20):
            while not asked.done():
                if await desk.books.count("pg_stat_activity", "wait_event_type = 'Lock' AND datname = current_database()"):
                    break
                await asyncio.sleep(0.02)
        assert not asked.done(), "it decided without waiting"
    assert (await asked)[1].rule == "credit_used_up"


async def test_what_the_erp_may_still_refuse_is_not_given_back_off_its_invoice(desk: Desk) -> None:
    late, counter = await came_late(desk), Counter(desk.books)
    request_id = await desk.asked(late.customer_id, late.credit_id, (late.invoice_id, 700))
    await desk.decide(request_id, "approve", await desk.staff(Role.AGENT))
    on_it = counter.request(late.payment_id, 100, [(late.invoice_id, 100)])
    step, answer = await counter.ask(on_it)
    assert (step, answer.rule if answer else None) == ("answer", "refund_line_above")
    await desk.confirm(f"{request_id}-applied-1")
    await counter.sent(late.payment_id, 100, (late.invoice_id, 100))
    gone = await desk.decide(request_id, "undo", await desk.staff(Role.AGENT), text="Wrong invoice")
    assert gone.rule == "application_gone"
    assert not await healthy(desk)


async def test_money_that_waits_for_its_invoice_is_served_when_a_request_lets_it_go(desk: Desk) -> None:
    late = await came_late(desk)
    request_id = await desk.asked(late.customer_id, late.credit_id, (late.invoice_id, 700))
    await desk.books.change(late.wished, total=2 * PAID)
    assert await desk.books.allocated(late.payment_id) == {late.wished: 300}, "the rest of it is reserved"
    await desk.decide(request_id, "reject", await desk.staff(Role.AGENT), text="No")
    assert await desk.books.allocated(late.payment_id) == {late.wished: PAID}
    assert not await healthy(desk)


async def test_what_is_applied_elsewhere_is_wanted_no_more(desk: Desk) -> None:
    late = await came_late(desk)
    request_id = await desk.asked(late.customer_id, late.credit_id, (late.invoice_id, 700))
    await desk.decide(request_id, "approve", await desk.staff(Role.AGENT))
    await desk.books.change(late.wished, total=2 * PAID)
    assert await desk.books.allocated(late.payment_id) == {late.invoice_id: 700, late.wished: 300}
    assert not await healthy(desk)


@pytest.mark.parametrize("moment", ["asked", "posting", "applied"])
async def test_a_payment_that_the_bank_takes_back_meanwhile_leaves_nothing_applied(desk: Desk, moment: str) -> None:
    late = await came_late(desk)
    agent = await desk.staff(Role.AGENT)
    request_id = await desk.asked(late.customer_id, late.credit_id, (late.invoice_id, 700))
    if moment != "asked":
        await desk.decide(request_id, "approve", agent)
    if moment == "applied":
        await desk.confirm(f"{request_id}-applied-1")
    await desk.books.record(late.payment_id, ChargeStatus.RETURNED)
    assert not await healthy(desk)
    if moment == "asked":
        assert (await desk.decide(request_id, "approve", agent)).rule == "credit_used_up"
        assert await desk.books.count("differences", "kind = 'credit_overused' AND closed_at IS NULL") == 1
        await desk.decide(request_id, "reject", agent, text="It went back")
        assert await desk.books.count("differences", "kind = 'credit_overused' AND closed_at IS NULL") == 0
    elif moment == "posting":
        await desk.refuse(f"{request_id}-applied-1")
    else:
        assert (await desk.decide(request_id, "undo", agent, text="It went back")).rule == "application_gone"
    open_minor, _ = await desk.books.balance(late.invoice_id)
    assert open_minor == 700
    assert sum((await desk.books.allocated(late.payment_id)).values()) == 0
    assert not await healthy(desk)
