"""Post to an ERP: one process a connection, which never closes. The postings rows are its queue and its memory."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.posting import Postings, Round
from workflows import policies


@workflow.defn
class PostToErp:
    """Drains what waits, then sleeps until it is poked or something falls due. While the ERP is down: one probe a pause."""

    @workflow.init
    def __init__(self, connection_id: str, failed_probes: int = 0, queue: str | None = None) -> None:
        self._connection_id = connection_id
        self._queue = queue
        self._failed_probes = failed_probes
        self._pokes = 0
        self._retry_now = False

    @workflow.run
    async def run(self, connection_id: str, failed_probes: int = 0, queue: str | None = None) -> None:  # noqa: ARG002
        """Rounds, until this run's history is long enough; the next run drains first, so a poke at the seam is kept.
        `queue`: of the ERP's calls, where they have their own.
        """
        for _ in range(policies.ROUNDS_PER_RUN):
            pokes, self._retry_now = self._pokes, False
            last = await self._round()
            self._failed_probes = self._failed_probes + 1 if last is None or last.down else 0
            if last is not None and not last.down and last.confirmed > 0 and last.waiting > 0:
                continue
            await self._sleep(last, pokes)
            if workflow.info().is_continue_as_new_suggested():
                break
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new(args=[self._connection_id, self._failed_probes, self._queue])

    @workflow.signal
    def poke(self) -> None:
        """A posting may wait."""
        self._pokes += 1

    @workflow.signal
    def retry_now(self) -> None:
        """A person says that the ERP is back, or that a refused posting may go again."""
        self._retry_now = True

    async def _round(self) -> Round | None:
        try:
            return await workflow.execute_activity_method(
                Postings.post_round, self._failed_probes > 0, **policies.DRAIN.options(self._queue)
            )
        except ActivityError:
            return None

    async def _sleep(self, last: Round | None, pokes: int) -> None:
        """While the ERP is down, pokes do not wake it: payments go on, and nobody hammers a server that is getting up."""
        if self._failed_probes:
            pause = policies.nth(policies.DOWN_PAUSES, self._failed_probes - 1)
        else:
            pause = self._until_next_look(last)
        try:
            await workflow.wait_condition(
                lambda: self._retry_now or (not self._failed_probes and self._pokes > pokes), timeout=pause
            )
        except TimeoutError:
            return

    def _until_next_look(self, last: Round | None) -> timedelta:
        if last is None or last.next_look_at is None:
            return policies.IDLE_PAUSE
        left = last.next_look_at - workflow.now()
        return max(min(left, policies.IDLE_PAUSE), timedelta(milliseconds=200))
