"""`duly check`: whether the books are right, by themselves and beside the provider, the ERP and Temporal."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Final

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError

import settings as configuration
from launch import surroundings
from launch.checking.everything import check
from launch.checking.sides import books, far_sides
from launch.checking.tally import Advance
from launch.commands.opening import fail
from launch.commands.options import DEFAULT_DATA_DIR, DataDir
from store.checks import Finding, Horizons

SHOWN_AFTER_SECONDS: Final = 2.0


def register(app: typer.Typer) -> None:
    app.command("check")(run)


def run(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
    most: Annotated[int, typer.Option(help="How many offenders of each invariant are shown.", min=1, max=1000)] = 5,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Look at every invariant of the books. Ends with status 1 when one is broken or could not be looked at."""
    surroundings.join(data_dir)
    at = datetime.now(UTC)
    try:
        with Watching(Console(stderr=True)) as watching:
            findings = asyncio.run(_look(at, most, watching))
    except (LookupError, ValidationError) as error:
        fail(str(error))
    except SQLAlchemyError as error:
        fail(f"The database did not answer: {str(error).splitlines()[0]}")
    if as_json:
        typer.echo(json.dumps(_as_json(findings, at), indent=2))
    else:
        Console(highlight=False).print(table_of(findings))
    if not all(finding.holds for finding in findings):
        raise typer.Exit(1)


async def _look(at: datetime, most: int, watching: "Watching") -> Sequence[Finding]:
    current = configuration.Settings()
    async with books(current) as database, far_sides(current, database) as far:
        return await check(database, far, at=at, horizons=Horizons(), most=most, watch=watching.watch)


class Watching:
    """A progress bar that appears once it was worth waiting for, where somebody looks: never in a log or a pipe."""

    def __init__(self, console: Console, *, shown_after_seconds: float = SHOWN_AFTER_SECONDS) -> None:
        self._is_watched = console.is_terminal
        self._shown_after_seconds = shown_after_seconds
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        self._progress = Progress(*columns, console=console, transient=True)
        self._started_at = time.monotonic()
        self._is_shown = False

    def __enter__(self) -> "Watching":
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_shown:
            self._progress.stop()

    def watch(self, title: str, total: int | None) -> Advance:
        """A new line for what is looked at now; the line before is finished."""
        for task in self._progress.tasks:
            self._progress.update(task.id, visible=False)
        task_id = self._progress.add_task(title, total=total)
        self._show_when_it_lasts()

        def advance(looked_at: int) -> None:
            self._progress.advance(task_id, looked_at)
            self._show_when_it_lasts()

        return advance

    def _show_when_it_lasts(self) -> None:
        if not self._is_watched or self._is_shown:
            return
        if time.monotonic() - self._started_at > self._shown_after_seconds:
            self._is_shown = True
            self._progress.start()


def _as_json(findings: Sequence[Finding], at: datetime) -> dict[str, object]:
    return {
        "checked_at": at.isoformat(),
        "holds": all(finding.holds for finding in findings),
        "invariants": [{**asdict(finding), "holds": finding.holds} for finding in findings],
    }


def table_of(findings: Sequence[Finding]) -> Table:
    """One row for each invariant, and below it the first of those who break it."""
    table = Table("", "invariant", "what it says", "found", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for finding in findings:
        mark = "[green]✓[/]" if finding.holds else "[bold red]✗[/]"
        table.add_row(mark, finding.name, finding.says, escape(_found(finding)))
        for offender in finding.offenders:
            table.add_row("", "", f"[red]{escape(offender.id)}[/]", escape(offender.what))
        more = finding.count - len(finding.offenders)
        if more:
            table.add_row("", "", f"… and {more} more", "")
    return table


def _found(finding: Finding) -> str:
    if finding.problem is not None:
        return f"could not be looked at: {finding.problem}"
    looked = f" of {finding.looked_at}" if finding.looked_at is not None else ""
    return f"{finding.count} broken{looked}" if finding.count else f"none{looked}"
