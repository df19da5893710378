"""Steps of a refund: ask for it under lock, decide it, send it once, ask what became of it, record that."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.asking import Asking
from activities.failures import told_to_temporal
from activities.heartbeats import beating
from activities.pokes import Pokes
from activities.providers import Providers
from activities.refunding import Refunding
from activities.requests import FirstAnswer, RefundDecision, RefundRequest
from connectors.errors import Misconfigured, OutcomeUnknown, Rejected
from connectors.payments.ports import ProviderRefund, RefundOrder
from domain.lifecycles import RefundState
from store import connections, faults, refunds
from store.database import Database
from store.refunds import RefundRow

SEND_WITHIN: Final = timedelta(seconds=20)
"""A refund leaves this soon after it was announced in the database, or not at all."""
QUIET: Final = timedelta(seconds=60)
"""How long after the last send 'the provider knows nothing' is not believed: our time-out, its work, its search lag."""
KEY_LIFE: Final = timedelta(hours=20)
"""How long after the first send the same key is sure to be the same refund. Providers keep keys for 24 hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRefund:
    """The request and the run that makes it."""

    request: RefundRequest
    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundStep:
    """`send` (go on), `wait` (for the second person), `ask` (it may have been sent: find first) or `answer` (it ends)."""

    next: str
    answer: FirstAnswer | None = None
    queue: str | None = None  # of the connection's calls, where those are limited


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundTold:
    """What the provider told: a refund; or none, with `why`: 'unknown', 'nothing' (it knows no such refund, and the key
    still lives), 'no' (it refused) or 'no_news' (one that cannot be searched has told nothing since it answered).
    `asked_at`: when it was asked; None for the answer to a send.
    """

    why: str
    refund: ProviderRefund | None = None
    note: str | None = None
    asked_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRefund:
    """Record what was told about a refund."""

    refund_id: str
    told: RefundTold


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRecorded:
    """The refund's state afterwards."""

    state: str
    ended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundCheck:
    """A look that changed nothing, and when the next is due."""

    refund_id: str
    next_at: datetime


def refund_key(payment_id: str, refund_id: str) -> str:
    """The idempotency key of a refund: from its own id, never from a run, a worker or a clock."""
    return hashlib.sha256(f"refund|{payment_id}|{refund_id}".encode()).hexdigest()[:52]


