"""`duly workers`: are they at work, which versions of them are there, and which of these gets new work."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from temporalio.client import Client
from temporalio.service import RPCError

import settings as configuration
from activities.pokes import QUEUE
from connectors.temporal import deployments
from connectors.temporal.deployments import NotMadeCurrent
from launch import surroundings
from launch.commands.opening import fail
from launch.commands.options import DEFAULT_DATA_DIR, DataDir

commands = typer.Typer(no_args_is_help=True, help="The workers: whether they poll, and which version gets new work.")
SEEN_WITHIN = timedelta(seconds=90)
"""A poll waits for a minute at most before it is asked again, so a worker that is well was seen since."""
_CONNECT_WITHIN_SECONDS = 10
_NO_NAME = "DULY_WORKER_DEPLOYMENT is not set: workers have no versions here, and each does all work"

Answer = TypeVar("Answer")


def register(app: typer.Typer) -> None:
    app.add_typer(commands, name="workers")


@commands.command("health")
def health(
    any_host: Annotated[
        bool, typer.Option("--any-host", help="Be content with a worker anywhere; without it, one on this host must poll.")
    ] = False,
    queue: Annotated[str, typer.Option(help="The task queue.")] = QUEUE,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Ask Temporal whether a worker polls for workflows and for activities. Ends with 1 when none does, or it cannot say."""
    surroundings.join(data_dir)
    found = _ask(lambda client: deployments.pollers(client, queue))
    after = datetime.now(UTC) - SEEN_WITHIN
    well = [each for each in found if each.seen_at > after and (any_host or each.host == socket.gethostname())]
    lacking = {"workflows", "activities"} - {each.kind for each in well}
    if lacking:
        where = "anywhere" if any_host else f"on {socket.gethostname()}"
        fail(f"no worker {where} polls '{queue}' for {' and '.join(sorted(lacking))}")
    names = {each.identity for each in well}
    typer.echo(f"{len(names)} at work on '{queue}': {', '.join(sorted(names))}")


@commands.command("versions")
def versions(data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """List the versions of the workers: current, draining (workflows that began there are open), drained, inactive."""
    surroundings.join(data_dir)
    deployment = _deployment()
    table = Table("build", "state", "first seen", box=None, pad_edge=False)
    for each in _ask(lambda client: deployments.versions(client, deployment)):
        table.add_row(each.build_id, each.state, f"{each.made_at:%Y-%m-%d %H:%M} UTC")
    Console(highlight=False).print(table)


@commands.command("current")
def current(
    build: Annotated[str, typer.Argument(help="DULY_WORKER_BUILD_ID of workers that run already.")],
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Give new work to this version from now on. What began on another stays there until it has ended."""
    surroundings.join(data_dir)
    deployment = _deployment()
    try:
        before = _ask(lambda client: deployments.make_current(client, deployment, build))
    except NotMadeCurrent as error:
        fail(f"'{build}' was not made current: {error}")
    told = f"; '{before}' drains: keep its workers until `duly workers versions` says drained" if before else ""
    typer.echo(f"'{build}' is current{told}")


def _deployment() -> str:
    name = configuration.Settings().worker_deployment
    if name is None:
        fail(_NO_NAME)
    return name


def _ask(question: Callable[[Client], Awaitable[Answer]]) -> Answer:
    """One question to Temporal. It needs no key of the payloads': none is read."""
    told = configuration.Settings()

    async def ask() -> Answer:
        async with asyncio.timeout(_CONNECT_WITHIN_SECONDS):
            client = await Client.connect(told.temporal_address, namespace=told.temporal_namespace)
        return await question(client)

    try:
        return asyncio.run(ask())
    except (RPCError, RuntimeError, TimeoutError) as error:
        fail(f"Temporal at {told.temporal_address} does not answer: {type(error).__name__}: {error}")
