"""The ways to make one payment that need nothing but Duly's own libraries. Each is started by one call of a customer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

from temporalio.client import WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy

from activities.requests import FirstAnswer, PayRequest
from api.processes import FIRST_ANSWER, FIRST_UPDATE_ID, TASK_TIMEOUT, Processes
from bench.paying.ground import PATIENCE, PayingGround
from bench.paying.steps import Steps
from bench.paying.worker import QUEUE
from workflows import ids


class Way(Protocol):
    """A way of paying. `writes` is False where nothing is charged and nothing is booked."""

    name: str
    writes: bool

    async def pay(self, request: PayRequest) -> None:
        """Return when the customer is told that it is paid; what follows goes on by itself."""

    async def settle(self, payment_ids: Sequence[str]) -> None:
        """Wait for what follows."""

    async def events(self, payment_ids: Sequence[str]) -> float | None:
        """Events in a payment's history, on average; None where there is no history of Temporal's."""


async def history_length(ground: PayingGround, workflow_ids: Sequence[str]) -> float:
    """The mean length of their histories."""
    described = [await ground.client.get_workflow_handle(each).describe() for each in workflow_ids]
    return sum(each.history_length for each in described) / len(described)


class Ours:
    """Duly: the door's own call, the product's workflow, the poster for all."""

    name = "ours"
    writes = True

    def __init__(self, ground: PayingGround) -> None:
        self._ground = ground
        self._processes = Processes(ground.client, answer_within=PATIENCE)

    async def pay(self, request: PayRequest) -> None:
        """Update-with-start."""
        _require_paid(await self._processes.start_payment(request))

    async def settle(self, payment_ids: Sequence[str]) -> None:
        """The poster brings them."""
        await self._ground.reflected(payment_ids)

    async def events(self, payment_ids: Sequence[str]) -> float | None:
        """Of the payment's own workflow."""
        return await history_length(self._ground, [ids.payment(each) for each in payment_ids])


class OfTheBench:
    """A workflow of the bench, started in the same way."""

    def __init__(self, ground: PayingGround, *, name: str, workflow: str, writes: bool) -> None:
        self.name = name
        self.writes = writes
        self._ground = ground
        self._workflow = workflow

    async def pay(self, request: PayRequest) -> None:
        """Update-with-start."""
        operation: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
            self._workflow,
            request,
            id=self._id(request.payment_id),
            task_queue=QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            task_timeout=TASK_TIMEOUT,
        )
        answer: FirstAnswer = await self._ground.client.execute_update_with_start_workflow(
            FIRST_ANSWER,
            id=FIRST_UPDATE_ID,
            start_workflow_operation=operation,
            result_type=FirstAnswer,
            rpc_timeout=PATIENCE,
        )
        _require_paid(answer)

    async def settle(self, payment_ids: Sequence[str]) -> None:
        """Where something is written, it is in the ERP; where nothing is, the workflows have ended."""
        if self.writes:
            await self._ground.reflected(payment_ids)
        else:
            handles = [self._ground.client.get_workflow_handle(self._id(each)) for each in payment_ids]
            await asyncio.gather(*(handle.result() for handle in handles[-16:]))

    async def events(self, payment_ids: Sequence[str]) -> float | None:
        """Of its workflow."""
        return await history_length(self._ground, [self._id(each) for each in payment_ids])

    def _id(self, payment_id: str) -> str:
        return f"bench/{self._workflow}/{payment_id}"


class Direct:
    """The same steps called one after the other, with nobody who would go on after a crash."""

    name = "direct"
    writes = True

    def __init__(self, ground: PayingGround, steps: Steps) -> None:
        self._ground = ground
        self._steps = steps
        self._posting: set[asyncio.Task[None]] = set()

    async def pay(self, request: PayRequest) -> None:
        """Open, charge, record; the ERP is told after the customer."""
        await self._steps.open(request)
        told = await self._steps.charge(request.payment_id)
        recorded = await self._steps.record(request.payment_id, told)
        _require_paid(FirstAnswer(state=recorded.state))
        self._posting.add(asyncio.create_task(self._steps.post(request.payment_id)))

    async def settle(self, payment_ids: Sequence[str]) -> None:
        """The ERP was told, and read."""
        posting, self._posting = self._posting, set()
        await asyncio.gather(*posting)
        await self._ground.reflected(payment_ids)

    async def events(self, payment_ids: Sequence[str]) -> float | None:  # noqa: ARG002 - there is no history
        """None."""
        return None


def _require_paid(answer: FirstAnswer) -> None:
    if answer.state != "captured":
        raise RuntimeError(f"a payment of the bench ended as {answer}")
