"""Composition root of the workers: which workflows and activities there are, and what those are given."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final

from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkerDeploymentConfig
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.applying import Applying
from activities.catching_up import CatchingUp
from activities.decisions import Decisions
from activities.documents import Documents
from activities.events import Events
from activities.faults import FaultPoints
from activities.mailing import Mailing
from activities.method_changes import MethodChanges
from activities.payments import Payments
from activities.pokes import QUEUE, Pokes
from activities.providers import queue_of
from activities.reconciling import Reconciling
from activities.refunds import Refunds
from activities.setups import Setups
from connectors.temporal.deployments import versioned
from settings import Settings
from workflows.add_payment_method import AddPaymentMethod, ResumeSetup
from workflows.apply_request import ApplyCredit, UndoApplication
from workflows.catch_up import CatchUp
from workflows.change_payment_method import ChangePaymentMethod
from workflows.close_difference import CloseDifference
from workflows.fetch_documents import FetchDocuments
from workflows.late_event import LateEvent
from workflows.pay_invoices import PayInvoices, ResumePayment
from workflows.post_to_erp import PostToErp
from workflows.reconcile import Reconcile
from workflows.refund_payment import RefundPayment, ResumeRefund
from workflows.send_again import SendPostingAgain
from workflows.send_mail import SendMail, SendPortalLinks
from workflows.sweep import Sweep
from workflows.sync_erp import SyncErp
from workflows.versions import Versioned

WORKFLOWS: Final[Sequence[type]] = (
    AddPaymentMethod,
    ApplyCredit,
    CatchUp,
    ChangePaymentMethod,
    CloseDifference,
    FetchDocuments,
    LateEvent,
    PayInvoices,
    PostToErp,
    Reconcile,
    RefundPayment,
    ResumePayment,
    ResumeRefund,
    ResumeSetup,
    SendMail,
    SendPortalLinks,
    SendPostingAgain,
    Sweep,
    SyncErp,
    UndoApplication,
)

PASSED_THROUGH: Final = (
    *("activities", "connectors", "domain", "store", "sqlalchemy", "psycopg", "httpx", "babel", "jinja2"),
    "workflows.policies",  # constants, which each workflow would otherwise make anew
)
"""Named one by one: a prefix that also covered `workflows` would silently switch the sandbox off."""


def runner(*, versioned: bool = False) -> SandboxedWorkflowRunner:
    """Workflow code in the sandbox, everything it imports from other rooms outside."""
    return SandboxedWorkflowRunner(
        restrictions=SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH),
        runner_class=Versioned if versioned else UnsandboxedWorkflowRunner,
    )


def activities(hands: Any) -> list[Any]:
    """Every activity, bound to what it needs. `hands` is wiring.Hands."""
    payments: Payments = hands.payments
    setups: Setups = hands.setups
    changes: MethodChanges = hands.method_changes
    postings, syncing = hands.ledger(hands.erp)
    decisions: Decisions = hands.decisions
    applying: Applying = hands.applying
    refunds: Refunds = hands.refunds
    mailing: Mailing = hands.mailing
    documents: Documents = hands.documents
    events: Events = hands.events
    reconciling: Reconciling = hands.reconciling
    return [
        *provider_calls(hands),
        payments.open_payment,
        payments.record_outcome,
        payments.note_check,
        setups.open_setup,
        setups.record_setup,
        changes.decide_change,
        changes.record_detach,
        postings.post_round,
        decisions.send_again,
        decisions.close_difference,
        applying.open_request,
        applying.decide_request,
        applying.watch_request,
        applying.alarm_request,
        refunds.open_refund,
        refunds.decide_refund,
        refunds.refund_standing,
        refunds.record_refund,
        refunds.note_refund_check,
        syncing.sync_pages,
        reconciling.begin_reconciliation,
        reconciling.compare_documents,
        reconciling.end_reconciliation,
        documents.fetch_documents,
        mailing.queue_links,
        mailing.send_round,
        events.sweep,
    ]


def provider_calls(hands: Any) -> list[Any]:
    """Those that call a payment provider: what a connection's own queue is for."""
    payments: Payments = hands.payments
    setups: Setups = hands.setups
    changes: MethodChanges = hands.method_changes
    refunds: Refunds = hands.refunds
    events: Events = hands.events
    catching_up: CatchingUp = hands.catching_up
    reconciling: Reconciling = hands.reconciling
    return [
        payments.charge,
        payments.find_charge,
        payments.cancel_charge,
        setups.start_setup,
        setups.find_setup,
        setups.cancel_setup,
        changes.detach_method,
        refunds.send_refund,
        refunds.find_refund,
        events.apply_event,
        catching_up.catch_up,
        reconciling.compare_charges,
    ]


