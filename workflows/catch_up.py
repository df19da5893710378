"""CatchUp: what a provider told and no webhook brought is asked for, so that nothing depends on a delivery."""

from __future__ import annotations

from temporalio import workflow

from activities.catching_up import CatchingUp, CaughtUp
from workflows import policies


@workflow.defn
class CatchUp:
    """Run by a Schedule, one for each connection that lists its events."""

    @workflow.run
    async def run(self, connection_id: str, queue: str | None = None) -> int:
        """Read the list to its end, however long that is. How many events nobody had told of. `queue`: of its calls, where
        those are limited.
        """
        fresh, rounds = 0, 0
        while True:
            caught_up: CaughtUp = await workflow.execute_activity_method(
                CatchingUp.catch_up, connection_id, **policies.CATCH_UP.options(queue)
            )
            fresh, rounds = fresh + caught_up.fresh, rounds + 1
            if not caught_up.has_more:
                return fresh
            if rounds == policies.ROUNDS_PER_RUN:
                workflow.continue_as_new(args=[connection_id, queue])
