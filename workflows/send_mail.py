"""Send mail: one process that drains the outbox and never closes; and batches of portal links."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.mailing import Mailing
from activities.requests import SendLinks
from workflows import policies


@workflow.defn
class SendMail:
    """Drains, then sleeps until poked. While the mail server is away it tries at growing intervals."""

    @workflow.init
    def __init__(self) -> None:
        self._pokes = 0

    @workflow.run
    async def run(self) -> None:
        """Rounds, until this run's history is long enough."""
        failures = 0
        for _ in range(policies.ROUNDS_PER_RUN):
            pokes = self._pokes
            try:
                last = await workflow.execute_activity_method(Mailing.send_round, **policies.DRAIN.options())
                failures = failures + 1 if last.down else 0
                more = last.more and not last.down
            except ActivityError:
                failures, more = failures + 1, False
            if not more:
                await self._sleep(failures, pokes)
            if workflow.info().is_continue_as_new_suggested():
                break
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new()

    @workflow.signal
    def poke(self) -> None:
        """A mail may wait."""
        self._pokes += 1

    async def _sleep(self, failures: int, pokes: int) -> None:
        pause = policies.nth(policies.DOWN_PAUSES, failures - 1) if failures else policies.IDLE_PAUSE
        try:
            await workflow.wait_condition(lambda: not failures and self._pokes > pokes, timeout=pause)
        except TimeoutError:
            return


@workflow.defn
class SendPortalLinks:
    """Queues one mail for each contact of a batch."""

    @workflow.run
    async def run(self, order: SendLinks) -> int:
        """How many were asked for."""
        return await workflow.execute_activity_method(Mailing.queue_links, order, **policies.DATABASE.options())
