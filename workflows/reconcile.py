"""Reconcile: provider = Duly = ERP, item by item, every night and when staff ask for it."""

from __future__ import annotations

import asyncio

from temporalio import workflow

from activities.reconciling import Looked, Reconciling, Sides
from workflows import policies


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
        looks: list[asyncio.Future[Looked]] = [
            workflow.start_activity_method(
                Reconciling.compare_charges, args=[run_id, each], **policies.RECONCILE.options(queue)
            )
            for each, queue in sorted(sides.providers.items())
        ]
        looks += [
            workflow.start_activity_method(
                Reconciling.compare_documents, args=[run_id, each], **policies.RECONCILE.options(queue)
            )
            for each, queue in sorted(sides.erps.items())
        ]
        await asyncio.gather(*looks)
        return await workflow.execute_activity_method(Reconciling.end_reconciliation, run_id, **policies.RECONCILE.options())
