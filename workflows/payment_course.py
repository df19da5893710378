"""What every payment goes through once it was opened: the provider's answer, and waiting for whatever comes first."""

from __future__ import annotations

from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.payments import Check, Payments, Recorded, RecordOutcome, Told
from activities.requests import FirstAnswer
from domain.deciding import TELL_STAFF_AFTER
from domain.lifecycles import PaymentState
from workflows import policies


class PaymentCourse:
    """The state of one payment's process: the first answer, and how many hints came."""

    def __init__(self) -> None:
        self.answer: FirstAnswer | None = None
        self.hints = 0
        self.queue: str | None = None  # of the connection's calls, where those are limited
        self._seen = 0
        self._unknown_since: datetime | None = None
        self._told_staff = 0
        self._cancels = 0

    async def charge(self, payment_id: str) -> Told:
        """Send the charge. When it could not even be tried, what is known is: unknown."""
        try:
            return await workflow.execute_activity_method(Payments.charge, payment_id, **policies.SEND.options(self.queue))
        except ActivityError:
            return Told(why="unknown", note="the provider could not be reached")

    async def ask(self, payment_id: str) -> Told:
        """Ask what became of it. Nobody answering is no answer: unknown."""
        self._seen = self.hints
        try:
            return await workflow.execute_activity_method(
                Payments.find_charge, payment_id, **policies.ASK.options(self.queue)
            )
        except ActivityError:
            return Told(why="unknown", note="the provider could not be asked")

    async def record(self, payment_id: str, told: Told) -> Recorded:
        """Write it, and let the customer's first answer go."""
        recorded: Recorded = await workflow.execute_local_activity_method(
            Payments.record_outcome, RecordOutcome(payment_id=payment_id, told=told), **policies.DATABASE.local_options()
        )
        self.answer = self.answer or FirstAnswer(state=recorded.state, redirect_url=recorded.redirect_url)
        return recorded

    async def see_through(self, payment_id: str, told: Told) -> None:
        """Until the payment is captured or has ended: return, webhook, poll or deadline, whichever comes first.

        All of them only wake; the truth is fetched.
        """
        looks = 0
        state = ""
        while True:
            recorded = await self.record(payment_id, told)
            looks = looks + 1 if recorded.state == state else 0
            state = recorded.state
            if recorded.ended and self.hints == self._seen:
                return
            if recorded.ended:
                # A hint came while this was written: what it speaks of (a return, say) is looked at before closing.
                late = await self._ask_until_told(payment_id)
                if late is None:
                    return
                told = late
                continue
            told = await self._next_word(payment_id, recorded, looks)

    async def hear_out(self, payment_id: str) -> None:
        """Before a run that had nothing to do closes: a hint that reached it was delivered to nobody else."""
        if self.hints > self._seen:
            late = await self._ask_until_told(payment_id)
            if late is not None:
                await self.see_through(payment_id, late)

    async def _ask_until_told(self, payment_id: str) -> Told | None:
        """None when the provider knows nothing, or cannot say for an hour: a late event has a process of its own."""
        for pause in policies.UNKNOWN_LOOKS:
            told = await self.ask(payment_id)
            if told.why == "told":
                return told
            if told.why == "nothing":
                return None
            await workflow.sleep(pause)
        return None

    async def _next_word(self, payment_id: str, recorded: Recorded, looks: int) -> Told:
        pause = self._pause(recorded, looks)
        if recorded.state == PaymentState.UNKNOWN:
            await self._say_next_look(payment_id, pause)
        else:
            self._unknown_since, self._told_staff = None, 0
        await self._wait(pause)
        deadline = recorded.deadline_at
        waits = recorded.state == PaymentState.AWAITING_CUSTOMER
        told = await self.ask(payment_id)
        if waits and deadline is not None and workflow.now() >= deadline and _still_waits(told):
            # The page's end of life: asked first, so that a payment made in the last second is not cancelled blindly.
            self._cancels += 1
            return await self._cancel(payment_id)
        return told

    async def _cancel(self, payment_id: str) -> Told:
        try:
            return await workflow.execute_activity_method(
                Payments.cancel_charge, payment_id, **policies.SEND.options(self.queue)
            )
        except ActivityError:
            return Told(why="unknown", note="no answer to our cancellation")

    async def _wait(self, pause: timedelta) -> None:
        try:
            await workflow.wait_condition(lambda: self.hints > self._seen, timeout=pause)
        except TimeoutError:
            return

    def _pause(self, recorded: Recorded, looks: int) -> timedelta:
        if recorded.state == PaymentState.UNKNOWN:
            return policies.nth(policies.UNKNOWN_LOOKS, looks + self._cancels)
        if recorded.state == PaymentState.PROCESSING:
            return policies.nth(policies.PROCESSING_LOOKS, looks)
        pause = policies.nth(policies.AWAITING_LOOKS, looks)
        if recorded.deadline_at is None:
            return pause
        left = recorded.deadline_at - workflow.now()
        # Past its end, a page that cannot be closed is asked about less and less often.
        return min(pause, left) if left > timedelta(0) else policies.nth(policies.UNKNOWN_LOOKS, self._cancels)

    async def _say_next_look(self, payment_id: str, pause: timedelta) -> None:
        """C9: when it is asked again, and who is told if it lasts."""
        now = workflow.now()
        self._unknown_since = self._unknown_since or now
        lasted = now - self._unknown_since
        steps = TELL_STAFF_AFTER
        tell = self._told_staff < len(steps) and lasted >= steps[self._told_staff]
        self._told_staff += 1 if tell else 0
        await workflow.execute_activity_method(
            Payments.note_check,
            Check(payment_id=payment_id, next_at=now + pause, tell_staff=tell),
            **policies.DATABASE.options(),
        )


def _still_waits(told: Told) -> bool:
    return told.charge is not None and told.charge.status.value == "needs_customer"
