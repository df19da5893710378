"""A provider's event for a process that is no longer open: settled, returned, or a success after we had given up."""

from __future__ import annotations

from temporalio import workflow

from activities.events import Events
from workflows import policies


@workflow.defn
class LateEvent:
    """One event, by its inbox id."""

    @workflow.run
    async def run(self, inbox_id: str, queue: str | None = None) -> str:
        """Fetch and record, however long the provider is away. `queue`: of its calls, where those are limited."""
        return await workflow.execute_activity_method(Events.apply_event, inbox_id, **policies.UNTIL_DONE.options(queue))
