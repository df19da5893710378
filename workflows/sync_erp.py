"""Read an ERP incrementally: run by a Schedule that never overlaps itself."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.syncing import Syncing
from workflows import policies

PAGES_PER_STEP = 10


@workflow.defn
class SyncErp:
    """Pages until none waits. What an ERP that is down leaves undone, the next run does."""

    @workflow.run
    async def run(self, connection_id: str, queue: str | None = None) -> int:
        """How many rows were read. The connection names the ERP in the history; `queue` takes its calls where it has one."""
        del connection_id
        rows = 0
        for _ in range(policies.ROUNDS_PER_RUN):
            try:
                read = await workflow.execute_activity_method(
                    Syncing.sync_pages, PAGES_PER_STEP, **policies.ROUND.options(queue)
                )
            except ActivityError:
                return rows
            rows += read.customers + read.invoices + read.credits + read.others
            if not read.more:
                break
        return rows
