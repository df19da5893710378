"""The durable processes of a simulation, step by step as `workflows/` tells them, and the client that reaches them.

Temporal has no engine that runs in this process and in virtual time, so the stories are told again here, from the same
policies and in the same order; the workflow classes themselves are driven in `tests/workflows` and `tests/processes`.
What a process knows survives every worker; its activities run at least once.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from temporalio.exceptions import ApplicationError

from activities.applying import Applying
from activities.decisions import Decisions
from activities.events import Events
from activities.payments import Check, OpenPayment, Payments, Recorded, RecordOutcome, Told
from activities.posting import Postings, Round
from activities.refunds import Refunds
from activities.requests import FirstAnswer, PayRequest, SendAgain, SetupRequest
from activities.setups import OpenSetup, RecordSetup, SetupRecorded, Setups, SetupTold
from activities.syncing import Syncing
from connectors.payments.ports import ChargeStatus
from domain.deciding import TELL_STAFF_AFTER
from domain.lifecycles import PaymentState, SetupState
from tests.simulation.stage import Stage, Timer, WorkerDied
from workflows import policies
from workflows.policies import ActivityPolicy


class GaveUp(Exception):
    """An activity was tried for as long as its policy allows, or may not be tried again: Temporal's ActivityError."""


@dataclass(slots=True, eq=False)
class Process:
    """One durable process: what it waits for, and whether it still runs."""

    id: str
    stage: Stage
    run_id: str
    is_running: bool = True
    hints: int = 0
    answer: FirstAnswer | None = None
    timer: Timer | None = None
    task: asyncio.Task[None] | None = None

    def hint(self) -> None:
        """A signal: it wakes, nothing more."""
        self.hints += 1
        if self.timer is not None and not self.timer.rung.done():
            self.timer.rung.set_result(None)

    async def wait(self, pause: timedelta) -> None:
        """For a time, or until a hint comes."""
        self.timer = self.stage.timer(pause)
        await self.stage.wait(self.timer)
        self.timer = None

    async def call(self, policy: ActivityPolicy, function: Callable[..., Awaitable[Any]], *given: Any) -> Any:
        """An activity, tried again as its policy says. Raises GaveUp."""
        began_at, number = self.stage.now, 1
        pause = policy.retry.initial_interval
        while True:
            attempt = self.stage.attempt(function.__name__, number, function, *given)
            try:
                return await attempt.outcome
            except WorkerDied:
                delay = timedelta(seconds=1)
            except ApplicationError as error:
                if error.non_retryable:
                    raise GaveUp from error
                delay = error.next_retry_delay or pause
            pause = min(pause * policy.retry.backoff_coefficient, policy.retry.maximum_interval or pause)
            if self.stage.now + delay - began_at > policy.schedule_to_close:
                raise GaveUp
            await self.stage.sleep(delay)
            number += 1