class Refunds:
    """The activities; what they need is given once by the worker."""

    def __init__(
        self, database: Database, providers: Providers, clock: Callable[[], datetime], pokes: Pokes, *, erp: str
    ) -> None:
        self._database = database
        self._providers = providers
        self._asking = Asking(database, providers)
        self._clock = clock
        self._pokes = pokes
        self._refunding = Refunding(database, clock, erp=erp)

    @activity.defn
    async def open_refund(self, order: OpenRefund) -> RefundStep:
        """Take the refund's row, decide under the payment's lock, reserve. Survives running twice, also at once."""
        key = refund_key(order.request.payment_id, order.request.refund_id)
        next_step, answer = await self._refunding.open(order.request, order.run_id, key=key)
        return RefundStep(next=next_step, answer=answer, queue=await self._queue(order.request.payment_id))

    async def _queue(self, payment_id: str) -> str | None:
        if not self._providers.rates:
            return None
        async with self._database.begin("open_refund.queue") as tx:
            connection_id = await connections.of_process(tx, payment_id)
        return None if connection_id is None else self._providers.queue_of(connection_id)

    @activity.defn
    async def decide_refund(self, decision: RefundDecision) -> FirstAnswer:
        """The second person's word, once; whoever decides what has moved on is told so."""
        return await self._refunding.decide(decision)

    @activity.defn
    async def refund_standing(self, refund_id: str) -> str:
        """Its state, for a process that has waited: the payment may have been taken back meanwhile."""
        async with self._database.begin("refund_standing") as tx:
            row = await refunds.load(tx, refund_id)
        if row is None:
            raise ApplicationError(f"{refund_id} was never asked for", non_retryable=True)
        return row.state.value

    @activity.defn
    async def send_refund(self, refund_id: str) -> RefundTold:
        """Send it. Where it may have left before, the provider is asked first; then it goes out under the same key.

        Fails with Unavailable or Throttled when nothing happened over there; everything else is an answer.
        """
        async with beating(), told_to_temporal():
            found = await self._find(refund_id)
            if found.why == "told":
                return found
            announced_at = self._clock()
            async with self._database.begin("refund.announce") as tx:
                row = await refunds.load(tx, refund_id, lock=True)
                if row is None or row.charge_ref is None:
                    raise ApplicationError(f"{refund_id} has nothing to give back", non_retryable=True)
                if row.provider_ref is not None or self._is_too_old(row):
                    return RefundTold(why="unknown", note=found.note)
                if not await refunds.sending(tx, refund_id, at=announced_at):
                    return RefundTold(why="unknown", note="it ended before it was sent")
            await faults.reach("refund.before_send")
            if self._clock() - announced_at > SEND_WITHIN:
                raise ApplicationError("this worker stood still; the refund was not sent", type="StoodStill")
            order = RefundOrder(our_ref=refund_id, charge_id=row.charge_ref, amount=row.amount)
            try:
                told = await self._providers.refunds(row.connection_id).refund(order, key=row.refund_key)
            except (OutcomeUnknown, Rejected, Misconfigured) as error:
                # A send that is refused says nothing about one before, unless that is known to have come to nothing.
                is_unknown = isinstance(error, OutcomeUnknown) or found.why != "nothing" or self._may_be_there(row)
                why = "unknown" if is_unknown else "no"
                return RefundTold(why=why, note=getattr(error, "code", type(error).__name__))
            await faults.reach("refund.after_answer")
            return RefundTold(why="told", refund=told)

    @activity.defn
    async def find_refund(self, refund_id: str) -> RefundTold:
        """Ask the provider by our reference. Fails with Unavailable or Throttled: nobody could be asked."""
        async with beating(), told_to_temporal():
            return await self._find(refund_id)

    async def _find(self, refund_id: str) -> RefundTold:
        asked_at = self._clock()
        async with self._database.begin("find_refund.read") as tx:
            row = await refunds.load(tx, refund_id)
        if row is None:
            raise ApplicationError(f"{refund_id} was never asked for", non_retryable=True)
        if row.sent_at is None or row.first_sent_at is None:
            return RefundTold(why="nothing", note="never sent")
        try:
            found = await self._asking.refund_of(row.connection_id, refund_id, provider_id=row.provider_ref)
        except OutcomeUnknown as error:
            return RefundTold(why="unknown", note=str(error))
        if found is not None:
            return RefundTold(why="told", refund=found, asked_at=asked_at)
        if row.provider_ref is not None and self._asking.key_life(row.connection_id) is not None:
            return RefundTold(why="no_news", asked_at=asked_at)
        if row.provider_ref is not None:
            return RefundTold(why="unknown", note="the provider does not show a refund that it confirmed")
        if self._is_too_old(row):
            # Its key may be forgotten by now: what is sent again could be a second refund. A person looks.
            return RefundTold(why="unknown", note="the provider does not show it, and it is too old to be sent again")
        lag = timedelta(seconds=self._providers.get(row.connection_id).search_lag_seconds)
        young = self._clock() - row.sent_at < QUIET + lag
        return RefundTold(why="unknown" if young else "nothing", note="the provider does not show it yet" if young else None)

    def _may_be_there(self, row: RefundRow) -> bool:
        """Whether it was sent before, to a provider that cannot be searched: that it shows nothing says nothing."""
        return row.first_sent_at is not None and self._asking.key_life(row.connection_id) is not None

    def _is_too_old(self, row: RefundRow) -> bool:
        life = self._asking.key_life(row.connection_id) or KEY_LIFE
        return row.first_sent_at is not None and self._clock() - row.first_sent_at > life

    @activity.defn
    async def record_refund(self, order: RecordRefund) -> RefundRecorded:
        """Write what was told, once. The books move only here, and only by a success that the provider told itself."""
        told = order.told
        now = await self._refunding.record(order.refund_id, told.why, told.refund, told.note, asked_at=told.asked_at)
        if now.changed:
            self._pokes.poster()
            self._pokes.mailer()
        return RefundRecorded(state=now.state.value, ended=now.state not in _GOES_ON)

    @activity.defn
    async def note_refund_check(self, check: RefundCheck) -> None:
        """Say when the provider was asked last and when next; tell staff when it lasts, once for each length of time."""
        if await self._refunding.note_check(check.refund_id, next_at=check.next_at):
            self._pokes.mailer()


_GOES_ON: Final = frozenset({RefundState.REQUESTED, RefundState.SENT, RefundState.PROCESSING, RefundState.UNKNOWN})
