"""What a provider's event does: wake the process that waits for it, or, when none is open, be applied by itself.

An event is a hint. Its truth is fetched from the provider before anything is recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.service import RPCError, RPCStatusCode

from activities.asking import Asking
from activities.failures import told_to_temporal
from activities.heartbeats import beating
from activities.pokes import QUEUE, Pokes
from activities.providers import Providers
from activities.recording import Now, Recording
from activities.refunding import Refunding
from activities.requests import ApplyOrder
from activities.setups import RecordSetup, Setups, SetupTold
from connectors.errors import Unavailable
from connectors.payments.ports import ChargeStatus, EventSubject, ProviderEvent
from domain import ids
from domain.lifecycles import IN_FLIGHT
from domain.money import Money
from store import apply_requests, connections, differences, inbox, methods, payments, refunds
from store.database import Database, Transaction
from store.inbox import InboxEvent
from store.payments import Standing

_WITH_PROCESSES: Final = frozenset({EventSubject.CHARGE, EventSubject.SETUP, EventSubject.REFUND})
_NAMEABLE: Final = frozenset({EventSubject.CHARGE, EventSubject.REFUND})
_MOVES_MONEY: Final = frozenset(
    {ChargeStatus.PROCESSING, ChargeStatus.CAPTURED, ChargeStatus.SETTLED, ChargeStatus.DISPUTED}
)
_DONE: Final = frozenset({"handled", "stale", "refused"})
_KINDS: Final = {"pay": "payment", "set": "setup", "rfd": "refund"}


def process_of(reference: str | None) -> str | None:
    """The id of ours that a reference begins with: 'pay_…-1' → 'pay_…', 'set_…', 'rfd_…'; None for a stranger's."""
    if reference is None:
        return None
    return ids.owner_of(reference, "pay") or ids.owner_of(reference, "set") or ids.owner_of(reference, "rfd")


async def take_in(tx: Transaction, connection_id: str, events: Sequence[ProviderEvent], *, at: datetime) -> list[str]:
    """Store events that a provider told, whichever way. The inbox ids of those that are new: they are to be delivered."""
    fresh: list[str] = []
    for event in events:
        inbox_id, is_new = await inbox.receive(
            tx,
            connection_id=connection_id,
            dedupe_key=event.dedupe_key,
            event_id=event.event_id,
            kind=event.kind,
            subject=event.subject,
            our_ref=event.our_ref,
            provider_id=event.provider_id,
            claims=event.claims,
            occurred_at=event.occurred_at,
            facts=event.facts,
            at=at,
        )
        if is_new:
            fresh.append(inbox_id)
    return fresh


async def deliver(
    client: Client, database: Database, inbox_id: str, *, clock: Callable[[], datetime], providers: Providers
) -> str:
    """Wake the event's process, or start one of the event's own. Safe to repeat. Answers the inbox row's new state."""
    async with database.begin("deliver.read") as tx:
        event = await inbox.load(tx, inbox_id)
        if event is None or event.state not in {"received", "parked"}:
            return event.state if event is not None else "gone"
        process = await _process_of(tx, event)
        state = await _without_waking(tx, event, process)
        if state is not None:
            reason = "nobody knows its reference" if state == "parked" else None
            await inbox.close(tx, inbox_id, state, at=clock(), reason=reason)
            return state
    if process is None or not await _wake(client, process, inbox_id):
        await _start_late(client, inbox_id, providers.queue_of(event.connection_id, base=QUEUE))
    async with database.begin("deliver.close") as tx:
        await inbox.close(tx, inbox_id, "delivered", at=clock(), seen=event.state)
    return "delivered"


async def _without_waking(tx: Transaction, event: InboxEvent, process: str | None) -> str | None:
    """The state of an event that wakes nobody, or None for one that does. Most are closed here, where they were read."""
    if await _is_known(tx, process, event):
        return "stale"  # it says what is booked already
    if process is not None or _may_be_named(event):
        return None
    return "parked" if event.subject in _WITH_PROCESSES else "stale"


