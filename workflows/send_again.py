"""Send once more what the ERP refused: a person's decision, taken once, whoever else decides at the same moment."""

from __future__ import annotations

from temporalio import workflow

from activities.decisions import Decisions
from activities.requests import FirstAnswer, SendAgain
from workflows import policies


@workflow.defn
class SendPostingAgain:
    """One decision. What becomes of the posting is the poster's."""

    @workflow.init
    def __init__(self, order: SendAgain) -> None:  # noqa: ARG002 - Temporal gives both the same
        self._answer: FirstAnswer | None = None

    @workflow.run
    async def run(self, order: SendAgain) -> str:
        """Decide under the posting's row."""
        answer: FirstAnswer = await workflow.execute_local_activity_method(
            Decisions.send_again, order, **policies.DATABASE.local_options()
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
