"""`duly up`: everything on one machine, until Ctrl-C.

The demo and the database's libraries are loaded late: the parts are started first, and come up meanwhile.
"""

import signal
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from launch import postgres
from launch.commands.options import DEFAULT_DATA_DIR, DataDir
from launch.data_folder import AlreadyRunning, DataFolder
from launch.machine import DATABASE, Machine, PortTaken, private_files
from launch.program import ProgramFailed
from launch.supervisor import Supervisor

if TYPE_CHECKING:
    from launch.demo import Company

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LOOK_AT_THE_SYNC_EVERY_SECONDS = 0.5
_PATIENCE_WITH_THE_SYNC_SECONDS = 180.0


def register(app: typer.Typer) -> None:
    app.command()(up)


def up(
    data_dir: DataDir = DEFAULT_DATA_DIR,
    port: Annotated[
        int | None,
        typer.Option(help="The first of eleven neighbouring ports; remembered in the data folder. The first time: 8600."),
    ] = None,
    with_demo: Annotated[
        bool, typer.Option("--demo", help="Add a demo company, somebody of its staff, and links for its customers.")
    ] = False,
) -> None:
    """Run everything on this machine: PostgreSQL, Temporal, the simulators, the worker and the API."""
    console = Console(highlight=False)
    folder = DataFolder(data_dir)
    folder.make()
    try:
        with folder.held(), private_files():
            debit_seconds = _patience_with_banks() if with_demo else None
            run(Machine.prepare(folder, port=port, debit_seconds=debit_seconds), console, with_demo=with_demo)
    except AlreadyRunning:
        where = folder.info()["addresses"]["api"] if (folder.path / "info.json").exists() else "still starting"
        console.print(f"Duly is already running on {folder.path}: {where}")
        raise typer.Exit(1) from None
    except (PortTaken, ProgramFailed, postgres.ClusterNotMade) as error:
        console.print(f"[bold red]Duly did not start:[/] {error}", markup=True)
        raise typer.Exit(1) from None


def run(machine: Machine, console: Console, *, with_demo: bool = False) -> None:
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
        company = start(machine, supervisor, console, stop_asked, with_demo=with_demo)
        if company is not None:
            _wait_for_the_sync(machine, company, supervisor, console)
        if not stop_asked.is_set():
            if company is None:
                console.print(_addresses(machine))
            else:
                from launch import demo

                demo.tell(machine, demo.fresh_links(machine, company), console)
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


def start(
    machine: Machine, supervisor: Supervisor, console: Console, stop_asked: threading.Event, *, with_demo: bool = False
) -> "Company | None":
    """What Duly stands on, then the database's roles and tables, the demo's company where it is wanted, then Duly itself.

    Answers what the demo's ERP has; None without a demo, or when a stop was asked for.
    """
    companies: list[Company] = []

    def open_company() -> None:
        from launch import demo

        demo.furnish(machine)
        companies.append(demo.load_company(machine))

    def start_surroundings() -> None:
        # All at once, but only PostgreSQL is waited for: its tables are made while the others come up.
        supervisor.begin(machine.surroundings())
        supervisor.wait("postgres")

    steps: dict[str, Callable[[], None]] = {
        "Starting PostgreSQL": start_surroundings,
        "Making the database's roles and tables": lambda: _provision(machine),
        "Starting Temporal, the provider, the ERP and the mail catcher": supervisor.wait,
        **({"Opening the demo company": open_company} if with_demo else {}),
        "Starting the worker and the API": lambda: supervisor.start(machine.ourselves()),
    }
    columns = (SpinnerColumn(finished_text="✓"), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        for description, step in steps.items():
            if stop_asked.is_set():
                return None
            task = progress.add_task(description, total=1)
            step()
            progress.update(task, completed=1)
    return companies[0] if companies else None


def _wait_for_the_sync(machine: Machine, company: "Company", supervisor: Supervisor, console: Console) -> None:
    """Show how far the worker has read the ERP. Gives up after a while: the pages show what is there, and it goes on."""
    from launch import demo

    columns = (SpinnerColumn(finished_text="✓"), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("Reading customers and invoices from the ERP", total=company.rows)
        give_up_at = time.monotonic() + _PATIENCE_WITH_THE_SYNC_SECONDS
        look_at = time.monotonic()

        def is_read() -> bool:
            nonlocal look_at
            if time.monotonic() < look_at:
                return False
            look_at = time.monotonic() + _LOOK_AT_THE_SYNC_EVERY_SECONDS
            # What changed at the ERP since is read again, so the count may run ahead.
            count = min(demo.rows_read(machine), company.rows)
            progress.update(task, completed=count)
            return count == company.rows or time.monotonic() > give_up_at

        supervisor.watch(until=is_read)


def _patience_with_banks() -> tuple[int, int, int]:
    from launch import demo

    return demo.DEBIT_SECONDS


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
