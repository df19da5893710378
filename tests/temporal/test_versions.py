"""Workers change while workflows are open: with versions none of them is stuck, without they are."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from datetime import timedelta
from functools import partial

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHandle
from temporalio.common import VersioningBehavior
from temporalio.worker import Worker

import worker as root
from connectors.temporal import deployments
from connectors.temporal.deployments import NotMadeCurrent, versioned
from launch.drill.ground import until
from tests.temporal.stories import Endless, StoryAfter, StoryBefore, first_step, other_step
from workflows import versions

FEW = 12
MANY = 200


def working(client: Client, queue: str, story: type, *, deployment: str | None, build: str | None) -> Worker:
    return Worker(
        client,
        task_queue=queue,
        workflows=[story, Endless],
        activities=[first_step, other_step],
        workflow_runner=root.runner(versioned=build is not None),
        deployment_config=versioned(deployment, build),
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=1),
    )


async def started(client: Client, queue: str, count: int, step: str) -> list[WorkflowHandle[object, str]]:
    """So many open stories, each past its first step."""
    handles = [
        await client.start_workflow("Story", id=f"{queue}/{step}/{number}", task_queue=queue, result_type=str)
        for number in range(count)
    ]
    for handle in handles:
        await until(partial(_passed_its_step, handle), within_seconds=60, what=f"{handle.id} waiting")
    return handles


async def _passed_its_step(handle: WorkflowHandle[object, str]) -> bool:
    history = await handle.fetch_history()
    return any(event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED for event in history.events)


async def _was_looked_at(handle: WorkflowHandle[object, str]) -> bool:
    history = await handle.fetch_history()
    return any(event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED for event in history.events)


async def ends(handles: Sequence[WorkflowHandle[object, str]]) -> list[str]:
    """What each answers; one that is stuck would be waited for without end."""
    for handle in handles:
        await handle.signal("tell")
    async with asyncio.timeout(120):
        return list(await asyncio.gather(*(handle.result() for handle in handles)))


async def becomes_current(client: Client, deployment: str, build: str) -> str | None:
    """A worker's first poll makes its version known; until then Temporal refuses."""

    async def made() -> tuple[str | None] | None:
        try:
            return (await deployments.make_current(client, deployment, build),)
        except NotMadeCurrent:
            return None

    (before,) = await until(made, what=f"{build} being current")
    return before


async def change_while_open(client: Client, queue: str, count: int) -> None:
    deployment = f"duly-{secrets.token_hex(3)}"
    async with working(client, queue, StoryBefore, deployment=deployment, build="one"):
        assert await becomes_current(client, deployment, "one") is None
        old = await started(client, queue, count, "before")
        endless = await client.start_workflow("SendMail", id=f"{queue}/endless", task_queue=queue, result_type=str)
        await until(lambda: _was_looked_at(endless), what="the endless one's first task")
        async with working(client, queue, StoryAfter, deployment=deployment, build="two"):
            assert await becomes_current(client, deployment, "two") == "one"
            new = await started(client, queue, count, "after")
            states = {each.build_id: each.state for each in await deployments.versions(client, deployment)}
            assert states == {"two": "current", "one": "draining"}
            assert await ends(old) == ["before"] * count
            assert await ends(new) == ["after"] * count
            assert await ends([endless]) == ["two"]


async def test_a_workflow_that_changed_leaves_none_stuck(temporal_client: Client, task_queue: str) -> None:
    await change_while_open(temporal_client, task_queue, FEW)


@pytest.mark.long
async def test_a_workflow_that_changed_while_two_hundred_are_open_leaves_none_stuck(
    temporal_client: Client, task_queue: str
) -> None:
    await change_while_open(temporal_client, task_queue, MANY)


async def test_without_versions_the_same_change_leaves_it_stuck(temporal_client: Client, task_queue: str) -> None:
    """The test above can fail: this is what it would meet."""
    async with working(temporal_client, task_queue, StoryBefore, deployment=None, build=None):
        (handle,) = await started(temporal_client, task_queue, 1, "before")
    async with working(temporal_client, task_queue, StoryAfter, deployment=None, build=None):
        await handle.signal("tell")

        async def failed() -> bool:
            history = await handle.fetch_history()
            return any(event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED for event in history.events)

        await until(failed, what="the workflow task's failure")
        assert (await handle.describe()).close_time is None
    await handle.terminate()


async def test_a_version_that_nobody_polls_for_is_not_made_current(temporal_client: Client, task_queue: str) -> None:
    deployment = f"duly-{secrets.token_hex(3)}"
    assert await deployments.versions(temporal_client, deployment) == []
    with pytest.raises(NotMadeCurrent):
        await deployments.make_current(temporal_client, deployment, "none")


async def test_a_worker_is_seen_as_soon_as_it_polls_and_not_before(temporal_client: Client, task_queue: str) -> None:
    assert await deployments.pollers(temporal_client, task_queue) == []
    async with working(temporal_client, task_queue, StoryBefore, deployment=None, build=None):

        async def seen() -> set[str] | None:
            found = {each.kind for each in await deployments.pollers(temporal_client, task_queue)}
            return found if len(found) == 2 else None

        assert await until(seen, what="both kinds of polls") == {"workflows", "activities"}


def test_those_that_move_on_are_workflows_of_ours() -> None:
    assert {each.__name__ for each in root.WORKFLOWS} > versions.MOVE_ON


def test_a_worker_has_a_version_only_with_both_names() -> None:
    assert versioned(None, "one") is versioned("duly", None) is versioned(None, None) is None
    version = versioned("duly", "one")
    assert version is not None
    assert version.use_worker_versioning
    assert version.default_versioning_behavior is VersioningBehavior.PINNED
