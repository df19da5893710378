"""Sweep: what a crash left between a commit and a start is found and started."""

from __future__ import annotations

from temporalio import workflow

from activities.events import Events, Swept
from workflows import policies


@workflow.defn
class Sweep:
    """Run by a Schedule."""

    @workflow.run
    async def run(self) -> int:
        """How many loose ends were picked up."""
        swept: Swept = await workflow.execute_activity_method(Events.sweep, **policies.ROUND.options())
        return swept.events + swept.lost_payments + swept.lost_setups + swept.lost_requests