class OwnQueues:
    """Workers of queues of their own, begun when what they are for is heard of. A queue that has no worker would wait for
    ever, so none is ended before the process is.
    """

    def __init__(self, client: Client, hands: Any, version: WorkerDeploymentConfig | None) -> None:
        self._client = client
        self._hands = hands
        self._version = version
        self._working: dict[str, tuple[Worker, asyncio.Task[None]]] = {}

    @property
    def workers(self) -> list[Worker]:
        """Those that were begun."""
        return [worker for worker, _ in self._working.values()]

    def _begin(self, queue: str, activities: Sequence[Callable[..., Any]], **limits: Any) -> None:
        worker = Worker(
            self._client,
            task_queue=queue,
            activities=activities,
            interceptors=[FaultPoints()],
            graceful_shutdown_timeout=timedelta(seconds=35),
            deployment_config=self._version,
            **limits,
        )
        self._working[queue] = worker, asyncio.create_task(worker.run())

    async def stop(self) -> None:
        """Finish what is in hand."""
        await asyncio.gather(*(worker.shutdown() for worker, _ in self._working.values()))
        await asyncio.gather(*(running for _, running in self._working.values()), return_exceptions=True)


class Limited(OwnQueues):
    """One worker for each connection whose calls are limited."""

    def __init__(self, client: Client, hands: Any, queues: Sequence[str], version: WorkerDeploymentConfig | None) -> None:
        super().__init__(client, hands, version)
        self._queues = queues

    async def follow(self) -> None:
        """Begin what is missing."""
        for connection_id, calls_per_second in self._hands.connected.rates.items():
            for queue in (queue_of(base, connection_id) for base in self._queues):
                if queue not in self._working:
                    self._begin(
                        queue,
                        provider_calls(self._hands),
                        max_concurrent_activities=32,
                        max_task_queue_activities_per_second=calls_per_second,
                    )


class Ledgers(OwnQueues):
    """One worker for each ERP that staff connected: one that hangs keeps nobody else waiting."""

    async def follow(self) -> None:
        """Begin what is missing."""
        for connection_id, queue in dict(self._hands.connected.posters).items():
            if queue is not None and queue not in self._working:
                postings, syncing = self._hands.ledger(connection_id)
                reconciling: Reconciling = self._hands.reconciling
                calls = [postings.post_round, syncing.sync_pages, reconciling.compare_documents]
                self._begin(queue, calls, max_concurrent_activities=4)


def build(client: Client, hands: Any, *, queue: str = QUEUE, version: WorkerDeploymentConfig | None = None) -> Worker:
    """A worker of one task queue, of a `version` or of none. A dead worker's tasks move on after a second, not after ten."""
    return Worker(
        client,
        task_queue=queue,
        workflows=WORKFLOWS,
        activities=activities(hands),
        workflow_runner=runner(versioned=version is not None),
        interceptors=[FaultPoints()],
        max_concurrent_activities=32,
        max_concurrent_local_activities=32,
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=1),
        graceful_shutdown_timeout=timedelta(seconds=35),
        deployment_config=version,
    )


async def main(settings: Settings, queues: Sequence[str] = (QUEUE,)) -> None:
    """Work until told to stop; what is in hand is finished first."""
    import wiring

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        hands = await wiring.hands(settings, stack)
        await stack.enter_async_context(wiring.watched(settings))
        pokes: Pokes = hands.pokes
        waking = asyncio.create_task(pokes.run())
        version = versioned(settings.worker_deployment, settings.worker_build_id)
        for queue in queues:
            await stack.enter_async_context(build(hands.client, hands, queue=queue, version=version))
        limited = Limited(hands.client, hands, queues, version)
        stack.push_async_callback(limited.stop)
        ledgers = Ledgers(hands.client, hands, version)
        stack.push_async_callback(ledgers.stop)

        async def follow() -> None:
            await limited.follow()
            await ledgers.follow()
            await hands.looks.follow()

        await hands.schedule()  # first: a connection is looked at once it is announced
        following = asyncio.create_task(hands.connected.follow(follow))
        await stop.wait()
        waking.cancel()
        following.cancel()


if __name__ == "__main__":
    import settings as configuration

    asyncio.run(main(configuration.current()))
