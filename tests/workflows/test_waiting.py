"""Days in seconds: what the processes do while nothing is known, while a page waits, and while the ERP is down.

The activities are small stand-ins registered under the real names; the workflows are the real ones, in the sandbox.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

import worker
from activities.payments import Check, Opened, OpenPayment, Recorded, RecordOutcome, Told
from activities.posting import Round
from activities.requests import FirstAnswer, PayRequest
from connectors.payments.ports import ChargeStatus, ProviderCharge
from connectors.temporal.client import data_converter
from domain.allocation import Line
from domain.methods import MethodKind
from domain.money import Money
from workflows.pay_invoices import PayInvoices
from workflows.post_to_erp import PostToErp

CONVERTER = data_converter([("test", bytes(range(32)))], namespace="default")
REQUEST = PayRequest(
    payment_id="pay_1",
    customer_id="cus_1",
    customer_ids=("cus_1",),
    currency="USD",
    lines=(Line(invoice_id="inv_1", minor=100),),
    kind=MethodKind.CARD,
)
STATES = {
    ChargeStatus.CAPTURED: "captured",
    ChargeStatus.NEEDS_CUSTOMER: "awaiting_customer",
    ChargeStatus.EXPIRED: "expired",
}

StartServer = Callable[..., Awaitable[WorkflowEnvironment]]


def _charge(status: ChargeStatus) -> Told:
    charge = ProviderCharge(
        provider_id="ch_1",
        our_ref="pay_1-1",
        status=status,
        amount=Money.of(100, "USD"),
        action_url="https://provider.example",
    )
    return Told(why="told", charge=charge)


class Provider:
    """What the provider answers, question by question, and what was asked of it."""

    def __init__(self, first: Told, later: Callable[[int], Told], canceled: Told | None = None) -> None:
        self.first, self.later, self.canceled = first, later, canceled
        self.asked = 0
        self.charges = 0
        self.cancels = 0
        self.told_staff_at: list[int] = []
        self.deadline: Any = None
        self.opened = Opened(next="charge")
        self.queues: set[str] = set()  # on which it was called

    def hands(self) -> list[Any]:
        """The stand-ins."""

        @activity.defn(name="open_payment")
        async def open_payment(order: OpenPayment) -> Opened:
            return self.opened

        @activity.defn(name="charge")
        async def charge(payment_id: str) -> Told:
            self.charges += 1
            self.queues.add(activity.info().task_queue)
            return self.first

        @activity.defn(name="find_charge")
        async def find_charge(payment_id: str) -> Told:
            self.asked += 1
            self.queues.add(activity.info().task_queue)
            return self.later(self.asked)

        @activity.defn(name="cancel_charge")
        async def cancel_charge(payment_id: str) -> Told:
            self.cancels += 1
            self.queues.add(activity.info().task_queue)
            return self.canceled or Told(why="unknown")

        @activity.defn(name="record_outcome")
        async def record_outcome(order: RecordOutcome) -> Recorded:
            state = "unknown" if order.told.charge is None else STATES[order.told.charge.status]
            return Recorded(
                state=state,
                ended=state not in {"unknown", "awaiting_customer"},
                deadline_at=self.deadline,
                redirect_url=None,
            )

        @activity.defn(name="note_check")
        async def note_check(check: Check) -> None:
            if check.tell_staff:
                self.told_staff_at.append(self.asked)

        return [open_payment, charge, find_charge, cancel_charge, record_outcome, note_check]


async def _run(start: StartServer, provider: Provider, *, life: timedelta | None = None) -> str:
    environment = await start(data_converter=CONVERTER)
    if life is not None:
        provider.deadline = await environment.get_current_time() + life
    async with Worker(
        environment.client,
        task_queue="q",
        workflows=[PayInvoices],
        activities=provider.hands(),
        workflow_runner=worker.runner(),
    ):
        return await environment.client.execute_workflow(PayInvoices.run, REQUEST, id="payment/pay_1", task_queue="q")


async def test_an_unknown_outcome_is_asked_about_for_days_and_staff_are_told_twice(start_time_skipping: StartServer) -> None:
    """C9: after 30 minutes and after a day; and the charge is never sent again."""
    found_after = 300  # looks: about three days at one every fifteen minutes
    provider = Provider(
        Told(why="unknown"), lambda n: _charge(ChargeStatus.CAPTURED) if n == found_after else Told(why="unknown")
    )
    await _run(start_time_skipping, provider)
    assert (provider.charges, len(provider.told_staff_at)) == (1, 2)
    assert provider.told_staff_at[0] < provider.told_staff_at[1] < found_after


async def test_a_page_that_nobody_fills_in_is_asked_first_and_then_cancelled_at_its_end(
    start_time_skipping: StartServer,
) -> None:
    provider = Provider(
        _charge(ChargeStatus.NEEDS_CUSTOMER),
        lambda _: _charge(ChargeStatus.NEEDS_CUSTOMER),
        canceled=_charge(ChargeStatus.EXPIRED),
    )
    assert await _run(start_time_skipping, provider, life=timedelta(minutes=30)) == "awaiting_customer"
    assert (provider.charges, provider.cancels) == (1, 1)
    assert provider.asked > 1


async def test_a_payment_made_in_the_last_second_is_not_cancelled(start_time_skipping: StartServer) -> None:
    """The provider shows it as captured when asked at the end; no cancellation leaves."""
    provider = Provider(
        _charge(ChargeStatus.NEEDS_CUSTOMER),
        lambda n: _charge(ChargeStatus.CAPTURED if n >= 8 else ChargeStatus.NEEDS_CUSTOMER),
    )
    await _run(start_time_skipping, provider, life=timedelta(minutes=30))
    assert provider.cancels == 0


async def test_a_cancellation_without_an_answer_leaves_the_payment_open_and_is_asked_about(
    start_time_skipping: StartServer,
) -> None:
    provider = Provider(
        _charge(ChargeStatus.NEEDS_CUSTOMER),
        lambda n: _charge(ChargeStatus.CAPTURED) if n > 20 else _charge(ChargeStatus.NEEDS_CUSTOMER),
    )
    await _run(start_time_skipping, provider, life=timedelta(minutes=10))
    assert provider.cancels >= 1
    assert provider.asked > 20


async def test_every_call_of_a_limited_connection_goes_on_its_own_queue(start_time_skipping: StartServer) -> None:
    environment = await start_time_skipping(data_converter=CONVERTER)
    provider = Provider(
        _charge(ChargeStatus.NEEDS_CUSTOMER),
        lambda _: _charge(ChargeStatus.NEEDS_CUSTOMER),
        canceled=_charge(ChargeStatus.EXPIRED),
    )
    provider.opened = Opened(next="charge", queue="q/cards")
    provider.deadline = await environment.get_current_time() + timedelta(minutes=30)
    common = Worker(
        environment.client,
        task_queue="q",
        workflows=[PayInvoices],
        activities=provider.hands(),
        workflow_runner=worker.runner(),
    )
    own = Worker(environment.client, task_queue="q/cards", activities=provider.hands())
    async with common, own:
        await environment.client.execute_workflow(PayInvoices.run, REQUEST, id="payment/pay_1", task_queue="q")
    assert (provider.charges, provider.cancels) == (1, 1)
    assert provider.queues == {"q/cards"}


async def test_a_hint_that_reaches_a_repeated_run_is_looked_at_before_it_closes(start_time_skipping: StartServer) -> None:
    """The form came again, and the run has nothing to do; an event that woke it was passed on to nobody else."""
    environment = await start_time_skipping(data_converter=CONVERTER)
    provider = Provider(Told(why="unknown"), lambda _: _charge(ChargeStatus.CAPTURED))
    provider.opened = Opened(next="answer", answer=FirstAnswer(state="captured"))
    async with Worker(
        environment.client,
        task_queue="q",
        workflows=[PayInvoices],
        activities=provider.hands(),
        workflow_runner=worker.runner(),
    ):
        client = environment.client
        await client.execute_workflow(PayInvoices.run, REQUEST, id="payment/pay_1", task_queue="q")
        assert provider.asked == 0
        await client.execute_workflow(
            PayInvoices.run,
            REQUEST,
            id="payment/pay_2",
            task_queue="q",
            start_signal="hint",
            start_signal_args=["evt_1"],
        )
    assert (provider.asked, provider.charges) == (1, 0)


async def test_while_the_erp_is_down_for_a_day_there_is_one_probe_a_pause(start_time_skipping: StartServer) -> None:
    """24 hours at no more than one probe in five minutes, and pokes do not hurry it."""
    environment = await start_time_skipping(data_converter=CONVERTER)
    rounds: list[bool] = []

    @activity.defn(name="post_round")
    async def post_round(probe: bool) -> Round:
        rounds.append(probe)
        down = len(rounds) < 290
        return Round(confirmed=0, waiting=0 if not down else 10, down=down)

    async with Worker(
        environment.client, task_queue="q", workflows=[PostToErp], activities=[post_round], workflow_runner=worker.runner()
    ):
        handle = await environment.client.start_workflow(PostToErp.run, args=["demo", 0], id="post/demo", task_queue="q")
        for _ in range(24):
            await environment.sleep(timedelta(hours=1))
            await handle.signal(PostToErp.poke)
        await handle.terminate("the test is over")
    assert rounds[0] is False
    assert all(rounds[1:290])
    assert 285 <= len(rounds) <= 320
