"""What Temporal's client library counts is shown at its own address, failures by the names that alarms ask for."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import httpx
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.service import RPCError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from connectors.telemetry.metrics import runtime
from connectors.temporal.client import connect
from launch.drill.ground import until
from tests.house.alarms import AFTER_A_FAILURE
from tests.machine import free_port


@activity.defn
async def fails() -> None:
    raise ApplicationError("planted")


@workflow.defn
class Broken:
    """A mistake of ours: its task fails, and it waits for the fix."""

    @workflow.run
    async def run(self) -> None:
        tries = RetryPolicy(maximum_attempts=1)
        with suppress(ActivityError):
            await workflow.execute_activity(fails, start_to_close_timeout=timedelta(seconds=5), retry_policy=tries)
        raise LookupError("planted")


async def test_a_workflow_task_that_fails_is_counted_and_seconds_are_seconds(temporal_address: str, task_queue: str) -> None:
    port = free_port()
    address = f"127.0.0.1:{port}"
    client = await connect(temporal_address, namespace="default", keys=[("k1", bytes(range(32)))], runtime=runtime(address))
    async with Worker(
        client, task_queue=task_queue, workflows=[Broken], activities=[fails], workflow_runner=UnsandboxedWorkflowRunner()
    ):
        handle = await client.start_workflow(Broken.run, id=task_queue, task_queue=task_queue)
        text = await until(lambda: _shown(client, address), what="the failure's counter")
        await handle.terminate()
    assert all(name in text for name in AFTER_A_FAILURE)
    assert "temporal_workflow_task_execution_latency_bucket" in text
    assert 'le="0.001"' in text, "milliseconds, where alarms count seconds"


def test_without_an_address_there_is_no_runtime_of_our_own() -> None:
    assert runtime(None) is None


async def _shown(client: Client, address: str) -> str | None:
    with suppress(RPCError):  # which is counted
        await client.get_workflow_handle("absent").describe()
    async with httpx.AsyncClient(trust_env=False) as http:
        text = (await http.get(f"http://{address}/metrics")).text
    return text if all(f"\n{name}" in text for name in AFTER_A_FAILURE) else None
