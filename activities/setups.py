"""Steps of a payment method's set-up: open it, open the provider's page, ask what became of it, record that."""

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
from activities.pokes import Pokes
from activities.providers import Providers
from activities.requests import FirstAnswer, SetupRequest
from connectors.errors import Misconfigured, OutcomeUnknown, Rejected
from connectors.payments.ports import Payer, ProviderSetup, SetupOrder, SetupStatus
from domain.lifecycles import SETUP_IN_FLIGHT, SetupState
from domain.refusals import Refusal
from store import business, connections, faults, inbox, methods
from store.database import Database, Transaction

LIFE: Final = timedelta(minutes=30)

_STATES: Final = {
    SetupStatus.VERIFYING: SetupState.VERIFYING,
    SetupStatus.COMPLETED: SetupState.COMPLETED,
    SetupStatus.FAILED: SetupState.FAILED,
    SetupStatus.CANCELED: SetupState.CANCELED,
    SetupStatus.EXPIRED: SetupState.EXPIRED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSetup:
    """The request and the run that makes it."""

    request: SetupRequest
    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupOpened:
    """`start` (open the page), `ask` (another run opened it: find first) or `answer` (it ends here). `queue` is the task
    queue of its connection's calls, where those are limited.
    """

    next: str
    answer: FirstAnswer | None = None
    queue: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupTold:
    """What the provider told; `why` is told, page, unknown, nothing or no."""

    why: str
    setup: ProviderSetup | None = None
    session_id: str | None = None
    page_url: str | None = None
    page_expires_at: datetime | None = None
    payer_ref: str | None = None
    note: str | None = None
    asked_at: datetime | None = None  # as in payments.Told


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordSetup:
    """Record what was told about a set-up."""

    setup_id: str
    told: SetupTold
    next_look_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupRecorded:
    """The set-up's state afterwards."""

    state: str
    ended: bool
    redirect_url: str | None = None
    deadline_at: datetime | None = None


def setup_key(connection_id: str, setup_id: str, step: str) -> str:
    """The idempotency key of a step of a set-up."""
    return hashlib.sha256(f"{connection_id}|{step}|{setup_id}|1".encode()).hexdigest()[:52]


class Setups:
    """The activities; what they need is given once by the worker."""

    def __init__(
        self,
        database: Database,
        providers: Providers,
        clock: Callable[[], datetime],
        pokes: Pokes,
        *,
        base_url: str,
    ) -> None:
        self._database = database
        self._providers = providers
        self._asking = Asking(database, providers)
        self._clock = clock
        self._pokes = pokes
        self._base_url = base_url

    @activity.defn
    async def open_setup(self, order: OpenSetup) -> SetupOpened:
        """Take the set-up's row with the customer's consent, or store why not. Survives running twice."""
        opened = await self._open(order.request, order.run_id)
        queue = self._providers.queue_of(order.request.connection_id)
        return replace(opened, queue=queue)

    async def _open(self, request: SetupRequest, run_id: str) -> SetupOpened:
        at = self._clock()
        async with self._database.begin("open_setup") as tx:
            mine = await methods.claim_setup(
                tx,
                setup_id=request.setup_id,
                customer_id=request.customer_id,
                connection_id=request.connection_id,
                kind=request.kind,
                currency=request.currency,
                run_id=run_id,
                request_hash=request.request_hash,
                consent_wording=request.consent_wording,
                started_by=request.started_by,
                channel=request.channel,
                return_path=request.return_path,
                at=at,
            )
            if not mine:
                return await _again(tx, request, run_id)
            refusal = await _refuse(tx, request)
            if refusal is not None:
                await methods.refuse_setup(tx, request.setup_id, request.customer_id, refusal, at=at)
                return SetupOpened(next="answer", answer=_refused(refusal))
            return SetupOpened(next="start")

    @activity.defn
    async def start_setup(self, setup_id: str) -> SetupTold:
        """Open the provider's page. The same key opens the same page, so a second try is safe."""
        async with beating(), told_to_temporal():
            async with self._database.begin("start_setup.read") as tx:
                row = await methods.load_setup(tx, setup_id)
                if row is None:
                    raise ApplicationError(f"{setup_id} was never opened", non_retryable=True)
                payer = await _payer(tx, row.customer_id, row.connection_id)
            return_url = f"{self._base_url}/methods/setups/{setup_id}/return"
            order = SetupOrder(
                our_ref=setup_id,
                payer=payer,
                kinds=(row.kind,),
                currency=row.currency,
                return_url=return_url,
                cancel_url=return_url,
            )
            await faults.reach("start_setup.before_send")
            try:
                page = await self._providers.sets_up(row.connection_id).start_setup(
                    order, key=setup_key(row.connection_id, setup_id, "setup")
                )
            except OutcomeUnknown as error:
                # A provider may repeat a 500 under the same key for ever, although the page was opened: look for it.
                found = await self._asking.setup_of(row.connection_id, setup_id)
                if found is None or found.page is None:
                    return SetupTold(why="unknown", note=type(error).__name__)
                page = found.page
            except (Rejected, Misconfigured) as error:
                return SetupTold(why="no", note=getattr(error, "code", type(error).__name__))
            await faults.reach("start_setup.after_answer")
            return SetupTold(
                why="page",
                session_id=page.session_id,
                page_url=page.url,
                page_expires_at=page.expires_at,
                payer_ref=page.payer_ref,
            )

    @activity.defn
    async def find_setup(self, setup_id: str) -> SetupTold:
        """Ask the provider by our reference."""
        async with beating(), told_to_temporal():
            asked_at = self._clock()
            async with self._database.begin("find_setup.read") as tx:
                row = await methods.load_setup(tx, setup_id)
            if row is None:
                raise ApplicationError(f"{setup_id} was never opened", non_retryable=True)
            try:
                found = await self._asking.setup_of(row.connection_id, setup_id, session_id=row.session_id)
            except OutcomeUnknown as error:
                return SetupTold(why="unknown", note=str(error))
            if found is None and self._asking.key_life(row.connection_id) is not None:
                return SetupTold(why="unknown", note="no event told of it yet", asked_at=asked_at)
            return SetupTold(why="told" if found is not None else "nothing", setup=found, asked_at=asked_at)

    @activity.defn
    async def cancel_setup(self, setup_id: str) -> SetupTold:
        """Close the page at its end of life; the answer is the state afterwards, which may be completed."""
        async with beating(), told_to_temporal():
            async with self._database.begin("cancel_setup.read") as tx:
                row = await methods.load_setup(tx, setup_id)
            if row is None or row.session_id is None:
                return SetupTold(why="nothing")
            key = setup_key(row.connection_id, setup_id, "cancel")
            await faults.reach("cancel_setup.before_send")
            try:
                found = await self._providers.sets_up(row.connection_id).cancel_setup(row.session_id, key=key)
            except (OutcomeUnknown, Rejected):
                return SetupTold(why="unknown", note="no answer to our cancellation")
            await faults.reach("cancel_setup.after_answer")
            return SetupTold(why="told", setup=found)

    @activity.defn
    async def record_setup(self, order: RecordSetup) -> SetupRecorded:
        """Write what was told, once: the method is kept once by its token, however many ways told of it."""
        at = self._clock()
        async with self._database.begin("record_setup") as tx:
            before = await methods.load_setup(tx, order.setup_id, lock=True)
            if before is None:
                raise ApplicationError(f"{order.setup_id} was never opened", non_retryable=True)
            await self._write(tx, before, order.told, at=at)
            await methods.checked_setup(tx, order.setup_id, at=at, next_at=order.next_look_at)
            after = await methods.load_setup(tx, order.setup_id)
            assert after is not None
            if order.told.asked_at is not None:
                await inbox.heard(
                    tx,
                    [after.id],
                    connection_id=after.connection_id,
                    provider_id=after.session_id,
                    asked_at=order.told.asked_at,
                    is_news=after.state is not before.state,
                    at=at,
                )
        if after.state is not before.state:
            self._pokes.mailer()
        return SetupRecorded(
            state=after.state.value,
            ended=after.state not in SETUP_IN_FLIGHT,
            redirect_url=after.page_url,
            deadline_at=after.deadline_at,
        )

    async def _write(self, tx: Transaction, before: methods.SetupRow, told: SetupTold, *, at: datetime) -> None:
        payer_ref = told.payer_ref or (told.setup.payer_ref if told.setup is not None else None)
        if payer_ref is not None:
            await methods.remember_payer(tx, before.customer_id, before.connection_id, payer_ref)
        if told.why == "page" and told.session_id is not None and told.page_url is not None:
            deadline = told.page_expires_at or at + LIFE
            await methods.redirect_setup(
                tx, before.id, session_id=told.session_id, page_url=told.page_url, deadline_at=deadline, at=at
            )
        elif told.why in {"no", "nothing"} and told.setup is None:
            await methods.move_setup(tx, before.id, SetupState.FAILED, failure_code=told.note or "not_known", at=at)
        elif told.setup is not None and told.setup.status in _STATES:
            state = _STATES[told.setup.status]
            method_id = None
            if told.setup.method is not None and state in {SetupState.VERIFYING, SetupState.COMPLETED}:
                method_id = await methods.keep(
                    tx,
                    told.setup.method,
                    customer_id=before.customer_id,
                    connection_id=before.connection_id,
                    state="active" if state is SetupState.COMPLETED else "verifying",
                    by=before.id,
                    at=at,
                )
            await methods.move_setup(tx, before.id, state, method_id=method_id, failure_code=told.setup.failure_code, at=at)
            if method_id is None and before.method_id is not None and state in {SetupState.FAILED, SetupState.EXPIRED}:
                await methods.give_up(tx, before.method_id, at=at)


def _refused(refusal: Refusal) -> FirstAnswer:
    return FirstAnswer(state=SetupState.REFUSED.value, rule=refusal.rule, facts=dict(refusal.facts))


async def _again(tx: Transaction, request: SetupRequest, run_id: str) -> SetupOpened:
    row = await methods.load_setup(tx, request.setup_id, lock=True)
    assert row is not None
    if row.customer_id != request.customer_id:
        return SetupOpened(next="answer", answer=_refused(Refusal(rule="not_found")))
    if row.request_hash != request.request_hash:
        return SetupOpened(next="answer", answer=_refused(Refusal(rule="form_used_differently")))
    if row.state is SetupState.STARTED and row.run_id == run_id:
        return SetupOpened(next="start")
    if row.state is SetupState.REFUSED:
        return SetupOpened(next="answer", answer=_refused(Refusal(rule=row.refused_rule or "not_found")))
    if row.state in SETUP_IN_FLIGHT:
        return SetupOpened(next="ask")
    return SetupOpened(next="answer", answer=FirstAnswer(state=row.state.value))


async def _refuse(tx: Transaction, request: SetupRequest) -> Refusal | None:
    settings = await business.load(tx)
    if not settings.charge_on_file:
        return Refusal(rule="saved_methods_off")
    offers = await connections.offers(tx, request.connection_id)
    if offers is None:
        return Refusal(rule="no_provider")
    if not offers.saves(request.kind.value, request.currency):
        return Refusal(rule="method_kind_not_offered", facts={"currency": request.currency})
    return None


async def _payer(tx: Transaction, customer_id: str, connection_id: str) -> Payer:
    row = await tx.row("SELECT name, email FROM customers WHERE id = :id", id=customer_id)
    assert row is not None
    reference = await methods.payer_ref(tx, customer_id, connection_id)
    return Payer(customer_id=customer_id, name=row.name, email=row.email, provider_ref=reference)
