"""`duly drill crash`: everything of a Duly of its own is killed, everywhere; then money is counted at the far side."""

import asyncio
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from launch.commands.check import table_of as table_of_findings
from launch.commands.opening import fail
from launch.postgres import ClusterNotMade
from launch.program import ProgramFailed

WIDTH_OF_A_FILE: Final = 190
drills = typer.Typer(name="drill", help="Prove it on this machine: nothing that runs is touched.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(drills)


@drills.callback()
def _several() -> None:
    """Keeps the name of the drill, while there is one only."""


@drills.command()
def crash(
    only: Annotated[str, typer.Option(help="A glob of process/point/what dies, such as 'pay with*/charge*/worker'.")] = "*",
    seed: Annotated[int, typer.Option(help="Shuffles which process meets which point.")] = 0,
    workers: Annotated[int, typer.Option(help="How many workers run.", min=1, max=8)] = 2,
    apis: Annotated[int, typer.Option(help="How many API processes run.", min=1, max=4)] = 1,
    restless: Annotated[bool, typer.Option("--restless", help="One worker more comes and goes at random.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of tables.")] = False,
) -> None:
    """Kill workers, API, Temporal and PostgreSQL at every point of every process, lose every answer, and count.

    Ends with status 1 when a kill is not proven, or when anything was charged, kept or written other than once.
    """
    from launch.drill.crash import Choice

    choice = Choice(only=only, seed=seed, workers=workers, restless=restless)
    console = Console(stderr=as_json, highlight=False)
    if not console.is_terminal:
        console.width = WIDTH_OF_A_FILE
    try:
        holds, facts = asyncio.run(_run(choice, apis, console))
    except (ProgramFailed, ClusterNotMade) as error:
        fail(f"The drill's own Duly did not start: {error}")
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
    if not holds:
        raise typer.Exit(1)


async def _run(choice: Any, apis: int, console: Console) -> tuple[bool, dict[str, Any]]:
    from launch.drill import crash as engine
    from launch.drill import ground as grounds
    from launch.drill.row import Row, as_json, summary_of, table_of

    with tempfile.TemporaryDirectory(prefix="duly-drill-", ignore_cleanup_errors=True) as folder:
        console.print(f"A Duly of its own starts in {folder}; nothing else is touched. Seed {choice.seed}.")
        ground = await grounds.start(Path(folder), apis=apis)
        try:
            with console.status("") as status:

                def tell(rows: Sequence[Row]) -> None:
                    console.print(table_of(rows))

                outcome = await engine.drill(ground, choice, say=status.update, tell=tell)
        finally:
            await ground.aclose()
    console.print(summary_of(outcome.rows))
    console.print(table_of_findings(outcome.findings))
    for point in outcome.missed:
        console.print(f"[bold red]✗[/] {point}: nobody died there, and launch/drill/points.py does not say why")
    if not outcome.rows:
        console.print(f"[bold red]Nothing matches[/] {choice.only}")
    facts = {
        "seed": choice.seed,
        "only": choice.only,
        "holds": outcome.holds and bool(outcome.rows),
        "rows": as_json(outcome.rows),
        "invariants": [{**asdict(each), "holds": each.holds} for each in outcome.findings],
        "missed": list(outcome.missed),
    }
    return bool(facts["holds"]), facts
