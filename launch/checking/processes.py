"""Asking Temporal whether what is on its way has somebody who brings it there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from activities.several import of_each
from launch.checking.tally import PAGE, Tally
from store import checks, far_checks
from store.checks import Horizons, Offender
from store.database import Database
from workflows import ids

_NAMED: Final[Mapping[str, Callable[[str], str]]] = {"pay": ids.payment, "set": ids.method_setup, "rfd": ids.refund}


async def processes_running(
    database: Database, client: Client, *, at: datetime, horizons: Horizons, most: int = 5
) -> checks.Finding:
    """A payment, set-up or refund in flight beyond its horizon has a workflow that runs."""
    tally = Tally(
        name="processes_running",
        says="Every payment, set-up and refund in flight beyond its horizon has a workflow that runs.",
        most=most,
    )

    async def ask(process: Offender) -> None:
        workflow_id = _NAMED[process.id.partition("_")[0]](process.id)
        try:
            description = await client.get_workflow_handle(workflow_id).describe()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            tally.blame(process.id, f"{process.what}, and no workflow knows of it")
            return
        if description.status is not WorkflowExecutionStatus.RUNNING:
            word = description.status.name.lower() if description.status is not None else "of unknown state"
            tally.blame(process.id, f"{process.what}, and its workflow is {word}")

    after = ""
    try:
        while True:
            async with database.begin("check.in_flight") as tx:
                page = await far_checks.in_flight(tx, before=at - horizons.payment, after=after, limit=PAGE)
            await of_each(page, ask)
            tally.looked_at += len(page)
            if len(page) < PAGE:
                return tally.finding()
            after = page[-1].id
    except RPCError as error:
        return tally.finding(problem=f"Temporal did not answer: {error}")
