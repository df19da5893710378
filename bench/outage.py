"""A day without the ERP, on a server whose clock jumps over waiting: how soon a posting leaves once the ERP is back."""

from __future__ import annotations

import asyncio
import sysconfig
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from temporalio import activity
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

import worker
from activities.posting import Round
from connectors.temporal.client import data_converter
from workflows.post_to_erp import PostToErp

_QUEUE = "outage"


class Erp:
    """An ERP that is back at a moment. The product's poster asks it through a stand-in of its one activity."""

    def __init__(self) -> None:
        self.back_at: dict[str, datetime] = {}
        self.posted_at: dict[str, datetime] = {}
        self.probes = 0

    @activity.defn(name="post_round")
    async def post_round(self, probe: bool) -> Round:  # noqa: ARG002 - the answer is the same to both
        """Down until it is back; then everything that waits is posted."""
        info = activity.info()
        name, now = info.workflow_id or "", info.current_attempt_scheduled_time
        if now < self.back_at[name]:
            self.probes += 1
            return Round(confirmed=0, waiting=1, down=True)
        self.posted_at.setdefault(name, now)
        return Round(confirmed=1, waiting=0, down=False)


async def waits_after(outages: Sequence[timedelta]) -> Sequence[timedelta]:
    """For each outage, how long after the ERP's return its first posting left."""
    binary = Path(sysconfig.get_path("scripts")) / "temporal-test-server"
    erp = Erp()
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(binary),
        data_converter=data_converter([("bench", bytes(range(32)))], namespace="default"),
    ) as environment:
        began_at = await environment.get_current_time()
        async with Worker(
            environment.client,
            task_queue=_QUEUE,
            workflows=[PostToErp],
            activities=[erp.post_round],
            workflow_runner=worker.runner(),
        ):
            for number, outage in enumerate(outages):
                name = f"post/{number}"
                erp.back_at[name] = began_at + outage
                await environment.client.start_workflow(PostToErp.run, args=[name, 0], id=name, task_queue=_QUEUE)
            while len(erp.posted_at) < len(outages):
                await environment.sleep(timedelta(hours=1))
                await asyncio.sleep(0)
            for name in erp.back_at:
                await environment.client.get_workflow_handle(name).terminate("the bench is done")
    return [erp.posted_at[name] - back_at for name, back_at in erp.back_at.items()]
