"""`duly api`: one process that serves the portal, the staff pages, the JSON interface and webhooks."""

import os
import sys
from typing import Annotated

import typer

from launch import surroundings
from launch.commands.options import DEFAULT_DATA_DIR, DataDir
from launch.machine import api_arguments


def register(app: typer.Typer) -> None:
    app.command()(api)


def api(
    port: Annotated[int, typer.Option(help="Where to listen.")] = 8000,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Run the API, beside those that run already."""
    surroundings.join(data_dir)
    os.execv(sys.executable, [sys.executable, *api_arguments(port, host=host)])
