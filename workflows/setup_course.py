"""What every set-up goes through once it was opened: the provider's page, and waiting for whatever comes first."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.requests import FirstAnswer
from activities.setups import RecordSetup, SetupRecorded, Setups, SetupTold
from domain.lifecycles import SetupState
from workflows import policies


class SetupCourse:
    """The state of one set-up's process: the first answer, and how many hints came."""

    def __init__(self, setup_id: str, queue: str | None = None) -> None:
        self.answer: FirstAnswer | None = None
        self.hints = 0
        self.queue = queue  # of the connection's calls, where those are limited
        self._seen = 0
        self._setup_id = setup_id

    async def start(self) -> SetupTold:
        """Open the provider's page. When it could not even be tried, what is known is: unknown."""
        try:
            return await workflow.execute_activity_method(
                Setups.start_setup, self._setup_id, **policies.SEND.options(self.queue)
            )
        except ActivityError:
            return SetupTold(why="unknown", note="the provider could not be reached")

    async def ask(self) -> SetupTold:
        """Ask what became of it. Nobody answering is no answer: unknown."""
        self._seen = self.hints
        try:
            return await workflow.execute_activity_method(
                Setups.find_setup, self._setup_id, **policies.ASK.options(self.queue)
            )
        except ActivityError:
            return SetupTold(why="unknown", note="the provider could not be asked")

    async def see_through(self, told: SetupTold) -> None:
        """Until it has ended: return, webhook, poll or deadline, whichever comes first. All of them only wake."""
        looks, state = 0, ""
        while True:
            recorded = await self._record(told)
            looks = looks + 1 if recorded.state == state else 0
            state = recorded.state
            if recorded.ended:
                return
            if recorded.state == SetupState.STARTED:
                # The page could not be opened yet and nobody knows whether it was: the same key opens the same page.
                await self._wait(policies.nth(policies.UNKNOWN_LOOKS, looks))
                told = await self.start()
                continue
            await self._wait(self._pause(recorded, looks))
            told = await self.ask()
            late = recorded.deadline_at is not None and workflow.now() >= recorded.deadline_at
            if late and recorded.state == SetupState.REDIRECTED and _is_open(told):
                told = await self._cancel()

    def _pause(self, recorded: SetupRecorded, looks: int) -> timedelta:
        if recorded.state == SetupState.VERIFYING:
            return policies.nth(policies.VERIFYING_LOOKS, looks)
        pause = policies.nth(policies.AWAITING_LOOKS, looks)
        if recorded.deadline_at is None:
            return pause
        return min(pause, max(recorded.deadline_at - workflow.now(), timedelta(seconds=1)))

    async def _wait(self, pause: timedelta) -> None:
        try:
            await workflow.wait_condition(lambda: self.hints > self._seen, timeout=pause)
        except TimeoutError:
            return

    async def _cancel(self) -> SetupTold:
        try:
            return await workflow.execute_activity_method(
                Setups.cancel_setup, self._setup_id, **policies.SEND.options(self.queue)
            )
        except ActivityError:
            return SetupTold(why="unknown", note="no answer to our cancellation")

    async def _record(self, told: SetupTold) -> SetupRecorded:
        recorded: SetupRecorded = await workflow.execute_local_activity_method(
            Setups.record_setup,
            RecordSetup(setup_id=self._setup_id, told=told),
            **policies.DATABASE.local_options(),
        )
        if recorded.state != SetupState.STARTED:
            self.answer = self.answer or FirstAnswer(state=recorded.state, redirect_url=recorded.redirect_url)
        return recorded


def _is_open(told: SetupTold) -> bool:
    return told.setup is not None and told.setup.status.value == "open"
