"""An ERP that is down for a day, counted at its own door: one probe a pause, whatever waits; then each document once.

The real poster and the real connector on a server whose clock jumps over waiting.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from temporalio import activity
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

import worker
from activities.posting import Postings
from connectors.payments.ports import ChargeStatus
from connectors.temporal.client import data_converter
from store.views import operations
from tests.launch.town import Town
from tests.store.money import ERP
from workflows.post_to_erp import PostToErp

CONVERTER = data_converter([("test", bytes(range(32)))], namespace="default")
EACH = 25
WIDTH = 8
PROBES_AN_HOUR = 12
FIRST_PROBES = 6
"""These come sooner."""

StartServer = Callable[..., Awaitable[WorkflowEnvironment]]


def clock() -> datetime:
    """The server's own time, which jumps."""
    return activity.info().current_attempt_scheduled_time


async def pay(town: Town, at: datetime, count: int) -> None:
    """So many payments, each of an invoice, captured at that time: each queues a posting."""
    town.books.at = at
    for begun in range(0, count, EACH):
        customer_id, invoices = await town.customer(*[1_000] * min(EACH, count - begun))
        for invoice_id in invoices:
            payment_id = await town.books.opened(customer_id, (invoice_id, 1_000))
            await town.books.record(payment_id, ChargeStatus.CAPTURED)


async def figures(town: Town, at: datetime) -> dict[str, int]:
    """What whoever runs Duly is shown, and woken by."""
    async with town.books.store.begin("test") as tx:
        return {name: number for name, label, number in await operations.figures(tx, at=at) if label in {"", "queued"}}


@pytest.mark.parametrize(("waiting", "hours"), [(100, 3), pytest.param(10_000, 24, marks=pytest.mark.long)])
async def test_what_waits_for_an_erp_costs_one_probe_a_pause_and_is_posted_once_when_it_is_back(
    town: Town, start_time_skipping: StartServer, waiting: int, hours: int
) -> None:
    environment = await start_time_skipping(data_converter=CONVERTER)
    began_at = await environment.get_current_time()
    await pay(town, began_at, waiting)
    postings = Postings(town.books.store, {ERP: town.connector}, clock, connection_id=ERP)
    paid_meanwhile = 0
    async with Worker(
        environment.client,
        task_queue="q",
        workflows=[PostToErp],
        activities=[postings.post_round],
        workflow_runner=worker.runner(),
    ):
        town.erp.knobs(down=True)
        town.erp.answer("DELETE", "/test/requests")
        handle = await environment.client.start_workflow(PostToErp.run, args=[ERP, 0], id="post/demo", task_queue="q")
        for hour in range(hours):
            await environment.sleep(timedelta(hours=1))
            if hour % 8 == 0:
                town.erp.knobs(down=False)  # the new invoice is read; the poster asks only when its time has come
                await pay(town, await environment.get_current_time(), 1)
                town.erp.knobs(down=True)
                paid_meanwhile += 1
            await handle.signal(PostToErp.poke)
        asked: dict[str, int] = town.erp.answer("GET", "/test/requests")
        assert asked.get("POST /payments", 0) <= WIDTH, "once it does not answer, nothing more is sent"
        assert (PROBES_AN_HOUR - 1) * hours <= asked["GET /ping"] <= PROBES_AN_HOUR * hours + FIRST_PROBES
        assert asked.get("GET /documents", 0) <= paid_meanwhile, "what never left is not looked for; a read asks once"
        shown = await figures(town, await environment.get_current_time())
        assert shown["duly_postings_waiting"] == waiting + paid_meanwhile
        assert shown["duly_postings_oldest_seconds"] >= hours * 3_600 - 60

        town.erp.knobs(reset=True)
        town.erp.answer("DELETE", "/test/requests")
        await comes_to_rest(town, environment)
        await handle.terminate("the test is over")
    asked = town.erp.answer("GET", "/test/requests")
    assert asked["POST /payments"] == waiting + paid_meanwhile
    written: list[dict[str, Any]] = town.erp.answer("GET", "/test/documents")["documents"]
    references = [each["external_reference"] for each in written]
    assert len(references) == len(set(references)) == waiting + paid_meanwhile


async def comes_to_rest(town: Town, environment: WorkflowEnvironment) -> None:
    """Everything is posted, soon after the ERP is back."""
    back_at = await environment.get_current_time()
    while await town.books.count("postings", "confirmed_seq IS NULL"):
        await environment.sleep(timedelta(minutes=1))
        assert await environment.get_current_time() - back_at < timedelta(minutes=30)
