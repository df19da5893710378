"""A month in seconds: a request that nobody decides, in the real workflow and on real books, while only the clock jumps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest_asyncio
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

import worker
from activities.requests import ApplyOrder, Decision, FirstAnswer
from connectors.temporal.client import data_converter
from domain import deciding
from domain.allocation import Line
from domain.business import BusinessSettings
from store.identity import fresh_id
from store.staff_accounts import Role
from tests import machine
from tests.store.money import books_of
from tests.store.requests import Desk
from workflows.apply_request import ApplyCredit

CONVERTER = data_converter([("test", bytes(range(32)))], namespace="default")

StartServer = Callable[..., Awaitable[WorkflowEnvironment]]


@pytest_asyncio.fixture
async def desk(database: machine.Database) -> AsyncIterator[Desk]:
    async with books_of(database) as opened:
        yield Desk(opened)


async def _order(desk: Desk) -> ApplyOrder:
    customer_id, (invoice_id,) = await desk.books.customer(1_000)
    for role in (Role.AGENT, Role.APPROVER):
        await desk.staff(role)
    return ApplyOrder(
        request_id=fresh_id("req"),
        customer_id=customer_id,
        customer_ids=(customer_id,),
        credit_id=await desk.credit(customer_id, 800),
        lines=(Line(invoice_id=invoice_id, minor=800),),
        request_hash="hash",
    )


def _hands(environment: WorkflowEnvironment, desk: Desk) -> Worker:
    applying = desk.applying
    return Worker(
        environment.client,
        task_queue="q",
        workflows=[ApplyCredit],
        activities=[
            applying.open_request, applying.decide_request, applying.watch_request, applying.alarm_request
        ],
        workflow_runner=worker.runner(),
    )  # fmt: skip


async def _told(desk: Desk, kind: str) -> list[datetime]:
    rows = await desk.books.rows("SELECT at FROM timeline WHERE kind = :kind ORDER BY at", kind=kind)
    return [row.at for row in rows]


async def test_a_request_waits_for_weeks_with_each_reminder_once_and_expires_on_its_day(
    start_time_skipping: StartServer, desk: Desk
) -> None:
    environment = await start_time_skipping(data_converter=CONVERTER)
    desk.books.at = (await environment.get_current_time()).astimezone(UTC)
    order = await _order(desk)
    due = deciding.deadlines(desk.books.at, BusinessSettings())
    async with _hands(environment, desk):
        handle = await environment.client.start_workflow(
            ApplyCredit.run, order, id=f"apply/{order.request_id}", task_queue="q"
        )
        await environment.sleep(timedelta(days=29))
        assert await desk.state(order.request_id) == "submitted"
        assert await desk.left(order.credit_id) == (800, 800)
        assert await handle.result() == "expired"
    assert await desk.left(order.credit_id) == (800, 0)
    assert await desk.books.count("holds") == 0
    for kind, at in (("reminded", due.remind_at), ("escalated", due.escalate_at), ("expired", due.expires_at)):
        (told_at,) = await _told(desk, kind)
        assert timedelta(0) <= told_at - at < timedelta(minutes=1), kind
    assert await desk.books.count("outbox", "template = 'request_waits_staff'") == 3
    history = await handle.fetch_history()
    assert len(history.events) < 100


async def test_what_is_decided_on_the_last_day_does_not_expire(start_time_skipping: StartServer, desk: Desk) -> None:
    environment = await start_time_skipping(data_converter=CONVERTER)
    desk.books.at = (await environment.get_current_time()).astimezone(UTC)
    order = await _order(desk)
    decision = Decision(decision_id=fresh_id("chg"), request_id=order.request_id, action="approve", by="stf_ann", version=1)
    async with _hands(environment, desk):
        handle = await environment.client.start_workflow(
            ApplyCredit.run, order, id=f"apply/{order.request_id}", task_queue="q"
        )
        await environment.sleep(timedelta(days=29, hours=20))
        answer: FirstAnswer = await handle.execute_update(ApplyCredit.decide, decision)
        assert answer.state == "posting"
        # Whatever was due of it is due no longer, however long the ERP is down.
        await environment.sleep(timedelta(days=2))
        assert await desk.state(order.request_id) == "posting"
        await desk.confirm(f"{order.request_id}-applied-1")
        await handle.signal(ApplyCredit.hint, "posting")
        assert await asyncio.wait_for(handle.result(), 60) == "applied"
