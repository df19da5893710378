"""`duly up`: everything on one machine, until Ctrl-C."""

import signal
import threading
from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from launch import postgres
from launch.commands.options import DEFAULT_DATA_DIR, DataDir
from launch.data_folder import AlreadyRunning, DataFolder
from launch.machine import DATABASE, Machine, PortTaken, private_files
from launch.program import ProgramFailed
from launch.supervisor import Supervisor

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def register(app: typer.Typer) -> None:
    app.command()(up)


def up(
    data_dir: DataDir = DEFAULT_DATA_DIR,
    port: Annotated[
        int | None,
        typer.Option(help="The first of seven neighbouring ports; remembered in the data folder. The first time: 8600."),
    ] = None,
) -> None:
    """Run everything on this machine: PostgreSQL, Temporal, the simulators, the worker and the API."""
    console = Console(highlight=False)
    folder = DataFolder(data_dir)
    folder.make()
    try:
        with folder.held(), private_files():
            run(Machine.prepare(folder, port=port), console)
    except AlreadyRunning:
        where = folder.info()["addresses"]["api"] if (folder.path / "info.json").exists() else "still starting"
        console.print(f"Duly is already running on {folder.path}: {where}")
        raise typer.Exit(1) from None
    except (PortTaken, ProgramFailed, postgres.ClusterNotMade) as error:
        console.print(f"[bold red]Duly did not start:[/] {error}", markup=True)
        raise typer.Exit(1) from None


def run(machine: Machine, console: Console) -> None:
    """Start the parts, say where they are, look after them, and leave no process behind."""
    stop_asked = threading.Event()
    for stop_signal in _STOP_SIGNALS:
        signal.signal(stop_signal, lambda *_: stop_asked.set())
    machine.require_free_ports()
    if (os_user := postgres.runs_as()) is not None:
        console.print(
            f"You are root, and PostgreSQL refuses to run as root: it runs as the OS user '{os_user}', made if need be."
        )
    supervisor = Supervisor(
        say=console.print,
        stop_asked=stop_asked.is_set,
        changed=lambda: machine.write_info(supervisor),
    )
    try:
        start(machine, supervisor, console, stop_asked)
        if not stop_asked.is_set():
            console.print(_addresses(machine))
            console.print("Ctrl-C stops everything.")
        supervisor.watch()
    finally:
        # A second Ctrl-C does not interrupt the stopping: nothing may stay behind.
        for stop_signal in _STOP_SIGNALS:
            signal.signal(stop_signal, signal.SIG_IGN)
        with console.status("Stopping") as status:
            supervisor.stop(told=lambda name: status.update(f"Stopping {name}"))
        machine.write_info(supervisor)
        console.print("Stopped; no process is left.")


def start(machine: Machine, supervisor: Supervisor, console: Console, stop_asked: threading.Event) -> None:
    """What Duly stands on, then the database's roles and tables, then Duly itself."""
    steps: dict[str, Callable[[], None]] = {
        "Starting PostgreSQL, Temporal, the provider, the ERP and the mail catcher": lambda: supervisor.start(
            machine.surroundings()
        ),
        "Making the database's roles and tables": lambda: _provision(machine),
        "Starting the worker and the API": lambda: supervisor.start(machine.ourselves()),
    }
    columns = (SpinnerColumn(finished_text="✓"), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        for description, step in steps.items():
            if stop_asked.is_set():
                return
            task = progress.add_task(description, total=1)
            step()
            progress.update(task, completed=1)


def _provision(machine: Machine) -> None:
    from store import provision

    machine.cluster.make_database(DATABASE)
    provision.prepare_now(machine.cluster.admin_url(DATABASE), machine.passwords())


def _addresses(machine: Machine) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, address in machine.addresses().items():
        table.add_row(name.replace("_", " "), address)
    table.add_row("data", str(machine.folder.path))
    table.add_row("logs", str(machine.folder.log_file("*")))
    return table
