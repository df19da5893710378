"""`duly worker`: one process that works on task queues."""

import asyncio
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
    import settings
    import worker as root

    chosen = [queue.strip() for queue in (queues or "").split(",") if queue.strip()]
    working = root.main(settings.current(), chosen) if chosen else root.main(settings.current())
    asyncio.run(working)
