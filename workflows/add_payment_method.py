"""Add a payment method: a redirect that cannot be lost. Return, webhook or poll, in any order, give one end."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.requests import FirstAnswer, SetupRequest
from activities.setups import OpenSetup, RecordSetup, SetupRecorded, Setups, SetupTold
from domain.lifecycles import SetupState
from workflows import policies


@workflow.defn
class AddPaymentMethod:
    """One set-up. It exists before the redirect."""

    @workflow.init
    def __init__(self, request: SetupRequest) -> None:
        self._request = request
        self._answer: FirstAnswer | None = None
        self._hints = 0
        self._seen = 0

    @workflow.run
    async def run(self, request: SetupRequest) -> str:
        """The story; answers the state in which it ended."""
        opened = await workflow.execute_local_activity_method(
            Setups.open_setup,
            OpenSetup(request=request, run_id=workflow.info().run_id),
            **policies.DATABASE.local_options(),
        )
        if opened.next == "answer":
            self._answer = opened.answer
        else:
            await self._see_through(await (self._start() if opened.next == "start" else self._ask()))
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self._answer.state if self._answer is not None else ""

    @workflow.update
    async def first_answer(self) -> FirstAnswer:
        """The redirect, or why there is none."""
        await workflow.wait_condition(lambda: self._answer is not None)
        assert self._answer is not None
        return self._answer

    @workflow.signal
    def hint(self, what: str) -> None:  # noqa: ARG002 - what came is not believed, only that something came
        """A return, a webhook: ask now."""
        self._hints += 1

    async def _see_through(self, told: SetupTold) -> None:
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
                told = await self._start()
                continue
            await self._wait(self._pause(recorded, looks))
            told = await self._ask()
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
            await workflow.wait_condition(lambda: self._hints > self._seen, timeout=pause)
        except TimeoutError:
            return

    async def _start(self) -> SetupTold:
        try:
            return await workflow.execute_activity_method(
                Setups.start_setup, self._request.setup_id, **policies.SEND.options()
            )
        except ActivityError:
            return SetupTold(why="unknown", note="the provider could not be reached")

    async def _ask(self) -> SetupTold:
        self._seen = self._hints
        try:
            return await workflow.execute_activity_method(
                Setups.find_setup, self._request.setup_id, **policies.ASK.options()
            )
        except ActivityError:
            return SetupTold(why="unknown", note="the provider could not be asked")

    async def _cancel(self) -> SetupTold:
        try:
            return await workflow.execute_activity_method(
                Setups.cancel_setup, self._request.setup_id, **policies.SEND.options()
            )
        except ActivityError:
            return SetupTold(why="unknown", note="no answer to our cancellation")

    async def _record(self, told: SetupTold) -> SetupRecorded:
        recorded: SetupRecorded = await workflow.execute_local_activity_method(
            Setups.record_setup,
            RecordSetup(setup_id=self._request.setup_id, told=told),
            **policies.DATABASE.local_options(),
        )
        if recorded.state != SetupState.STARTED:
            self._answer = self._answer or FirstAnswer(state=recorded.state, redirect_url=recorded.redirect_url)
        return recorded


def _is_open(told: SetupTold) -> bool:
    return told.setup is not None and told.setup.status.value == "open"