def _may_be_named(event: InboxEvent) -> bool:
    """It bears no reference at all, only the provider's own id: what that is about, the provider may tell."""
    return event.our_ref is None and event.provider_id is not None and event.subject in _NAMEABLE


async def _is_known(tx: Transaction, process: str | None, event: InboxEvent) -> bool:
    """Whether the payment is already where the event says it went: most events repeat what an answer told before. One of
    another charge than the payment's own repeats nothing.
    """
    if process is None or event.claims is None or not process.startswith("pay_"):
        return False
    return repeats(event, await payments.standing(tx, process))


def repeats(event: InboxEvent, payment: Standing | None) -> bool:
    """Whether an event says of a payment what its row says, and nothing is under way there."""
    if payment is None or event.claims is None or _is_of_another_charge(event, payment.provider_ref):
        return False
    return payment.state.value == event.claims and payment.state not in IN_FLIGHT


def _is_of_another_charge(event: InboxEvent, provider_ref: str | None) -> bool:
    """It bears the payment's reference and an id of the provider's that is not the payment's own."""
    return (
        event.subject == EventSubject.CHARGE and provider_ref is not None and event.provider_id not in {None, provider_ref}
    )


async def _process_of(tx: Transaction, event: InboxEvent) -> str | None:
    """By our reference, or else by the provider's own id of the charge."""
    process = process_of(event.our_ref)
    if process is None and event.provider_id is not None:
        return await inbox.payment_of(tx, event.connection_id, event.provider_id)
    return process


def _workflow_of(process: str) -> str:
    return f"{_KINDS[process.partition('_')[0]]}/{process}"


async def _wake(client: Client, process: str, inbox_id: str) -> bool:
    try:
        await client.get_workflow_handle(_workflow_of(process)).signal("hint", inbox_id)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return True


async def _start_late(client: Client, inbox_id: str, queue: str | None) -> None:
    """A process of the event's own, or the one that runs. One that came to its end may have parked the event for want of
    what is there now, so there may be another: to ask once more changes nothing.
    """
    await client.start_workflow(
        "LateEvent",
        args=[inbox_id, queue],
        id=f"late/{inbox_id}",
        task_queue=QUEUE,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
    )


