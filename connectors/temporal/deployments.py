"""Which versions of the workers there are, which of them gets new work, which is drained; and who polls a task queue.

Plain answers for `duly workers`. Temporal keeps all of it; nothing is written down here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio.api.enums.v1 import TaskQueueType, VersionDrainageStatus
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    DescribeWorkerDeploymentRequest,
    SetWorkerDeploymentCurrentVersionRequest,
)
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import WorkerDeploymentConfig

_ANSWER_WITHIN: Final = timedelta(seconds=10)
_KINDS: Final = (TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY)


class NotMadeCurrent(Exception):
    """Temporal refused; the message is its reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a deployment. `state` is current, draining (pinned workflows are open), drained or inactive."""

    build_id: str
    state: str
    made_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Poller:
    """Somebody who asks a task queue for work; `identity` is process@host."""

    identity: str
    kind: str
    seen_at: datetime

    @property
    def host(self) -> str:
        """The machine, or the container, that it runs on."""
        return self.identity.partition("@")[2]


def versioned(deployment: str | None, build_id: str | None) -> WorkerDeploymentConfig | None:
    """What a worker is told: its version, or, without both names, that there are no versions.

    Workflows stay with the version that they began with; `workflows/versions.py` names those that move on.
    """
    if deployment is None or build_id is None:
        return None
    version = WorkerDeploymentVersion(deployment_name=deployment, build_id=build_id)
    return WorkerDeploymentConfig(
        version=version, use_worker_versioning=True, default_versioning_behavior=VersioningBehavior.PINNED
    )


async def versions(client: Client, deployment: str) -> Sequence[Version]:
    """Every version that Temporal still knows, the newest first; none where no worker of it ever polled."""
    request = DescribeWorkerDeploymentRequest(namespace=client.namespace, deployment_name=deployment)
    try:
        answer = await client.workflow_service.describe_worker_deployment(request, timeout=_ANSWER_WITHIN)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return []
        raise
    info = answer.worker_deployment_info
    current = info.routing_config.current_deployment_version.build_id
    found = [
        Version(
            build_id=each.deployment_version.build_id,
            state="current" if each.deployment_version.build_id == current else _drainage(each.drainage_status),
            made_at=each.create_time.ToDatetime(UTC),
        )
        for each in info.version_summaries
    ]
    return sorted(found, key=lambda each: each.made_at, reverse=True)


async def make_current(client: Client, deployment: str, build_id: str) -> str | None:
    """From now on new workflows, and those that are not pinned, go to this version. Answers the one before, if any.

    Raises NotMadeCurrent: Temporal refuses a version that no worker polls for, and so do we.
    """
    request = SetWorkerDeploymentCurrentVersionRequest(
        namespace=client.namespace, deployment_name=deployment, build_id=build_id, identity=client.identity
    )
    try:
        answer = await client.workflow_service.set_worker_deployment_current_version(request, timeout=_ANSWER_WITHIN)
    except RPCError as error:
        if error.status in {RPCStatusCode.NOT_FOUND, RPCStatusCode.FAILED_PRECONDITION, RPCStatusCode.INVALID_ARGUMENT}:
            raise NotMadeCurrent(error.message) from error
        raise
    return answer.previous_deployment_version.build_id or None


async def pollers(client: Client, queue: str) -> Sequence[Poller]:
    """Who asked this queue for workflows or activities within the last minutes."""
    found = []
    for kind in _KINDS:
        request = DescribeTaskQueueRequest(
            namespace=client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=kind
        )
        answer = await client.workflow_service.describe_task_queue(request, timeout=_ANSWER_WITHIN)
        word = "workflows" if kind == TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW else "activities"
        found += [
            Poller(identity=each.identity, kind=word, seen_at=each.last_access_time.ToDatetime(UTC))
            for each in answer.pollers
        ]
    return found


def _drainage(status: VersionDrainageStatus.ValueType) -> str:
    if status == VersionDrainageStatus.VERSION_DRAINAGE_STATUS_DRAINING:
        return "draining"
    return "drained" if status == VersionDrainageStatus.VERSION_DRAINAGE_STATUS_DRAINED else "inactive"