@dataclass(slots=True, kw_only=True)
class Steps:
    """The activities that processes tell to act."""

    payments: Payments
    setups: Setups
    postings: Postings
    decisions: Decisions
    applying: Applying
    refunds: Refunds
    syncing: Syncing
    events: Events


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How processes behave where a planted fault changes it. The default is what `workflows/` does."""

    an_unanswered_cancel_ends: bool = False
    a_repeat_hears_nothing: bool = False
    a_decline_on_a_page_ends: bool = False


class Course:
    """`workflows/payment_course.py`, for one payment."""

    def __init__(self, process: Process, steps: Steps, habits: Habits, payment_id: str) -> None:
        self.process = process
        self.steps = steps
        self.habits = habits
        self.payment_id = payment_id
        self.seen = 0
        self.cancels = 0
        self.unknown_since: datetime | None = None
        self.told_staff = 0

    async def charge(self) -> Told:
        try:
            told: Told = await self.process.call(policies.SEND, self.steps.payments.charge, self.payment_id)
        except GaveUp:
            return Told(why="unknown", note="the provider could not be reached")
        return told

    async def ask(self) -> Told:
        self.seen = self.process.hints
        try:
            told: Told = await self.process.call(policies.ASK, self.steps.payments.find_charge, self.payment_id)
        except GaveUp:
            return Told(why="unknown", note="the provider could not be asked")
        if self.habits.a_decline_on_a_page_ends and told.charge is not None and told.charge.failure_code is not None:
            return dataclasses.replace(told, charge=dataclasses.replace(told.charge, status=ChargeStatus.DECLINED))
        return told

    async def record(self, told: Told) -> Recorded:
        order = RecordOutcome(payment_id=self.payment_id, told=told)
        recorded: Recorded = await self.process.call(policies.DATABASE, self.steps.payments.record_outcome, order)
        self.process.answer = self.process.answer or FirstAnswer(state=recorded.state, redirect_url=recorded.redirect_url)
        return recorded

    async def see_through(self, told: Told) -> None:
        looks, state = 0, ""
        while True:
            recorded = await self.record(told)
            looks = looks + 1 if recorded.state == state else 0
            state = recorded.state
            if recorded.ended and self.process.hints == self.seen:
                return
            if recorded.ended:
                late = await self._ask_until_told()
                if late is None:
                    return
                told = late
                continue
            told = await self._next_word(recorded, looks)

    async def hear_out(self) -> None:
        if self.process.hints > self.seen and not self.habits.a_repeat_hears_nothing:
            late = await self._ask_until_told()
            if late is not None:
                await self.see_through(late)

    async def _ask_until_told(self) -> Told | None:
        for pause in policies.UNKNOWN_LOOKS:
            told = await self.ask()
            if told.why == "told":
                return told
            if told.why == "nothing":
                return None
            await self.process.stage.sleep(pause)
        return None

    async def _next_word(self, recorded: Recorded, looks: int) -> Told:
        pause = self._pause(recorded, looks)
        if recorded.state == PaymentState.UNKNOWN:
            await self._say_next_look(pause)
        else:
            self.unknown_since, self.told_staff = None, 0
        if self.process.hints == self.seen:
            await self.process.wait(pause)
        waits, deadline = recorded.state == PaymentState.AWAITING_CUSTOMER, recorded.deadline_at
        told = await self.ask()
        if waits and deadline is not None and self.process.stage.now >= deadline and _still_waits(told):
            self.cancels += 1
            return await self._cancel(told)
        return told

    async def _cancel(self, before: Told) -> Told:
        try:
            told: Told = await self.process.call(policies.SEND, self.steps.payments.cancel_charge, self.payment_id)
        except GaveUp:
            told = Told(why="unknown", note="no answer to our cancellation")
        if told.why == "unknown" and self.habits.an_unanswered_cancel_ends:
            return Told(why="nothing", note=before.note)
        return told

    def _pause(self, recorded: Recorded, looks: int) -> timedelta:
        if recorded.state == PaymentState.UNKNOWN:
            return policies.nth(policies.UNKNOWN_LOOKS, looks + self.cancels)
        if recorded.state == PaymentState.PROCESSING:
            return policies.nth(policies.PROCESSING_LOOKS, looks)
        pause = policies.nth(policies.AWAITING_LOOKS, looks)
        if recorded.deadline_at is None:
            return pause
        left = recorded.deadline_at - self.process.stage.now
        return min(pause, left) if left > timedelta(0) else policies.nth(policies.UNKNOWN_LOOKS, self.cancels)

    async def _say_next_look(self, pause: timedelta) -> None:
        now = self.process.stage.now
        self.unknown_since = self.unknown_since or now
        tells = TELL_STAFF_AFTER
        tell = self.told_staff < len(tells) and now - self.unknown_since >= tells[self.told_staff]
        self.told_staff += 1 if tell else 0
        check = Check(payment_id=self.payment_id, next_at=now + pause, tell_staff=tell)
        await self.process.call(policies.DATABASE, self.steps.payments.note_check, check)


def _still_waits(told: Told) -> bool:
    return told.charge is not None and told.charge.status.value == "needs_customer"


async def pay_invoices(process: Process, steps: Steps, habits: Habits, request: PayRequest) -> None:
    """`workflows/pay_invoices.py` PayInvoices."""
    order = OpenPayment(request=request, run_id=process.run_id)
    opened = await process.call(policies.DATABASE, steps.payments.open_payment, order)
    course = Course(process, steps, habits, request.payment_id)
    if opened.next == "answer":
        process.answer = opened.answer
        await course.hear_out()
        return
    await course.see_through(await (course.ask() if opened.next == "ask" else course.charge()))


async def resume_payment(process: Process, steps: Steps, habits: Habits, payment_id: str) -> None:
    """`workflows/pay_invoices.py` ResumePayment."""
    course = Course(process, steps, habits, payment_id)
    await course.see_through(await course.ask())


async def add_payment_method(process: Process, steps: Steps, request: SetupRequest) -> None:
    """`workflows/add_payment_method.py` AddPaymentMethod."""
    opened = await process.call(
        policies.DATABASE, steps.setups.open_setup, OpenSetup(request=request, run_id=process.run_id)
    )
    if opened.next == "answer":
        process.answer = opened.answer
        return
    course = SetupCourse(process, steps, request.setup_id)
    await course.see_through(await (course.start() if opened.next == "start" else course.ask()))


async def resume_setup(process: Process, steps: Steps, setup_id: str) -> None:
    """`workflows/add_payment_method.py` ResumeSetup."""
    course = SetupCourse(process, steps, setup_id)
    await course.see_through(await course.ask())


class SetupCourse:
    """`workflows/setup_course.py`."""

    def __init__(self, process: Process, steps: Steps, setup_id: str) -> None:
        self.process, self.steps, self.setup_id = process, steps, setup_id
        self.seen = 0

    async def ask(self) -> SetupTold:
        self.seen = self.process.hints
        return await _setup_step(self.process, policies.ASK, self.steps.setups.find_setup, self.setup_id)

    async def start(self) -> SetupTold:
        return await _setup_step(self.process, policies.SEND, self.steps.setups.start_setup, self.setup_id)

    async def see_through(self, told: SetupTold) -> None:
        looks, state = 0, ""
        while True:
            order = RecordSetup(setup_id=self.setup_id, told=told)
            recorded: SetupRecorded = await self.process.call(policies.DATABASE, self.steps.setups.record_setup, order)
            looks = looks + 1 if recorded.state == state else 0
            state = recorded.state
            if recorded.ended:
                return
            if recorded.state == SetupState.STARTED:
                await self.process.wait(policies.nth(policies.UNKNOWN_LOOKS, looks))
                told = await self.start()
                continue
            pause = policies.nth(policies.AWAITING_LOOKS, looks)
            if recorded.deadline_at is not None:
                pause = min(pause, max(recorded.deadline_at - self.process.stage.now, timedelta(seconds=1)))
            if self.process.hints == self.seen:
                await self.process.wait(pause)
            told = await self.ask()
            is_late = recorded.deadline_at is not None and self.process.stage.now >= recorded.deadline_at
            if is_late and told.setup is not None and told.setup.status.value == "open":
                told = await _setup_step(self.process, policies.SEND, self.steps.setups.cancel_setup, self.setup_id)


async def _setup_step(
    process: Process, policy: ActivityPolicy, function: Callable[..., Awaitable[SetupTold]], setup_id: str
) -> SetupTold:
    try:
        told: SetupTold = await process.call(policy, function, setup_id)
    except GaveUp:
        return SetupTold(why="unknown", note="the provider could not be reached")
    return told


async def post_to_erp(process: Process, steps: Steps) -> None:
    """`workflows/post_to_erp.py`: it never closes."""
    failed_probes = 0
    while True:
        hints = process.hints
        try:
            last: Round | None = await process.call(policies.DRAIN, steps.postings.post_round, failed_probes > 0)
        except GaveUp:
            last = None
        failed_probes = failed_probes + 1 if last is None or last.down else 0
        if last is not None and not last.down and last.confirmed > 0 and last.waiting > 0:
            continue
        if failed_probes:
            # Pokes do not wake it while the ERP is down.
            await process.stage.sleep(policies.nth(policies.DOWN_PAUSES, failed_probes - 1))
        elif process.hints == hints:
            await process.wait(_until_next_look(process, last))


def _until_next_look(process: Process, last: Round | None) -> timedelta:
    if last is None or last.next_look_at is None:
        return policies.IDLE_PAUSE
    left = last.next_look_at - process.stage.now
    return max(min(left, policies.IDLE_PAUSE), timedelta(milliseconds=200))


async def send_posting_again(process: Process, steps: Steps, order: SendAgain) -> None:
    """`workflows/send_again.py`."""
    process.answer = await process.call(policies.DATABASE, steps.decisions.send_again, order)


async def sync_erp(process: Process, steps: Steps) -> None:
    """`workflows/sync_erp.py`."""
    for _ in range(policies.ROUNDS_PER_RUN):
        try:
            read = await process.call(policies.ROUND, steps.syncing.sync_pages, 2)
        except GaveUp:
            return
        if not read.more:
            return


async def late_event(process: Process, steps: Steps, inbox_id: str) -> None:
    """`workflows/late_event.py`."""
    await process.call(policies.UNTIL_DONE, steps.events.apply_event, inbox_id)


async def sweep(process: Process, steps: Steps) -> None:
    """`workflows/sweep.py`."""
    try:
        await process.call(policies.ROUND, steps.events.sweep)
    except GaveUp:
        return
