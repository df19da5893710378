"""Workflows that only the bench has: the payment with every step remote, and two that do nothing.

`Empty` is the least that a first answer can cost; `Twin` has the shape of the product's own payment, local activities
and poster included, with nothing inside.
"""

from __future__ import annotations

from typing import Any

from temporalio import workflow

from activities.payments import Opened, OpenPayment, Payments, Recorded, RecordOutcome, Told
from activities.requests import FirstAnswer, PayRequest
from workflows import policies


class _Answering:
    """The update that every variant is started with."""

    answer: FirstAnswer | None = None

    @workflow.update
    async def first_answer(self) -> FirstAnswer:
        """The first thing that the customer can be told."""
        await workflow.wait_condition(lambda: self.answer is not None)
        assert self.answer is not None
        return self.answer


class _Remote(_Answering):
    """What both remote variants do before the ERP."""

    async def _until_recorded(self, request: PayRequest) -> None:
        order = OpenPayment(request=request, run_id=workflow.info().run_id)
        await workflow.execute_activity_method(Payments.open_payment, order, **policies.DATABASE.options())
        told = await workflow.execute_activity_method(Payments.charge, request.payment_id, **policies.SEND.options())
        recorded: Recorded = await workflow.execute_activity_method(
            Payments.record_outcome,
            RecordOutcome(payment_id=request.payment_id, told=told),
            **policies.DATABASE.options(),
        )
        self.answer = FirstAnswer(state=recorded.state, redirect_url=recorded.redirect_url)


@workflow.defn
class PayRemotely(_Remote):
    """Every step a regular activity: open, charge, record, claim, send, confirm, read back."""

    @workflow.run
    async def run(self, request: PayRequest) -> None:
        """The story."""
        await self._until_recorded(request)
        await _step("bench.claim", request.payment_id)
        await _step("bench.confirm", await _step("bench.send", request.payment_id))
        await _step("bench.read_back", request.payment_id)
        await workflow.wait_condition(workflow.all_handlers_finished)


@workflow.defn
class PayInFour(_Remote):
    """The same with one activity for the whole conversation with the ERP: open, charge, record, post."""

    @workflow.run
    async def run(self, request: PayRequest) -> None:
        """The story."""
        await self._until_recorded(request)
        await _step("bench.post", request.payment_id)
        await workflow.wait_condition(workflow.all_handlers_finished)


@workflow.defn
class Empty(_Answering):
    """Answers, and ends."""

    @workflow.run
    async def run(self, request: PayRequest) -> None:  # noqa: ARG002 - as large as the others' input
        """Nothing."""
        self.answer = FirstAnswer(state="captured")
        await workflow.wait_condition(workflow.all_handlers_finished)


@workflow.defn
class Twin(_Answering):
    """Local, regular, local, as the product's payment; nothing inside."""

    @workflow.run
    async def run(self, request: PayRequest) -> str:
        """The story."""
        await workflow.execute_local_activity(
            "bench.twin_open",
            OpenPayment(request=request, run_id=workflow.info().run_id),
            result_type=Opened,
            **policies.DATABASE.local_options(),
        )
        told = await workflow.execute_activity(
            "bench.twin_charge", request.payment_id, result_type=Told, **policies.SEND.options()
        )
        recorded: Recorded = await workflow.execute_local_activity(
            "bench.twin_record",
            RecordOutcome(payment_id=request.payment_id, told=told),
            result_type=Recorded,
            **policies.DATABASE.local_options(),
        )
        self.answer = FirstAnswer(state=recorded.state)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return recorded.state


@workflow.defn
class TwinPoster:
    """A round for every poke, as the product's poster; nothing inside."""

    def __init__(self) -> None:
        self._pokes = 0

    @workflow.run
    async def run(self) -> None:
        """Rounds, until the history is long enough."""
        while not workflow.info().is_continue_as_new_suggested():
            pokes = self._pokes
            await workflow.execute_activity("bench.twin_round", False, **policies.DRAIN.options())
            await workflow.wait_condition(lambda: self._pokes > pokes)  # noqa: B023 - asked before the next turn only
        workflow.continue_as_new()

    @workflow.signal
    def poke(self) -> None:
        """A posting may wait."""
        self._pokes += 1


async def _step(name: str, given: Any) -> Any:
    return await workflow.execute_activity(name, given, **policies.DRAIN.options())


WORKFLOWS = (PayRemotely, PayInFour, Empty, Twin, TwinPoster)
