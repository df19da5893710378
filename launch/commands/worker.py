"""`duly worker`: one process that works on task queues."""

import os
import sys
from typing import Annotated

import typer

from launch import surroundings
from launch.commands.options import DEFAULT_DATA_DIR, DataDir


def register(app: typer.Typer) -> None:
    app.command()(worker)


def worker(
    queues: Annotated[
        str | None, typer.Option(help="Task queues with commas between them; without it, all of this deployment.")
    ] = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Run a worker, beside those that run already."""
    surroundings.join(data_dir)
    chosen = [] if queues is None else ["--queues", queues]
    os.execv(sys.executable, [sys.executable, "-m", "worker", *chosen])
