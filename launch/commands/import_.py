"""`duly import`: customers and invoices from a file of an accounting system."""

import asyncio
import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy.exc import OperationalError

import settings as configuration
from connectors.files import DateOrder, FileRefused, Problem
from launch import importing, surroundings
from launch.commands.opening import fail
from launch.commands.options import DEFAULT_DATA_DIR, DataDir
from launch.importing import Result, Wanted
from store.database import Database

_SHOWN_MOST: Final = 50
_STATEMENT_MS: Final = 60_000


def register(app: typer.Typer) -> None:
    app.command("import")(import_file)


def import_file(
    file: Annotated[Path, typer.Argument(help="CSV, XLSX or JSON: Xero, QuickBooks Online, or Duly's own columns.")],
    partial: Annotated[bool, typer.Option("--partial", help="Keep the good rows even where others are refused.")] = False,
    currency: Annotated[str | None, typer.Option(help="For a file that names no currency: USD, EUR, …")] = None,
    dates: Annotated[
        DateOrder | None, typer.Option(help="For a file whose dates can be read in two ways: dmy or mdy.")
    ] = None,
    booked_through: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="The last day whose file of payments was booked there before the export."),
    ] = None,
    encoding: Annotated[str | None, typer.Option(help="For text that is neither UTF-8 nor Windows-1252.")] = None,
    problems: Annotated[
        Path | None, typer.Option(help="A CSV file to be written: every row that is refused, with its line and its rule.")
    ] = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Take customers or invoices from a CSV, XLSX or JSON export. All of the file, or nothing of it (see --partial)."""
    surroundings.join(data_dir)
    current = configuration.Settings()
    wanted = Wanted(
        path=file,
        currency=None if currency is None else currency.strip().upper(),
        dates=dates,
        encoding=encoding,
        partial=partial,
        booked_through=None if booked_through is None else booked_through.date(),
        mode=current.mode.value,
    )
    try:
        with _written_to(problems) as refused:
            result = asyncio.run(_import(wanted, current, refused))
    except FileRefused as unreadable:
        fail(f"Nothing was taken in: {unreadable}")
    except OSError as error:
        fail(f"{error.filename or file}: {error.strerror}")
    except OperationalError:
        some = "Not all" if partial else "Nothing"
        fail(f"{some} was taken in: the database does not answer, or others hold the same invoices. Try again.")
    except LookupError as error:
        fail(str(error))
    tell(result, Console(highlight=False, soft_wrap=True))
    if not result.kept:
        raise typer.Exit(1)


@contextmanager
def _written_to(path: Path | None) -> Iterator[Callable[[Problem], None]]:
    """What writes each problem down as it is found. A sentence that a spreadsheet would compute is kept from it."""
    if path is None:
        yield lambda _: None
        return
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("line", "rule", "reason"))

        def write(problem: Problem) -> None:
            is_formula = problem.sentence.startswith(("=", "+", "-", "@"))
            rows.writerow((problem.line, problem.rule, f"'{problem.sentence}" if is_formula else problem.sentence))

        yield write


async def _import(wanted: Wanted, current: configuration.Settings, refused: Callable[[Problem], None]) -> Result:
    if current.worker_database_url is None:
        raise LookupError("DULY_WORKER_DATABASE_URL is not set, and no machine was ever started in this folder")
    database = Database(current.worker_database_url.get_secret_value(), pool_size=1, statement_timeout_ms=_STATEMENT_MS)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    try:
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
            task = progress.add_task("Counting rows", total=None)

            def told(done: int, of: int | None) -> None:
                description = "Counting rows" if of is None else f"Reading {wanted.path.name}"
                progress.update(task, description=description, completed=done, total=of)

            return await importing.take_in(database, wanted, at=datetime.now(UTC), told=told, refused=refused)
    finally:
        await database.close()


def tell(result: Result, console: Console) -> None:
    """Say what became of the file, problems first."""
    for problem in result.problems[:_SHOWN_MOST]:
        console.print(str(problem), markup=False)
    if result.refused > _SHOWN_MOST:
        console.print(f"… and {result.refused - _SHOWN_MOST:,} more")
    for why, count in result.skipped.items():
        console.print(f"{count:,} left out: {why}, not an invoice", markup=False)
    if not result.kept:
        console.print(f"Nothing was taken in: {result.refused:,} refused, {result.read:,} could be read. See --partial.")
        return
    console.print(f"{result.layout}: {result.read:,} {result.kind} read, {result.changed:,} new or changed.")
    if result.kind == "invoices" and result.customers:
        console.print("1 customer is new." if result.customers == 1 else f"{result.customers:,} customers are new.")
    if result.refused:
        console.print(f"{result.refused:,} were refused and left out.")
