"""`duly reconcile`: let provider, Duly and ERP be compared now, or export what is compared for others to recompute."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

import settings as configuration
from launch import surroundings
from launch.checking.sides import books, far_sides
from launch.commands.opening import fail
from launch.commands.options import DEFAULT_DATA_DIR, DataDir
from launch.exporting import Exported, export
from store.database import Database
from store.views import staff_reconciliation
from store.views.staff_reconciliation import RunLine

LOOK_EVERY_SECONDS: Final = 1.0


def register(app: typer.Typer) -> None:
    app.command("reconcile")(run)


def run(
    export_to: Annotated[Path | None, typer.Option("--export", help="Write what is compared as files here.")] = None,
    wait_seconds: Annotated[int, typer.Option(help="How long to wait for the comparison.", min=1)] = 600,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Compare now and say whether all is equal (else status 1); with --export, write files to recompute it from."""
    surroundings.join(data_dir)
    try:
        if export_to is not None:
            export_to.mkdir(parents=True, exist_ok=True)
            exported = asyncio.run(_export(export_to))
            _say(export_to, exported)
            if exported.problems:
                raise typer.Exit(1)
            return
        last = asyncio.run(_compare(wait_seconds))
    except (LookupError, ValidationError, TimeoutError) as error:
        fail(str(error))
    except SQLAlchemyError as error:
        fail(f"The database did not answer: {str(error).splitlines()[0]}")
    for side, told in sorted(last.sides.items()):
        problem = f", {told['problem']}" if "problem" in told else ""
        typer.echo(f"{side}: {told['looked_at']} looked at, {told['differing']} differing{problem}")
    typer.echo("All is equal." if last.is_equal else f"{last.differing} differences are open: see the staff's page.")
    if not last.is_equal:
        raise typer.Exit(1)


def _say(folder: Path, exported: Exported) -> None:
    for name, rows in exported.rows.items():
        typer.echo(f"{folder / name}: {rows} rows")
    for problem in exported.problems:
        typer.echo(f"Could not be asked: {problem}", err=True)


async def _export(folder: Path) -> Exported:
    current = configuration.Settings()
    async with books(current) as database, far_sides(current, database) as far:
        return await export(database, far.providers, folder, tell=lambda name: typer.echo(f"Writing {name}", err=True))


async def _compare(wait_seconds: int) -> RunLine:
    import wiring
    from api.processes import Processes, Unanswered

    current = configuration.Settings()
    async with books(current) as database:
        before = await _newest(database)
        try:
            await Processes(await wiring.temporal_client(current)).reconcile()
        except (Unanswered, RuntimeError, ValueError) as error:
            raise LookupError(f"Temporal at {current.temporal_address} did not answer: {error}") from error
        began = datetime.now(UTC)
        while (datetime.now(UTC) - began).total_seconds() < wait_seconds:
            last = await _newest(database)
            if last is not None and last.finished_at is not None and (before is None or last.id != before.id):
                return last
            await asyncio.sleep(LOOK_EVERY_SECONDS)
    raise TimeoutError(f"The comparison is not over after {wait_seconds} seconds. It goes on by itself.")


async def _newest(database: Database) -> RunLine | None:
    async with database.begin("reconcile.newest") as tx:
        runs = await staff_reconciliation.runs(tx)
    return runs[0] if runs else None
