"""How the doors speak to the durable processes: start one and hear the first thing that it can say, look, or nudge it.

A time-out is no failure here: update-with-start may have started the process although nobody answered in time. Callers
catch everything and show the page that reads the rows (core.md §5).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from temporalio.client import Client, ScheduleOverlapPolicy, WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import TemporalError
from temporalio.service import RPCError, RPCStatusCode

from activities.requests import (
    ApplyOrder,
    CloseOrder,
    Decision,
    FirstAnswer,
    MethodChange,
    PayRequest,
    RefundDecision,
    RefundRequest,
    SendAgain,
    SendLinks,
    SetupRequest,
)
from domain.resolving import Resolution
from store import faults
from store.identity import fresh_id
from workflows import ids

TASK_QUEUE: Final = "duly"
FIRST_ANSWER: Final = "first_answer"
FIRST_UPDATE_ID: Final = "first"
TASK_TIMEOUT: Final = timedelta(seconds=5)
"""Local activities recover by it when a worker dies; each of them is far shorter."""


class Unanswered(Exception):
    """Nobody said in time what became of it. It may be running: the rows tell."""


class Sight(StrEnum):
    """What Temporal says of a process: it runs, it has ended, or it does not exist."""

    RUNNING = "running"
    ENDED = "ended"
    MISSING = "missing"


class Processes:
    """The durable processes, by what they do."""

    def __init__(
        self, client: Client, *, task_queue: str = TASK_QUEUE, answer_within: timedelta = timedelta(seconds=4)
    ) -> None:
        """`answer_within` bounds one call; a first answer that needs longer is read from the rows."""
        self._client = client
        self._task_queue = task_queue
        self._answer_within = answer_within

    @property
    def client(self) -> Client:
        """The client itself, to deliver a provider's event."""
        return self._client

    async def start_payment(self, request: PayRequest) -> FirstAnswer:
        """Start the payment, or join the one that runs. Raises Unanswered."""
        return await self._start("PayInvoices", request, ids.payment(request.payment_id))

    async def start_setup(self, request: SetupRequest) -> FirstAnswer:
        """Start a method's set-up, or join the one that runs. Raises Unanswered."""
        return await self._start("AddPaymentMethod", request, ids.method_setup(request.setup_id))

    async def change_method(self, change: MethodChange) -> FirstAnswer:
        """Make a method the default, or remove it. Raises Unanswered."""
        return await self._start("ChangePaymentMethod", change, ids.method_change(change.method_id, change.change_id))

    async def send_again(self, order: SendAgain) -> FirstAnswer:
        """Decide about a refused posting, or join whoever decides the same at this moment. Raises Unanswered.

        A decision is taken once; what waits may be tried at once as often as people like.
        """
        again = _anew() if order.how == Resolution.NOW else {}
        return await self._start(
            "SendPostingAgain", order, ids.posting_again(order.posting_id, order.attempts, order.how), **again
        )

    async def close_difference(self, order: CloseOrder) -> FirstAnswer:
        """Close a difference for a reason; the same person's same word, said twice, is one. Raises Unanswered.

        Or have a document taken back, which its posting makes one, however often it is asked for.
        """
        if order.take_back is not None:
            decided = hashlib.sha256(order.take_back.encode()).hexdigest()[:16]
            return await self._start(
                "CloseDifference",
                order,
                ids.difference(order.difference_id, f"take_back/{decided}"),
                **_anew(),
            )
        word = hashlib.sha256(f"{order.by} {order.reason}".encode()).hexdigest()[:16]
        return await self._start("CloseDifference", order, ids.difference(order.difference_id, word))

    async def read_erp(self, connection_id: str) -> None:
        """Let an ERP's reader run now, unless it does. Raises Unanswered."""
        await self._trigger(ids.sync(connection_id))

    async def reconcile(self) -> None:
        """Let the nightly comparison run now, unless it does. Raises Unanswered."""
        await self._trigger(ids.reconcile())

    async def _trigger(self, schedule_id: str) -> None:
        try:
            handle = self._client.get_schedule_handle(schedule_id)
            await handle.trigger(overlap=ScheduleOverlapPolicy.SKIP, rpc_timeout=self._answer_within)
        except (RPCError, RuntimeError) as error:  # the latter where Temporal was never reached
            raise Unanswered(f"{schedule_id}: {type(error).__name__}") from error

    async def request_application(self, order: ApplyOrder) -> FirstAnswer:
        """Open a request to apply a credit, or join the process that runs. Raises Unanswered."""
        return await self._start("ApplyCredit", order, ids.apply_request(order.request_id))

    async def decide(self, decision: Decision) -> FirstAnswer:
        """Decide about a request; one that has no process (lost, or ended) gets one first, which asks the row. Raises
        Unanswered.
        """
        return await self._start(
            "ApplyCredit",
            ApplyOrder(request_id=decision.request_id),
            ids.apply_request(decision.request_id),
            update="decide",
            told=decision,
            update_id=decision.decision_id,
            reuse=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        )

    async def undo_application(self, decision: Decision) -> FirstAnswer:
        """Take an applied credit off again. Raises Unanswered."""
        return await self._start(
            "UndoApplication", decision, ids.undo_application(decision.request_id, decision.decision_id)
        )

    async def start_refund(self, request: RefundRequest) -> FirstAnswer:
        """Ask for a refund, or join the one that runs. Raises Unanswered."""
        return await self._start("RefundPayment", request, ids.refund(request.refund_id))

    async def decide_refund(self, decision: RefundDecision) -> FirstAnswer:
        """The second person's word, to the process that waits for it, or one that takes it up. Raises Unanswered."""
        operation: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
            "ResumeRefund",
            decision.refund_id,
            id=ids.refund(decision.refund_id),
            task_queue=self._task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            task_timeout=TASK_TIMEOUT,
        )
        try:
            async with asyncio.timeout(self._answer_within.total_seconds()):
                answer: FirstAnswer = await self._client.execute_update_with_start_workflow(
                    "decide",
                    decision,
                    id=f"{decision.version}/{decision.by}/{decision.agrees}",
                    start_workflow_operation=operation,
                    result_type=FirstAnswer,
                    rpc_timeout=self._answer_within,
                )
        except (RPCError, TemporalError, TimeoutError) as error:
            await _read(operation)
            raise Unanswered(f"{decision.refund_id}: {type(error).__name__}") from error
        return answer

    async def send_links(self, request: SendLinks) -> None:
        """Start mailing a batch of portal links; a batch that was started before is left as it is."""
        await self._client.start_workflow(
            "SendPortalLinks",
            request,
            id=ids.send_links(request.batch_id),
            task_queue=self._task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            rpc_timeout=self._answer_within,
        )

    async def send_mail(self) -> None:
        """Wake the mailer. Mail that waits is found by the sweep too, so a wake that is lost costs half a minute."""
        with suppress(RPCError, RuntimeError, OSError):
            await self._client.start_workflow(
                "SendMail",
                id=ids.mailer(),
                task_queue=self._task_queue,
                start_signal="poke",
                rpc_timeout=self._answer_within,
            )

    async def fetch_documents(self, document_ids: Sequence[str]) -> None:
        """Have the ERP asked for its own PDFs. A wish that is lost is made again by whoever looks the next time."""
        digest = hashlib.sha256(" ".join(sorted(document_ids)).encode()).hexdigest()[:32]
        with suppress(RPCError, RuntimeError, OSError):
            await self._client.start_workflow(
                "FetchDocuments",
                list(document_ids),
                id=ids.documents(digest),
                task_queue=self._task_queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                rpc_timeout=self._answer_within,
            )

    async def describe(self, workflow_id: str) -> Sight:
        """Whether a process runs, has ended or does not exist. Raises RPCError when Temporal cannot say."""
        try:
            description = await self._client.get_workflow_handle(workflow_id).describe(rpc_timeout=self._answer_within)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return Sight.MISSING
            raise
        return Sight.RUNNING if description.close_time is None else Sight.ENDED

    async def hint(self, workflow_id: str, what: str) -> None:
        """Wake a process: it looks for itself. One that has ended or never was needs no hint."""
        handle = self._client.get_workflow_handle(workflow_id)
        # A hint that is lost costs a minute at most: the process asks the provider by its own clock.
        with suppress(RPCError):
            await handle.signal("hint", what, rpc_timeout=self._answer_within)

    async def _start(
        self,
        workflow: str,
        argument: object,
        workflow_id: str,
        *,
        update: str = FIRST_ANSWER,
        told: object | None = None,
        update_id: str = FIRST_UPDATE_ID,
        reuse: WorkflowIDReusePolicy = WorkflowIDReusePolicy.REJECT_DUPLICATE,
    ) -> FirstAnswer:
        operation: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
            workflow,
            argument,
            id=workflow_id,
            task_queue=self._task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=reuse,
            task_timeout=TASK_TIMEOUT,
        )
        try:
            await faults.reach("process.before_send")
            # The client polls again when its first call times out; one bound over both keeps the customer's wait short.
            async with asyncio.timeout(self._answer_within.total_seconds()):
                answer: FirstAnswer = await self._client.execute_update_with_start_workflow(
                    update,
                    args=[] if told is None else [told],
                    id=update_id,
                    start_workflow_operation=operation,
                    result_type=FirstAnswer,
                    rpc_timeout=self._answer_within,
                )
        # A bound that cuts a call short comes out as either of the last two: the client turns its own cancellation
        # into an error of Temporal's, if it is far enough to notice it.
        except (RPCError, TemporalError, TimeoutError) as error:
            await _read(operation)
            raise Unanswered(f"{workflow_id}: {type(error).__name__}") from error
        await faults.reach("process.after_answer")
        return answer


def _anew() -> dict[str, Any]:
    """For what may be asked for again once it has ended: a run that is over answers a question with an id that it knows."""
    return {"reuse": WorkflowIDReusePolicy.ALLOW_DUPLICATE, "update_id": fresh_id("chg")}


async def _read(operation: WithStartWorkflowOperation[Any, Any]) -> None:
    """Take the start's own error out of its future; unread, it would be reported as never retrieved."""
    # A time-out cancels the future; that is not this task being cancelled.
    with suppress(RPCError, TemporalError, TimeoutError, asyncio.CancelledError):
        async with asyncio.timeout(0.05):
            await operation.workflow_handle()
