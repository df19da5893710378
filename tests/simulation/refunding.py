"""Refunds in a simulated town: their process step by step, and the staff who ask for them and agree.

The process is told as `workflows/refund_payment.py` tells it; a second person's word runs beside it, as an update does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from activities.refunds import OpenRefund, RecordRefund, RefundCheck, RefundRecorded, RefundStep, RefundTold
from activities.requests import RefundDecision, RefundRequest
from connectors.payments.ports import RefundStatus
from domain import ids
from domain import refunds as rules
from domain.allocation import Line
from domain.lifecycles import RefundState
from store import refunds
from tests.simulation.processes import GaveUp
from tests.simulation.requesting import APPROVERS, STAFF
from workflows import policies

if TYPE_CHECKING:
    from tests.simulation.processes import Process, Steps
    from tests.simulation.town import Town

Act = Callable[[], Awaitable[str | None]]


class RefundCourse:
    """`workflows/refund_payment.py` RefundCourse, for one refund."""

    def __init__(self, process: Process, steps: Steps, refund_id: str) -> None:
        self.process, self.steps, self.refund_id = process, steps, refund_id
        self.seen = 0

    async def second_person(self) -> bool:
        while True:
            if self.process.hints == self.seen:
                await self.process.wait(policies.SECOND_LOOK)
            self.seen = self.process.hints
            state = await self.process.call(policies.DATABASE, self.steps.refunds.refund_standing, self.refund_id)
            if state != RefundState.AWAITING_SECOND:
                return bool(state != RefundState.REJECTED)

    async def send(self) -> RefundTold:
        try:
            told: RefundTold = await self.process.call(policies.SEND, self.steps.refunds.send_refund, self.refund_id)
        except GaveUp:
            return RefundTold(why="unknown", note="the provider could not be reached")
        return told

    async def ask(self) -> RefundTold:
        self.seen = self.process.hints
        try:
            told: RefundTold = await self.process.call(policies.ASK, self.steps.refunds.find_refund, self.refund_id)
        except GaveUp:
            return RefundTold(why="unknown", note="the provider could not be asked")
        return told

    async def see_through(self, told: RefundTold) -> None:
        looks, state = 0, ""
        while True:
            if told.why == "nothing":
                told = await self.send()
            order = RecordRefund(refund_id=self.refund_id, told=told)
            recorded: RefundRecorded = await self.process.call(policies.DATABASE, self.steps.refunds.record_refund, order)
            looks = looks + 1 if recorded.state == state else 0
            state = recorded.state
            if recorded.ended and self.process.hints == self.seen:
                return
            if not recorded.ended:
                await self._pause(recorded, looks)
            late = await self.ask()
            if recorded.ended and late.why != "told":
                return
            told = late

    async def _pause(self, recorded: RefundRecorded, looks: int) -> None:
        is_unknown = recorded.state == RefundState.UNKNOWN
        pause = policies.nth(policies.UNKNOWN_LOOKS if is_unknown else policies.PROCESSING_LOOKS, looks)
        check = RefundCheck(refund_id=self.refund_id, next_at=self.process.stage.now + pause)
        await self.process.call(policies.DATABASE, self.steps.refunds.note_refund_check, check)
        if self.process.hints == self.seen:
            await self.process.wait(pause)


async def refund_payment(process: Process, steps: Steps, request: RefundRequest) -> None:
    """`workflows/refund_payment.py` RefundPayment."""
    order = OpenRefund(request=request, run_id=process.run_id)
    opened: RefundStep = await process.call(policies.DATABASE, steps.refunds.open_refund, order)
    process.answer = opened.answer
    course = RefundCourse(process, steps, request.refund_id)
    if (opened.next == "wait" and await course.second_person()) or opened.next == "send":
        await course.see_through(await course.send())
    elif opened.next == "ask":
        await course.see_through(await course.ask())


async def resume_refund(process: Process, steps: Steps, refund_id: str) -> None:
    """`workflows/refund_payment.py` ResumeRefund."""
    state = await process.call(policies.DATABASE, steps.refunds.refund_standing, refund_id)
    course = RefundCourse(process, steps, refund_id)
    if state != RefundState.AWAITING_SECOND or await course.second_person():
        await course.see_through(await course.ask())


async def agree(process: Process, steps: Steps, decision: RefundDecision, then: Callable[[], None]) -> None:
    """The handler of an update: the second person's word, then whoever waits looks at the row."""
    process.answer = await process.call(policies.DATABASE, steps.refunds.decide_refund, decision)
    then()


@dataclass
class Refunding:
    """Staff who give back, a second person, and banks that do not take it after all."""

    town: Town
    requests: list[RefundRequest] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = self.town.random
        self.kinds: Mapping[str, tuple[int, Act]] = {
            "refund": (5, self._refund),
            "refund again": (1, self._refund_again),
            "second person": (4, self._second_person),
            "refund bounces": (1, self._bounces),
        }

    async def _refund(self) -> str | None:
        rows = await self.town.rows("SELECT id FROM payments WHERE captured > returned ORDER BY id")
        if not rows:
            return None
        async with self.town.database.begin("simulation") as tx:
            facts = await refunds.refundable(tx, self.random.choice(rows).id)
        assert facts is not None
        if facts.left <= 0:
            return None
        minor = facts.left if self.random.random() < 0.4 else self.random.randint(1, facts.left)
        minor += self.random.random() < 0.05
        lines = rules.offered(minor, facts)
        if self.random.random() < 0.3 and facts.on_invoices:
            one = self.random.choice(facts.on_invoices)
            lines = (Line(invoice_id=one.invoice_id, minor=max(min(one.left, minor), 1)),)
        number = len(self.requests)
        request = RefundRequest(
            refund_id=ids.compose("rfd", at_ms=1_772_000_000_000 + number, entropy=self.random.randbytes(10)),
            payment_id=facts.payment_id,
            minor=minor,
            currency=facts.currency,
            lines=lines,
            reason="Sent back",
            note="",
            by=self.random.choice(STAFF),
            request_hash=f"form {number}",
            facts_hash=rules.facts_hash(facts) if self.random.random() < 0.5 else "",
        )
        self.requests.append(request)
        self.town.registry.refund(request)
        return f"{request.refund_id[-4:]} {minor} of {facts.payment_id[-4:]}"

    async def _refund_again(self) -> str | None:
        if not self.requests:
            return None
        request = self.random.choice(self.requests)
        if self.random.random() < 0.3:
            request = dataclasses.replace(request, request_hash="another form", minor=1, lines=())
        self.town.registry.refund(request)
        return request.refund_id[-4:]

    async def _second_person(self) -> str | None:
        rows = await self.town.rows("SELECT id, version FROM refunds WHERE state = 'awaiting_second' ORDER BY id")
        if not rows:
            return None
        row = self.random.choice(rows)
        decision = RefundDecision(
            refund_id=row.id,
            version=row.version - (self.random.random() < 0.1),
            agrees=self.random.random() < 0.8,
            by=self.random.choice((*STAFF, *APPROVERS)),
        )
        self.town.registry.agree(decision)
        return f"{decision.by} {'agrees' if decision.agrees else 'says no'} {row.id[-4:]}"

    async def _bounces(self) -> str | None:
        """The customer's bank did not take it after all."""
        far = self.town.provider.given_back
        gone = [each for each in far.made if each.status is RefundStatus.SUCCEEDED]
        if not gone:
            return None
        refund = self.random.choice(gone)
        self.town.faults += 1
        far.move(refund, RefundStatus.FAILED)
        return refund.our_ref[-4:]