async def _is_ours(tx: Transaction, process: str | None) -> bool:
    """Whether a reference that looks like ours is of something that is there."""
    row = await tx.row(
        """SELECT 1 FROM payments WHERE id = :id UNION ALL SELECT 1 FROM method_setups WHERE id = :id
           UNION ALL SELECT 1 FROM refunds WHERE id = :id""",
        id=process,
    )
    return row is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep found and mended."""

    events: int
    lost_payments: int
    lost_setups: int = 0  # runs that were recorded before these were swept answer without them
    unheard: int = 0
    lost_requests: int = 0
    lost_refunds: int = 0


class Events:
    """The activities; what they need is given once by the worker."""

    def __init__(
        self,
        database: Database,
        providers: Providers,
        clock: Callable[[], datetime],
        client: Client,
        pokes: Pokes,
        setups: Setups,
        *,
        erp: str,
    ) -> None:
        self._database = database
        self._providers = providers
        self._asking = Asking(database, providers)
        self._clock = clock
        self._client = client
        self._pokes = pokes
        self._setups = setups
        self._recording = Recording(database, clock, erp=erp)
        self._refunding = Refunding(database, clock, erp=erp)

    @activity.defn
    async def apply_event(self, inbox_id: str) -> str:
        """Fetch what the event is about and record it, once. Answers the inbox row's state."""
        async with beating(), told_to_temporal(waits_for_a_person=True):
            async with self._database.begin("apply_event.read") as tx:
                event = await inbox.load(tx, inbox_id)
                if event is None or event.state in _DONE:
                    return event.state if event is not None else "gone"
                process = await _process_of(tx, event)
                known = await _is_ours(tx, process)
            if process is None and _may_be_named(event):
                process, known = await self._named(event)
            if process is None or not known:
                state = "parked"
            elif process.startswith("set_"):
                state = await self._apply_setup(process)
            elif process.startswith("rfd_"):
                state = "handled" if await self._mend_refund(process) else "stale"
            else:
                is_news = (await self.mend(process)).changed
                state = "handled" if await self._charged_again(event, process) or is_news else "stale"
            reason = "nobody knows its reference" if state == "parked" else None
            async with self._database.begin("apply_event.close") as tx:
                await inbox.close(tx, inbox_id, state, at=self._clock(), reason=reason)
            self._pokes.poster()
            self._pokes.mailer()
            return state

    async def _named(self, event: InboxEvent) -> tuple[str | None, bool]:
        """The process that the provider names for its own id, and whether it is there. (None, False): it names none of ours.

        Raises ConnectorError when nobody answers: that is asked again, and is no reason to park an event.
        """
        names = self._providers.names(event.connection_id)
        if names is None or event.provider_id is None:
            return None, False
        our_ref = await names.reference_of(event.provider_id)
        if our_ref is None:
            return None, False
        async with self._database.begin("apply_event.named") as tx:
            await inbox.name(tx, event.id, our_ref)
            process = process_of(our_ref)
            known = await _is_ours(tx, process)
        if process is not None and known:
            await self._wake(_workflow_of(process))
        return process, known

    async def _apply_setup(self, setup_id: str) -> str:
        told: SetupTold = await self._setups.find_setup(setup_id)
        recorded = await self._setups.record_setup(RecordSetup(setup_id=setup_id, told=told))
        return "handled" if recorded.ended else "stale"

    async def _mend_refund(self, refund_id: str) -> bool:
        """Ask the provider what became of a refund and record it. Raises Unavailable when it cannot tell yet."""
        asked_at = self._clock()
        async with self._database.begin("mend_refund.read") as tx:
            row = await refunds.load(tx, refund_id)
        assert row is not None
        found = await self._asking.refund_of(row.connection_id, refund_id, provider_id=row.provider_ref)
        if found is None and self._asking.key_life(row.connection_id) is None:
            raise Unavailable("the provider does not show the refund that its event speaks of")
        if found is None:  # it read the event, and made nothing of it
            return (await self._refunding.record(refund_id, "no_news", None, None, asked_at=asked_at)).changed
        return (await self._refunding.record(refund_id, "told", found, None, asked_at=asked_at)).changed

    async def mend(self, payment_id: str) -> Now:
        """Ask the provider what became of a payment and record it. Raises Unavailable when it cannot tell yet: the event
        is not done with before it can.
        """
        asked_at = self._clock()
        async with self._database.begin("mend.read") as tx:
            row = await payments.load(tx, payment_id)
        assert row is not None
        reference = ids.attempt_of(payment_id, row.attempt)
        charge = await self._asking.charge_of(row.connection_id, reference, provider_id=row.provider_ref)
        if charge is None and self._asking.key_life(row.connection_id) is None:
            raise Unavailable("the provider does not show the charge that its event speaks of")
        if charge is None:  # it read the event, and made nothing of it
            return await self._recording.record(payment_id, "no_news", None, None, asked_at=asked_at)
        now = await self._recording.record(payment_id, "told", charge, None, asked_at=asked_at)
        if now.stale:
            raise Unavailable("another look has found out more since this one was asked for")
        return now

    async def _charged_again(self, event: InboxEvent, payment_id: str) -> bool:
        """Whether the provider shows more than the one charge of a payment that has its money: what is beyond it is for a
        person to give back. Asked only for an event of another charge. Raises ConnectorError.
        """
        async with self._database.begin("charged_again.read") as tx:
            row = await payments.load(tx, payment_id)
        assert row is not None
        if event.our_ref is None or not row.captured.minor or not _is_of_another_charge(event, row.provider_ref):
            return False
        charges = await self._asking.charges_of(event.connection_id, event.our_ref)
        moving = [each for each in charges if each.status in _MOVES_MONEY]
        is_its_own = event.our_ref == ids.attempt_of(payment_id, row.attempt)
        if len(moving) <= is_its_own:
            return False
        beyond = sum(each.amount.minor for each in moving) - (row.amount.minor if is_its_own else 0)
        async with self._database.begin("charged_again.told") as tx:
            await differences.open_of_process(
                tx, row.id, row.customer_id, kind="charged_again", amount=Money.of(beyond, row.amount.currency),
                at=self._clock(),
            )  # fmt: skip
        return True

    @activity.defn
    async def sweep(self) -> Swept:
        """What a crash left: events that woke nobody, or a process that was lost before it asked; postings and mail that
        nobody was told of; processes in flight whose workflow is gone; refunds that were agreed to and whose process
        did not hear it. A hold is never dropped here: the provider is asked.
        """
        async with beating(), told_to_temporal():
            before = self._clock() - timedelta(seconds=20)
            async with self._database.begin("sweep.read") as tx:
                waiting = await inbox.waiting(tx, received_before=before, limit=200)
                woken = await inbox.unheard(tx, received_before=self._clock() - timedelta(minutes=2), limit=200)
                processes = {each.id: await _process_of(tx, each) for each in woken}
                flying = await payments.in_flight(tx, opened_before=self._clock() - timedelta(minutes=2))
                requested = await apply_requests.waiting_alone(tx, opened_before=self._clock() - timedelta(minutes=2))
                refunding = await refunds.in_flight(tx, requested_before=self._clock() - timedelta(minutes=2))
                agreed = await refunds.left_behind(tx, decided_before=self._clock() - timedelta(minutes=2))
                setting_up = await methods.setups_in_flight(tx, opened_before=self._clock() - timedelta(minutes=2))
            for inbox_id in waiting:
                await self._deliver(inbox_id)
            unheard = [each.id for each in woken if not await self._is_heard(each, processes[each.id])]
            lost_payments = [each for each, _ in flying if await self._took_up("ResumePayment", "payment", each)]
            lost_requests = [each for each in requested if await self._took_up("ApplyCredit", "apply", each)]
            lost_setups = [each for each in setting_up if await self._took_up("ResumeSetup", "setup", each)]
            lost_refunds = [each for each in refunding if await self._took_up("ResumeRefund", "refund", each)]
            for each in agreed:
                await self._wake(f"refund/{each}")
            self._pokes.poster()
            self._pokes.mailer()
            return Swept(
                events=len(waiting),
                lost_payments=len(lost_payments),
                lost_setups=len(lost_setups),
                unheard=len(unheard),
                lost_requests=len(lost_requests),
                lost_refunds=len(lost_refunds),
            )

    async def _deliver(self, inbox_id: str) -> None:
        """One that cannot be delivered now does not stand in the way of the others."""
        try:
            await deliver(self._client, self._database, inbox_id, clock=self._clock, providers=self._providers)
        except RPCError as error:
            activity.logger.warning("event %s stays for the next sweep: %s", inbox_id, error.status.name)

    async def _is_heard(self, event: InboxEvent, process: str | None) -> bool:
        """Whether the process that it woke still runs, and so will ask. Else the event gets a process of its own."""
        if process is not None and await self._is_running(_workflow_of(process)):
            return True
        await _start_late(self._client, event.id, self._providers.queue_of(event.connection_id, base=QUEUE))
        return False

    async def _is_running(self, workflow_id: str) -> bool:
        try:
            description = await self._client.get_workflow_handle(workflow_id).describe()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return False
            raise
        return description.status is WorkflowExecutionStatus.RUNNING

    async def _wake(self, workflow_id: str) -> None:
        """Have it look. One that has ended needs no waking."""
        try:
            await self._client.get_workflow_handle(workflow_id).signal("hint", "sweep")
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise

    async def _took_up(self, workflow: str, kind: str, process_id: str) -> bool:
        """In flight without a workflow is an alarm: another run takes it up, which asks before anything."""
        workflow_id = f"{kind}/{process_id}"
        if await self._is_running(workflow_id):
            return False
        activity.logger.error("%s is in flight and has no workflow: taken up again", process_id)
        async with self._database.begin("sweep.queue") as tx:
            connection_id = await connections.of_process(tx, process_id)
        queue = None if connection_id is None else self._providers.queue_of(connection_id, base=QUEUE)
        await self._client.start_workflow(
            workflow,
            args=[ApplyOrder(request_id=process_id)] if kind == "apply" else [process_id, queue],
            id=workflow_id,
            task_queue=QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
        return True
