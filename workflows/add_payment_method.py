"""Add a payment method: a redirect that cannot be lost. Return, webhook or poll, in any order, give one end."""

from __future__ import annotations

from temporalio import workflow

from activities.requests import FirstAnswer, SetupRequest
from activities.setups import OpenSetup, Setups
from workflows import policies
from workflows.setup_course import SetupCourse


@workflow.defn
class AddPaymentMethod:
    """One set-up. It exists before the redirect."""

    @workflow.init
    def __init__(self, request: SetupRequest) -> None:
        self._course = SetupCourse(request.setup_id)

    @workflow.run
    async def run(self, request: SetupRequest) -> str:
        """The story; answers the state in which it ended."""
        opened = await workflow.execute_local_activity_method(
            Setups.open_setup,
            OpenSetup(request=request, run_id=workflow.info().run_id),
            **policies.DATABASE.local_options(),
        )
        self._course.queue = opened.queue
        if opened.next == "answer":
            self._course.answer = opened.answer
        else:
            told = await (self._course.start() if opened.next == "start" else self._course.ask())
            await self._course.see_through(told)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self._course.answer.state if self._course.answer is not None else ""

    @workflow.update
    async def first_answer(self) -> FirstAnswer:
        """The redirect, or why there is none."""
        await workflow.wait_condition(lambda: self._course.answer is not None)
        assert self._course.answer is not None
        return self._course.answer

    @workflow.signal
    def hint(self, what: str) -> None:  # noqa: ARG002 - what came is not believed, only that something came
        """A return, a webhook: ask now."""
        self._course.hints += 1


@workflow.defn
class ResumeSetup:
    """Takes up a set-up in flight whose workflow is gone. It asks the provider before anything else."""

    @workflow.init
    def __init__(self, setup_id: str, queue: str | None = None) -> None:
        self._course = SetupCourse(setup_id, queue)

    @workflow.run
    async def run(self, setup_id: str, queue: str | None = None) -> str:  # noqa: ARG002 - Temporal gives them to both
        """Until it has ended. `queue`: of the connection's calls, where those are limited."""
        await self._course.see_through(await self._course.ask())
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
