"""Pay invoices: open under lock, charge, answer the customer, and own the payment until it is captured or has ended."""

from __future__ import annotations

from temporalio import workflow

from activities.payments import OpenPayment, Payments
from activities.requests import FirstAnswer, PayRequest
from workflows import policies
from workflows.payment_course import PaymentCourse


@workflow.defn
class PayInvoices:
    """One payment. Its id is the payment's; its input never changes what an existing row says."""

    @workflow.init
    def __init__(self, request: PayRequest) -> None:
        self._request = request
        self._course = PaymentCourse()

    @workflow.run
    async def run(self, request: PayRequest) -> str:
        """The story; answers the state in which it ended."""
        opened = await workflow.execute_local_activity_method(
            Payments.open_payment,
            OpenPayment(request=request, run_id=workflow.info().run_id),
            **policies.DATABASE.local_options(),
        )
        self._course.queue = opened.queue
        if opened.next == "answer":
            self._course.answer = opened.answer
            await self._course.hear_out(request.payment_id)
        else:
            asks = opened.next == "ask"  # another run opened it: it may have been charged
            told = await (self._course.ask(request.payment_id) if asks else self._course.charge(request.payment_id))
            await self._course.see_through(request.payment_id, told)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self._course.answer.state if self._course.answer is not None else ""

    @workflow.update
    async def first_answer(self) -> FirstAnswer:
        """The first thing that the customer can be told. No validator: a refusal is a value."""
        await workflow.wait_condition(lambda: self._course.answer is not None)
        assert self._course.answer is not None
        return self._course.answer

    @workflow.signal
    def hint(self, what: str) -> None:  # noqa: ARG002 - what came is not believed, only that something came
        """A return, a webhook, a look of staff: ask now."""
        self._course.hints += 1


@workflow.defn
class ResumePayment:
    """Takes up a payment in flight whose workflow is gone. It asks the provider before anything, and never charges."""

    @workflow.init
    def __init__(self, payment_id: str, queue: str | None = None) -> None:
        self._payment_id = payment_id
        self._course = PaymentCourse()
        self._course.queue = queue

    @workflow.run
    async def run(self, payment_id: str, queue: str | None = None) -> str:  # noqa: ARG002 - Temporal gives it to both
        """Until it is captured or has ended. `queue`: of the connection's calls, where those are limited."""
        await self._course.see_through(payment_id, await self._course.ask(payment_id))
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self._course.answer.state if self._course.answer is not None else ""

    @workflow.update
    async def first_answer(self) -> FirstAnswer:
        """The same question as to the run before."""
        await workflow.wait_condition(lambda: self._course.answer is not None)
        assert self._course.answer is not None
        return self._course.answer

    @workflow.signal
    def hint(self, what: str) -> None:  # noqa: ARG002 - what came is not believed, only that something came
        """Ask now."""
        self._course.hints += 1
