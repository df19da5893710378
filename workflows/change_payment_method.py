"""Change a saved method: make it the default, or remove it here and at the provider."""

from __future__ import annotations

from temporalio import workflow

from activities.method_changes import MethodChanges
from activities.requests import FirstAnswer, MethodChange
from workflows import policies


@workflow.defn
class ChangePaymentMethod:
    """One change."""

    @workflow.init
    def __init__(self, change: MethodChange) -> None:  # noqa: ARG002 - Temporal gives both the same
        self._answer: FirstAnswer | None = None

    @workflow.run
    async def run(self, change: MethodChange) -> str:
        """Decide under lock; then, for a removal, ask the provider until it has said yes or no."""
        step = await workflow.execute_local_activity_method(
            MethodChanges.decide_change, change, **policies.DATABASE.local_options()
        )
        answer: FirstAnswer = step.answer
        if step.next == "detach":
            refusal = await workflow.execute_activity_method(
                MethodChanges.detach_method, change, **policies.UNTIL_DONE.options(step.queue)
            )
            answer = await workflow.execute_activity_method(
                MethodChanges.record_detach, args=[change, refusal], **policies.DATABASE.options()
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
