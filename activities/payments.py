"""Steps of a payment: open it under lock, charge it, ask what became of it, record that."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.asking import Asking
from activities.failures import told_to_temporal
from activities.heartbeats import beating
from activities.opening import Opening
from activities.pokes import Pokes
from activities.providers import Providers
from activities.recording import Recording
from activities.requests import FirstAnswer, PayRequest
from connectors.errors import Misconfigured, OutcomeUnknown, Rejected
from connectors.payments.ports import ChargeOrder, PageOrder, Payer, ProviderCharge
from domain.ids import attempt_of, shown_number
from domain.methods import MethodKind
from store import faults, methods, payments
from store.database import Database, Transaction

SEND_WITHIN: Final = timedelta(seconds=20)
"""A charge leaves this soon after it was announced in the database, or not at all."""
QUIET: Final = timedelta(seconds=60)
"""How long after the last send 'the provider knows nothing' is not believed: our time-out, its work, its search lag."""
PAGE_LIFE: Final = timedelta(minutes=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPayment:
    """The request and the run that makes it."""

    request: PayRequest
    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """`charge` (go on), `ask` (another run opened it: never charge, find first) or `answer` (it ends here). `queue` is the
    task queue of its connection's calls, where those are limited.
    """

    next: str
    answer: FirstAnswer | None = None
    queue: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the provider told: a charge; or none, with `why`: 'unknown', 'nothing' (it knows no such charge), 'no' (it
    refused) or 'no_news' (one that cannot be searched has told nothing since it answered). `asked_at`: when it was asked
    what became of it; None for the answer to a send.
    """

    why: str
    charge: ProviderCharge | None = None
    note: str | None = None
    asked_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordOutcome:
    """Record what was told about a payment. `quietly` when nobody may be told of a repeat."""

    payment_id: str
    told: Told


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """The payment's state afterwards, where to send the customer, and when the provider's page ends."""

    state: str
    ended: bool
    redirect_url: str | None = None
    deadline_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A look that changed nothing, and when the next is due."""

    payment_id: str
    next_at: datetime
    tell_staff: bool = False


def charge_key(connection_id: str, payment_id: str, attempt: int) -> str:
    """The idempotency key of an attempt: from the payment, never from a run, a worker or a clock."""
    digest = hashlib.sha256(f"{connection_id}|charge|{payment_id}|{attempt}".encode()).hexdigest()
    return digest[:52]


class Payments:
    """The activities; what they need is given once by the worker."""

    def __init__(
        self,
        database: Database,
        providers: Providers,
        clock: Callable[[], datetime],
        pokes: Pokes,
        *,
        base_url: str,
        erp: str,
    ) -> None:
        self._database = database
        self._providers = providers
        self._asking = Asking(database, providers)
        self._clock = clock
        self._pokes = pokes
        self._base_url = base_url
        self._opening = Opening(database, clock)
        self._recording = Recording(database, clock, erp=erp)

    @activity.defn
    async def open_payment(self, order: OpenPayment) -> Opened:
        """Take the payment's row, decide under lock, hold. Survives running twice, also at once."""
        key = charge_key(order.request.connection_id, order.request.payment_id, 1)
        next_step, answer = await self._opening.open(order.request, order.run_id, key=key)
        queue = self._providers.queue_of(order.request.connection_id)
        return Opened(next=next_step, answer=answer, queue=queue)

    @activity.defn
    async def charge(self, payment_id: str) -> Told:
        """Send the charge, or open its page. A second try asks the provider first.

        Fails with Unavailable or Throttled when nothing happened over there; everything else is an answer.
        """
        async with beating(), told_to_temporal():
            if activity.info().attempt > 1:
                found = await self._look(payment_id)
                if found.why == "told":
                    return found
                # Not found: it goes out again under the same key, which charges once however often it is sent.
            return await self._announce_and_send(payment_id, is_first=activity.info().attempt == 1)

    async def _announce_and_send(self, payment_id: str, *, is_first: bool) -> Told:
        """Written down, then sent, under the key of the attempt: whoever sends goes through here, each time."""
        announced_at = self._clock()
        async with self._database.begin("charge.announce") as tx:
            row = await payments.load(tx, payment_id)
            if row is None:
                raise ApplicationError(f"{payment_id} was never opened", non_retryable=True)
            if not await payments.sending(tx, payment_id, at=announced_at):
                return Told(why="unknown", note="it ended before it was sent")
            payer = await _payer(tx, row.customer_id, row.connection_id)
            token = (await methods.load(tx, row.method_id)) if row.method_id else None
        await faults.reach("charge.before_send")
        if self._clock() - announced_at > SEND_WITHIN:
            raise ApplicationError("this worker stood still; the charge was not sent", type="StoodStill")
        try:
            told = await self._send(row, payer, token.token if token is not None else None)
        except (OutcomeUnknown, Rejected, Misconfigured) as error:
            # A second send that is refused says nothing about the first, which may have been taken.
            why = "unknown" if isinstance(error, OutcomeUnknown) or not is_first else "no"
            return Told(why=why, note=getattr(error, "code", type(error).__name__))
        await faults.reach("charge.after_answer")
        return Told(why="told", charge=told)

    async def _send(self, row: payments.PaymentRow, payer: Payer, token: str | None) -> ProviderCharge:
        provider = self._providers.charges(row.connection_id)
        key = charge_key(row.connection_id, row.id, row.attempt)
        reference = attempt_of(row.id, row.attempt)
        return_url = f"{self._base_url}/payments/{row.id}/return"
        description = f"Payment {shown_number(row.id)}"
        if token is not None:
            return await provider.charge(
                ChargeOrder(
                    our_ref=reference,
                    payer=payer,
                    method_token=token,
                    kind=MethodKind(row.method_kind),
                    amount=row.amount,
                    description=description,
                    return_url=return_url,
                ),
                key=key,
            )
        return await provider.open_payment_page(
            PageOrder(
                our_ref=reference,
                payer=payer,
                kinds=(MethodKind(row.method_kind),),
                amount=row.amount,
                description=description,
                return_url=return_url,
                cancel_url=return_url,
                save_method=row.save_consent,
                # From the row, so that a second try sends the same body under the same key.
                expires_at=row.opened_at + PAGE_LIFE,
            ),
            key=key,
        )

    @activity.defn
    async def find_charge(self, payment_id: str) -> Told:
        """Ask the provider by our reference; one that cannot be searched, by sending again under the same key. Fails with
        Unavailable or Throttled: nobody could be asked.
        """
        async with beating(), told_to_temporal():
            found = await self._look(payment_id)
            if found.why != "unsure":
                return found
            asked_at = self._clock()
            told = await self._announce_and_send(payment_id, is_first=False)
            return replace(told, asked_at=asked_at) if told.why == "told" else told

    async def _look(self, payment_id: str) -> Told:
        """What can be read of it. 'unsure' where nothing can, and the key would still have the first answer."""
        asked_at = self._clock()
        async with self._database.begin("find_charge.read") as tx:
            row = await payments.load(tx, payment_id)
        if row is None:
            raise ApplicationError(f"{payment_id} was never opened", non_retryable=True)
        if row.sent_at is None:
            return Told(why="nothing", note="never sent")
        try:
            found = await self._asking.charge_of(
                row.connection_id, attempt_of(payment_id, row.attempt), provider_id=row.provider_ref
            )
        except OutcomeUnknown as error:
            return Told(why="unknown", note=str(error))
        if found is not None:
            return Told(why="told", charge=found, asked_at=asked_at)
        if self._asking.key_life(row.connection_id) is not None:
            return self._without_search(row, asked_at)
        if row.provider_ref is not None:
            # It was acknowledged once. A provider that does not show it now is mistaken, or is not the one we think.
            return Told(why="unknown", note="the provider does not show a charge that it confirmed")
        lag = timedelta(seconds=self._providers.get(row.connection_id).search_lag_seconds)
        young = self._clock() - row.sent_at < QUIET + lag
        return Told(why="unknown" if young else "nothing", note="the provider does not show it yet" if young else None)

    def _without_search(self, row: payments.PaymentRow, asked_at: datetime) -> Told:
        """A provider that cannot be searched told nothing: what it answered before stands, and silence is never a no."""
        if row.provider_ref is not None:
            return Told(why="no_news", asked_at=asked_at)
        if self._asking.answers_again(row.connection_id, first_sent_at=row.opened_at, at=self._clock()):
            return Told(why="unsure")
        return Told(why="unknown", note="its key may be forgotten by now, and no event told of it: look at the provider's")

    @activity.defn
    async def cancel_charge(self, payment_id: str) -> Told:
        """Close what waits for the customer; the answer is the state afterwards, which may be captured."""
        async with beating(), told_to_temporal():
            async with self._database.begin("cancel_charge.read") as tx:
                row = await payments.load(tx, payment_id)
            if row is None or row.provider_ref is None:
                return Told(why="unknown")
            key = charge_key(row.connection_id, f"{payment_id}/cancel", row.attempt)
            await faults.reach("cancel_charge.before_send")
            try:
                charge = await self._providers.charges(row.connection_id).cancel_charge(row.provider_ref, key=key)
            except (OutcomeUnknown, Rejected):
                return Told(why="unknown", note="no answer to our cancellation")
            await faults.reach("cancel_charge.after_answer")
            return Told(why="told", charge=charge)

    @activity.defn
    async def record_outcome(self, order: RecordOutcome) -> Recorded:
        """Write what was told, once: holds become allocations, or end, or stay. Answers the state as it is now."""
        told = order.told
        recorded = await self._recording.record(order.payment_id, told.why, told.charge, told.note, asked_at=told.asked_at)
        if recorded.changed:
            self._pokes.poster()
            self._pokes.mailer()
        return Recorded(
            state=recorded.state.value,
            ended=recorded.ended,
            redirect_url=recorded.redirect_url,
            deadline_at=recorded.deadline_at,
        )

    @activity.defn
    async def note_check(self, check: Check) -> None:
        """Say when the provider was asked last and when next; tell staff when it lasts."""
        await self._recording.note_check(check.payment_id, next_at=check.next_at, tell_staff=check.tell_staff)


async def _payer(tx: Transaction, customer_id: str, connection_id: str) -> Payer:
    row = await tx.row("SELECT name, email FROM customers WHERE id = :id", id=customer_id)
    assert row is not None
    reference = await methods.payer_ref(tx, customer_id, connection_id)
    return Payer(customer_id=customer_id, name=row.name, email=row.email, provider_ref=reference)
