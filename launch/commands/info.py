"""`duly info`: where the parts of a machine are."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from launch.commands.options import DEFAULT_DATA_DIR, DataDir
from launch.data_folder import DataFolder, NotPreparedYet


def register(app: typer.Typer) -> None:
    app.command()(info)


def info(
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Say where everything is: API, database, Temporal, provider, ERP, mail."""
    folder = DataFolder(data_dir)
    try:
        facts = {**folder.info(), "running": folder.is_held(), "data_dir": str(folder.path)}
    except NotPreparedYet as error:
        Console(stderr=True).print(str(error))
        raise typer.Exit(1) from None
    if as_json:
        typer.echo(json.dumps({**facts.pop("addresses"), **facts}, indent=2))
        return
    table = Table.grid(padding=(0, 2))
    table.add_row("running", f"yes, as process {facts['pid']}" if facts["running"] else "no")
    for name, address in facts["addresses"].items():
        table.add_row(name.replace("_", " "), address)
    Console(highlight=False).print(table)
