"""Close a difference: a person's decision with a reason, taken once, whoever else decides at the same moment."""

from __future__ import annotations

from temporalio import workflow

from activities.decisions import Decisions
from activities.requests import CloseOrder, FirstAnswer
from workflows import policies


@workflow.defn
class CloseDifference:
    """One decision."""

    @workflow.init
    def __init__(self, order: CloseOrder) -> None:  # noqa: ARG002 - Temporal gives both the same
        self._answer: FirstAnswer | None = None

    @workflow.run
    async def run(self, order: CloseOrder) -> str:
        """Decide under the difference's row."""
        answer: FirstAnswer = await workflow.execute_local_activity_method(
            Decisions.close_difference, order, **policies.DATABASE.local_options()
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
