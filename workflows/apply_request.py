"""Apply a credit: the request waits for people, days or weeks, and what was decided is carried out by the poster.

The row owns the state. This process owns the time: staff are reminded, approvers are told, and what nobody decides expires.
"""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow

from activities.applying import Alarm, Applying, Opened, OpenRequest, Watch
from activities.requests import ApplyOrder, Decision, FirstAnswer
from workflows import policies


@workflow.defn
class ApplyCredit:
    """One request. Its id is the request's; taken up again without lines, it goes on where the row stands."""

    @workflow.init
    def __init__(self, order: ApplyOrder) -> None:
        self._request_id = order.request_id
        self._answer: FirstAnswer | None = None
        self._hints = 0

    @workflow.run
    async def run(self, order: ApplyOrder) -> str:
        """The story; answers the state in which it ended."""
        opened: Opened = await workflow.execute_local_activity_method(
            Applying.open_request,
            OpenRequest(order=order, run_id=workflow.info().run_id),
            **policies.DATABASE.local_options(),
        )
        self._answer = opened.answer
        state = await self._see_through() if opened.goes_on else opened.answer.state
        await workflow.wait_condition(workflow.all_handlers_finished)
        return state

    async def _see_through(self) -> str:
        """Until it has ended. A hint, a decision or an alarm: each only means to look at the row again."""
        while True:
            seen = self._hints
            watch: Watch = await workflow.execute_local_activity_method(
                Applying.watch_request, self._request_id, **policies.DATABASE.local_options()
            )
            if watch.ended:
                return watch.state
            pause = policies.POSTING_LOOK
            if watch.next_at is not None:
                pause = max(watch.next_at - workflow.now(), timedelta(0))
            try:
                await workflow.wait_condition(lambda: self._hints > seen, timeout=pause)  # noqa: B023 - waited for here
            except TimeoutError:
                await workflow.execute_local_activity_method(
                    Applying.alarm_request,
                    Alarm(request_id=self._request_id, at=workflow.now()),
                    **policies.DATABASE.local_options(),
                )

    @workflow.update
    async def first_answer(self) -> FirstAnswer:
        """The first thing that the customer can be told. No validator: a refusal is a value."""
        await workflow.wait_condition(lambda: self._answer is not None)
        assert self._answer is not None
        return self._answer

    @workflow.update
    async def decide(self, decision: Decision) -> FirstAnswer:
        """Somebody decides; the row says whether in time."""
        await workflow.wait_condition(lambda: self._answer is not None)
        answer: FirstAnswer = await workflow.execute_local_activity_method(
            Applying.decide_request, decision, **policies.DATABASE.local_options()
        )
        self._hints += 1
        return answer

    @workflow.signal
    def hint(self, what: str) -> None:  # noqa: ARG002 - only that something came
        """The poster has heard of it, or somebody looks: look at the row."""
        self._hints += 1


@workflow.defn
class UndoApplication:
    """Take an applied credit off again: one decision. What becomes of its posting is the poster's."""

    @workflow.init
    def __init__(self, decision: Decision) -> None:  # noqa: ARG002 - Temporal gives both the same
        self._answer: FirstAnswer | None = None

    @workflow.run
    async def run(self, decision: Decision) -> str:
        """Decide under the request's row."""
        answer: FirstAnswer = await workflow.execute_local_activity_method(
            Applying.decide_request, decision, **policies.DATABASE.local_options()
        )
        self._answer = answer
        await workflow.wait_condition(workflow.all_handlers_finished)
        return answer.state

    @workflow.update
    async def first_answer(self) -> FirstAnswer:
        """What became of it."""
        await workflow.wait_condition(lambda: self._answer is not None)
        assert self._answer is not None
        return self._answer
