"""Refund a payment: ask for it under lock, wait for a second person where one is needed, send it once, see it through."""

from __future__ import annotations

from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.refunds import OpenRefund, RecordRefund, RefundCheck, RefundRecorded, Refunds, RefundTold
from activities.requests import FirstAnswer, RefundDecision, RefundRequest
from domain.lifecycles import RefundState
from workflows import policies


class RefundCourse:
    """The state of one refund's process: the first answer, how many hints came, and the second person's word."""

    def __init__(self) -> None:
        self.answer: FirstAnswer | None = None
        self.hints = 0
        self.queue: str | None = None  # of the connection's calls, where those are limited
        self._seen = 0
        self._decided = False

    async def decide(self, decision: RefundDecision) -> FirstAnswer:
        """The second person's word, as the row takes it. Refused or not, the process looks at the row: a word that was
        written down by a worker that died with its answer is refused when it is said again.
        """
        answer: FirstAnswer = await workflow.execute_local_activity_method(
            Refunds.decide_refund, decision, **policies.DATABASE.local_options()
        )
        self._decided = True
        return answer

    async def second_person(self, refund_id: str) -> bool:
        """Wait for the second person. False when it ended without one: rejected, or its payment was taken back."""
        while True:
            await self._wait(policies.SECOND_LOOK, until_decided=True)
            self._seen, self._decided = self.hints, False
            state = await workflow.execute_local_activity_method(
                Refunds.refund_standing, refund_id, **policies.DATABASE.local_options()
            )
            if state != RefundState.AWAITING_SECOND:
                return bool(state != RefundState.REJECTED)

    async def send(self, refund_id: str) -> RefundTold:
        """Send it. When it could not even be tried, what is known is: unknown."""
        try:
            return await workflow.execute_activity_method(
                Refunds.send_refund, refund_id, **policies.SEND.options(self.queue)
            )
        except ActivityError:
            return RefundTold(why="unknown", note="the provider could not be reached")

    async def ask(self, refund_id: str) -> RefundTold:
        """Ask what became of it. Nobody answering is no answer: unknown."""
        self._seen = self.hints
        try:
            return await workflow.execute_activity_method(Refunds.find_refund, refund_id, **policies.ASK.options(self.queue))
        except ActivityError:
            return RefundTold(why="unknown", note="the provider could not be asked")

    async def see_through(self, refund_id: str, told: RefundTold) -> None:
        """Until it is refunded or has failed: event, look or deadline, whichever comes first. All of them only wake."""
        looks, state = 0, ""
        while True:
            if told.why == "nothing":
                # The provider knows nothing of it after its quiet time: once more, under the key that never changes.
                told = await self.send(refund_id)
            recorded = await self._record(refund_id, told)
            looks = looks + 1 if recorded.state == state else 0
            state = recorded.state
            if recorded.ended and self.hints == self._seen:
                return
            if not recorded.ended:
                await self._pause(refund_id, recorded, looks)
            late = await self.ask(refund_id)
            if recorded.ended and late.why != "told":
                return  # a hint came while it ended; what it speaks of has a process of its own
            told = late

    async def _record(self, refund_id: str, told: RefundTold) -> RefundRecorded:
        recorded: RefundRecorded = await workflow.execute_local_activity_method(
            Refunds.record_refund, RecordRefund(refund_id=refund_id, told=told), **policies.DATABASE.local_options()
        )
        self.answer = self.answer or FirstAnswer(state=recorded.state)
        return recorded

    async def _pause(self, refund_id: str, recorded: RefundRecorded, looks: int) -> None:
        is_unknown = recorded.state == RefundState.UNKNOWN
        pause = policies.nth(policies.UNKNOWN_LOOKS if is_unknown else policies.PROCESSING_LOOKS, looks)
        next_at: datetime = workflow.now() + pause
        await workflow.execute_activity_method(
            Refunds.note_refund_check, RefundCheck(refund_id=refund_id, next_at=next_at), **policies.DATABASE.options()
        )
        await self._wait(pause)

    async def _wait(self, pause: timedelta, *, until_decided: bool = False) -> None:
        try:
            await workflow.wait_condition(
                lambda: self.hints > self._seen or (until_decided and self._decided), timeout=pause
            )
        except TimeoutError:
            return


@workflow.defn
class RefundPayment:
    """One refund. Its id is the refund's; its input never changes what an existing row says."""

    @workflow.init
    def __init__(self, request: RefundRequest) -> None:  # noqa: ARG002 - Temporal gives both the same
        self._course = RefundCourse()

    @workflow.run
    async def run(self, request: RefundRequest) -> str:
        """The story; answers the state in which it ended."""
        opened = await workflow.execute_local_activity_method(
            Refunds.open_refund,
            OpenRefund(request=request, run_id=workflow.info().run_id),
            **policies.DATABASE.local_options(),
        )
        course, refund_id = self._course, request.refund_id
        course.answer, course.queue = opened.answer, opened.queue
        if (opened.next == "wait" and await course.second_person(refund_id)) or opened.next == "send":
            await course.see_through(refund_id, await course.send(refund_id))
        elif opened.next == "ask":  # another run asked for it: it may have been sent
            await course.see_through(refund_id, await course.ask(refund_id))
        await workflow.wait_condition(workflow.all_handlers_finished)
        return course.answer.state if course.answer is not None else ""

    @workflow.update
    async def first_answer(self) -> FirstAnswer:
        """The first thing that can be told. No validator: a refusal is a value."""
        await workflow.wait_condition(lambda: self._course.answer is not None)
        assert self._course.answer is not None
        return self._course.answer

    @workflow.update
    async def decide(self, decision: RefundDecision) -> FirstAnswer:
        """The second person's word."""
        return await self._course.decide(decision)

    @workflow.signal
    def hint(self, what: str) -> None:  # noqa: ARG002 - what came is not believed, only that something came
        """An event of the provider's, a look of staff: ask now."""
        self._course.hints += 1


@workflow.defn
class ResumeRefund:
    """Takes up a refund whose workflow is gone. It asks the provider before anything, and sends under the same key."""

    @workflow.init
    def __init__(self, refund_id: str, queue: str | None = None) -> None:  # noqa: ARG002 - Temporal gives both the same
        self._course = RefundCourse()
        self._course.queue = queue

    @workflow.run
    async def run(self, refund_id: str, queue: str | None = None) -> str:  # noqa: ARG002 - Temporal gives both the same
        """Until it is over. `queue`: of the connection's calls, where those are limited."""
        state = await workflow.execute_local_activity_method(
            Refunds.refund_standing, refund_id, **policies.DATABASE.local_options()
        )
        if state != RefundState.AWAITING_SECOND or await self._course.second_person(refund_id):
            await self._course.see_through(refund_id, await self._course.ask(refund_id))
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self._course.answer.state if self._course.answer is not None else ""

    @workflow.update
    async def decide(self, decision: RefundDecision) -> FirstAnswer:
        """The second person's word."""
        return await self._course.decide(decision)

    @workflow.signal
    def hint(self, what: str) -> None:  # noqa: ARG002 - what came is not believed, only that something came
        """Ask now."""
        self._course.hints += 1
