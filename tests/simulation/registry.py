"""Temporal's client in a simulated town: which processes run, how they are started, woken and lost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from activities.requests import ApplyOrder, Decision, PayRequest, RefundDecision, RefundRequest
from tests.simulation.processes import Habits, Process, Steps, late_event, pay_invoices, resume_payment, resume_setup
from tests.simulation.refunding import agree, refund_payment, resume_refund
from tests.simulation.requesting import apply_credit, decide
from tests.simulation.stage import Stage


@dataclass(slots=True)
class Registry:
    """Temporal's client, as far as activities use it: signal, describe and start by id. Shared by name with the real one."""

    stage: Stage
    steps: Steps | None = None
    habits: Habits = field(default_factory=Habits)
    running: dict[str, Process] = field(default_factory=dict)
    runs: int = 0

    def start(self, process_id: str, story: Callable[[Process], Awaitable[None]]) -> Process:
        """Start a process, or find the one that runs under this id."""
        if process_id in self.running:
            return self.running[process_id]
        self.runs += 1
        process = Process(process_id, self.stage, run_id=f"run-{self.runs}")
        self.running[process_id] = process

        async def play() -> None:
            await story(process)
            process.is_running = False
            del self.running[process_id]

        process.task = self.stage.begin(play(), process_id)
        return process

    def forget(self, process_id: str) -> None:
        """A process is lost, with all that it knew: retention over, deleted by a person."""
        process = self.running.pop(process_id)
        process.is_running = False
        assert process.task is not None
        process.task.cancel()

    def pay(self, request: PayRequest) -> Process:
        """Start a payment's process."""
        steps, habits = self.known_steps(), self.habits
        return self.start(f"payment/{request.payment_id}", lambda each: pay_invoices(each, steps, habits, request))

    def apply(self, order: ApplyOrder) -> Process:
        """Start a request's process."""
        steps = self.known_steps()
        return self.start(f"apply/{order.request_id}", lambda each: apply_credit(each, steps, order))

    def decide(self, decision: Decision) -> None:
        """Somebody decides; a request that has lost its process gets it back, as update-with-start does."""
        steps, of_request = self.known_steps(), f"apply/{decision.request_id}"
        if decision.action != "undo":
            self.apply(ApplyOrder(request_id=decision.request_id))

        def look() -> None:
            if of_request in self.running:
                self.running[of_request].hint()

        self.start(f"decide/{decision.decision_id}", lambda each: decide(each, steps, decision, look))

    def refund(self, request: RefundRequest) -> Process:
        """Start a refund's process."""
        steps = self.known_steps()
        return self.start(f"refund/{request.refund_id}", lambda each: refund_payment(each, steps, request))

    def agree(self, decision: RefundDecision) -> None:
        """A second person's word; a refund that has lost its process gets it back, as update-with-start does."""
        steps, of_refund = self.known_steps(), f"refund/{decision.refund_id}"
        self.start(of_refund, lambda each: resume_refund(each, steps, decision.refund_id))

        def look() -> None:
            if of_refund in self.running:
                self.running[of_refund].hint()

        said = f"agree/{decision.refund_id}/{decision.version}/{decision.by}/{decision.agrees}"
        self.start(said, lambda each: agree(each, steps, decision, look))

    def known_steps(self) -> Steps:
        assert self.steps is not None
        return self.steps

    # ------------------------------------------------------------ as activities see it

    def get_workflow_handle(self, workflow_id: str) -> Handle:
        return Handle(self, workflow_id)

    async def start_workflow(self, name: str, *, args: Sequence[Any], id: str, **_options: Any) -> None:  # noqa: A002 - theirs
        """Late events, payments and set-ups taken up again."""
        steps, habits = self.known_steps(), self.habits
        if name == "LateEvent":
            self.start(id, lambda each: late_event(each, steps, args[0]))
        elif name == "ResumePayment":
            self.start(id, lambda each: resume_payment(each, steps, habits, args[0]))
        elif name == "ResumeSetup":
            self.start(id, lambda each: resume_setup(each, steps, args[0]))
        elif name == "ResumeRefund":
            self.start(id, lambda each: resume_refund(each, steps, args[0]))
        elif name == "ApplyCredit":
            self.apply(args[0])
        else:
            raise AssertionError(name)


@dataclass(frozen=True, slots=True)
class Handle:
    """One process by its id."""

    registry: Registry
    id: str

    def _found(self) -> Process:
        process = self.registry.running.get(self.id)
        if process is None:
            raise RPCError("workflow not found", RPCStatusCode.NOT_FOUND, b"")
        return process

    async def signal(self, name: str, what: str) -> None:  # noqa: ARG002 - theirs
        self._found().hint()

    async def describe(self) -> Description:
        self._found()
        return Description(WorkflowExecutionStatus.RUNNING)


@dataclass(frozen=True, slots=True)
class Description:
    """What is asked of a description."""

    status: WorkflowExecutionStatus
