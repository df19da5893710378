"""Whether a worker works yet: nobody asks a worker anything, but Temporal knows who polls its queue."""

from __future__ import annotations

import asyncio
import time

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from activities.pokes import QUEUE

_PATIENCE_SECONDS = 60.0


async def until_polling(client: Client, *, pid: int | None = None) -> None:
    """Return when a worker (the process `pid`, if given) polls Duly's queue. Raises TimeoutError after a minute."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not await _polls(client, pid):
        if time.monotonic() > deadline:
            raise TimeoutError("no worker polls")
        await asyncio.sleep(0.05)


async def _polls(client: Client, pid: int | None) -> bool:
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=QUEUE),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    )
    try:
        described = await client.workflow_service.describe_task_queue(request)
    except RPCError:
        return False  # the server itself is on its way up
    # A worker calls itself pid@host.
    return any(pid is None or each.identity.startswith(f"{pid}@") for each in described.pollers)
