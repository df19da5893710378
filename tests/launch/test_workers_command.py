"""`duly workers`: well is who polls, and a version is current when somebody of it polls and it was said."""

from __future__ import annotations

import asyncio
import re
import secrets
from pathlib import Path

from temporalio.client import Client
from temporalio.worker import Worker
from typer.testing import CliRunner, Result

from cli import application
from connectors.temporal.deployments import versioned
from launch.drill.ground import until
from tests.temporal.stories import StoryBefore, first_step


async def duly(address: str, folder: Path, *words: str, deployment: str | None = None) -> Result:
    environment = {"DULY_TEMPORAL_ADDRESS": address, "DULY_DATA_DIR": str(folder)}
    if deployment is not None:
        environment |= {"DULY_WORKER_DEPLOYMENT": deployment, "DULY_WORKER_BUILD_ID": "whichever"}
    return await asyncio.to_thread(CliRunner().invoke, application(), ["workers", *words], env=environment)


def working(client: Client, queue: str, *, deployment: str | None = None, build: str | None = None) -> Worker:
    return Worker(
        client,
        task_queue=queue,
        workflows=[StoryBefore],
        activities=[first_step],
        deployment_config=versioned(deployment, build),
    )


async def test_a_queue_is_well_while_a_worker_of_this_host_polls_it(
    temporal_address: str, temporal_client: Client, task_queue: str, tmp_path: Path
) -> None:
    alone = await duly(temporal_address, tmp_path, "health", "--queue", task_queue)
    assert alone.exit_code == 1
    assert "activities and workflows" in alone.output
    async with working(temporal_client, task_queue):

        async def well() -> str | None:
            asked = await duly(temporal_address, tmp_path, "health", "--queue", task_queue)
            return asked.output if asked.exit_code == 0 else None

        assert re.match(rf"1 at work on '{task_queue}': \d+@", await until(well, within_seconds=60, what="health"))


async def test_a_worker_elsewhere_makes_nobody_here_well(temporal_address: str, task_queue: str, tmp_path: Path) -> None:
    elsewhere = await Client.connect(temporal_address, identity="7@another-host")
    async with working(elsewhere, task_queue):

        async def seen() -> bool:
            asked = await duly(temporal_address, tmp_path, "health", "--queue", task_queue, "--any-host")
            return asked.exit_code == 0

        await until(seen, within_seconds=60, what="the worker elsewhere")
        assert (await duly(temporal_address, tmp_path, "health", "--queue", task_queue)).exit_code == 1


async def test_a_version_is_made_current_and_listed(
    temporal_address: str, temporal_client: Client, task_queue: str, tmp_path: Path
) -> None:
    name = f"duly-{secrets.token_hex(3)}"
    early = await duly(temporal_address, tmp_path, "current", "one", deployment=name)
    assert early.exit_code == 1
    assert "'one' was not made current" in early.output
    async with working(temporal_client, task_queue, deployment=name, build="one"):

        async def made() -> str | None:
            asked = await duly(temporal_address, tmp_path, "current", "one", deployment=name)
            return asked.output if asked.exit_code == 0 else None

        assert "'one' is current" in await until(made, within_seconds=60, what="a current version")
        listed = await duly(temporal_address, tmp_path, "versions", deployment=name)
        assert re.search(r"^one +current +\d{4}-", listed.output, re.MULTILINE), listed.output


async def test_without_a_deployment_there_are_no_versions(temporal_address: str, tmp_path: Path) -> None:
    asked = await duly(temporal_address, tmp_path, "versions")
    assert asked.exit_code == 1
    assert "DULY_WORKER_DEPLOYMENT is not set" in asked.output


async def test_a_temporal_that_is_away_is_no_health(tmp_path: Path) -> None:
    asked = await duly("127.0.0.1:9", tmp_path, "health")
    assert asked.exit_code == 1
    assert "does not answer" in asked.output
