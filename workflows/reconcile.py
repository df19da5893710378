"""Reconcile: provider = Duly = ERP, item by item, every night and when staff ask for it."""

from __future__ import annotations

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.reconciling import Looked, Reconciling, Sides
from activities.syncing import Syncing
from workflows import policies

PAGES_PER_STEP = 10


@workflow.defn
class Reconcile:
    """One run, of a Schedule that never overlaps itself. The run's id is the workflow run's own."""

    @workflow.run
    async def run(self, asked_by: str) -> bool:
        """Whether all was equal. A side that cannot be asked makes it unequal, and keeps the others from nothing."""
        run_id = workflow.info().run_id
        sides: Sides = await workflow.execute_activity_method(
            Reconciling.begin_reconciliation, args=[run_id, asked_by], **policies.RECONCILE.options()
        )
        await asyncio.gather(
            *(self._provider(run_id, each, queue) for each, queue in sorted(sides.providers.items())),
            *(self._erp(run_id, each, queue) for each, queue in sorted(sides.erps.items())),
        )
        return await workflow.execute_activity_method(Reconciling.end_reconciliation, run_id, **policies.RECONCILE.options())

    async def _provider(self, run_id: str, connection_id: str, queue: str | None) -> None:
        looked: Looked = await workflow.execute_activity_method(
            Reconciling.compare_charges, args=[run_id, connection_id], **policies.RECONCILE.options(queue)
        )
        workflow.logger.info("%s: %d looked at, %d differing", connection_id, looked.looked_at, looked.differing)

    async def _erp(self, run_id: str, connection_id: str, queue: str | None) -> None:
        """What happened there until now is read first: then what differs is not only unread."""
        for _ in range(policies.ROUNDS_PER_RUN):
            try:
                read = await workflow.execute_activity_method(
                    Syncing.sync_pages, PAGES_PER_STEP, **policies.READ_FIRST.options(queue)
                )
            except ActivityError:
                break  # the comparison says who could not be asked
            if not read.more:
                break
        looked: Looked = await workflow.execute_activity_method(
            Reconciling.compare_documents, args=[run_id, connection_id], **policies.RECONCILE.options(queue)
        )
        workflow.logger.info("%s: %d looked at, %d differing", connection_id, looked.looked_at, looked.differing)
