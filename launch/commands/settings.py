"""`duly settings`: what the business decides (limits, switches, texts), kept as versions in the database."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from domain.business import BusinessSettings
from domain.refusals import Refused
from launch import surroundings
from launch.commands.opening import fail, staff_database
from launch.commands.options import DEFAULT_DATA_DIR, DataDir
from store import access_log, business
from store.access_log import Act
from store.business import SettingVersion

commands = typer.Typer(no_args_is_help=True, help="Read and change what the business decides.")


def register(app: typer.Typer) -> None:
    app.add_typer(commands, name="settings")


@commands.command("get")
def get(
    name: Annotated[str | None, typer.Argument(help="One setting, with its history; all of them without.")] = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Show the settings as they are, as JSON values; of one setting also who changed it and when."""
    surroundings.join(data_dir)
    try:
        now, versions = asyncio.run(_read(name))
    except LookupError as error:
        fail(str(error))
    values, defaults = asdict(now), asdict(BusinessSettings())
    if name is not None and name not in values:
        fail(Refused("setting_unknown", name=name).refusal.sentence)
    if name is not None:
        typer.echo(json.dumps(values[name]))
        for each in versions:
            when = each.changed_at.strftime("%Y-%m-%d %H:%M UTC")
            typer.echo(f"  version {each.version}: {json.dumps(each.value)}, by {each.changed_by}, {when}", err=True)
        return
    table = Table("setting", "value", "default", box=None)
    for key, value in values.items():
        shown, default = json.dumps(value), json.dumps(defaults[key])
        table.add_row(key, shown, "" if shown == default else default)
    Console(highlight=False).print(table)


@commands.command("set")
def change(
    name: Annotated[str, typer.Argument(help="The setting.")],
    value: Annotated[str, typer.Argument(help='A JSON value (true, 30, {"USD": 1000000}); other text is taken as it is.')],
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Change one setting from now on. The old versions are kept."""
    surroundings.join(data_dir)
    try:
        version = asyncio.run(_write(name, _value(value)))
    except (LookupError, Refused) as error:
        fail(str(error))
    typer.echo(f"{name} is now {value} (version {version})")


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text


async def _read(name: str | None) -> tuple[BusinessSettings, Sequence[SettingVersion]]:
    async with staff_database() as database, database.begin("settings_get") as tx:
        return await business.load(tx), ([] if name is None else await business.history(tx, name))


async def _write(name: str, value: object) -> int:
    at = datetime.now(UTC)
    async with staff_database() as database, database.begin("settings_set") as tx:
        version = await business.change(tx, name, value, by="duly settings", at=at)
        act = Act(actor="duly settings", action="setting_changed", object_id=name, facts={"version": version})
        await access_log.note(tx, act, at=at)
    return version
