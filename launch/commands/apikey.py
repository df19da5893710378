"""`duly apikey`: keys for programs that use the JSON API. A key is shown once, and can do what its scopes say."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from launch import surroundings
from launch.commands.opening import fail, staff_database
from launch.commands.options import DEFAULT_DATA_DIR, DataDir
from store import access_log, api_keys
from store.access_log import Act
from store.api_keys import KeyLine, NewKey, Scope

commands = typer.Typer(no_args_is_help=True, help="Keys for programs that use the JSON API.")
LONGEST_LABEL = 60


def register(app: typer.Typer) -> None:
    app.add_typer(commands, name="apikey")


@commands.command("create")
def create(
    label: Annotated[str, typer.Option(help="Whose key it is. Customers and staff read it beside what the key did.")],
    scope: Annotated[list[Scope], typer.Option(help="What it may do; several times for several scopes.")],
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Make a key and print it, this once: only a fingerprint of it is kept."""
    surroundings.join(data_dir)
    if not label.isprintable() or not label.strip() or len(label) > LONGEST_LABEL:
        fail(f"a label has 1 to {LONGEST_LABEL} visible characters")
    try:
        made = asyncio.run(_create(label.strip(), scope))
    except LookupError as error:
        fail(str(error))
    Console(stderr=True, highlight=False).print(f"{made.id}: keep this key now, it is not shown again", soft_wrap=True)
    typer.echo(made.key)


@commands.command("list")
def show(data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """List every key: what it may do, when it was last used, and whether it was revoked."""
    surroundings.join(data_dir)
    try:
        keys = asyncio.run(_list())
    except LookupError as error:
        fail(str(error))
    table = Table("id", "label", "begins with", "scopes", "made", "last used", "revoked", box=None)
    for each in keys:
        table.add_row(
            each.id,
            each.label,
            f"duly_{each.prefix}_",
            " ".join(each.scopes),
            f"{each.created_at:%Y-%m-%d} by {each.created_by}",
            "" if each.last_used_on is None else each.last_used_on.isoformat(),
            "" if each.revoked_at is None else f"{each.revoked_at:%Y-%m-%d %H:%M} UTC",
        )
    Console(highlight=False, width=200).print(table)


@commands.command("revoke")
def revoke(
    key: Annotated[str, typer.Argument(help="The key's id, or the part after 'duly_' with which it begins.")],
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Revoke a key: its next request is refused. What it did stays."""
    surroundings.join(data_dir)
    try:
        revoked = asyncio.run(_revoke(key))
    except LookupError as error:
        fail(str(error))
    typer.echo(f"{revoked} is revoked")


async def _create(label: str, scopes: Sequence[Scope]) -> NewKey:
    at = datetime.now(UTC)
    async with staff_database() as database, database.begin("apikey_create") as tx:
        made = await api_keys.create(tx, label=label, scopes=set(scopes), by="duly apikey", at=at)
        facts = {"label": label, "scopes": " ".join(sorted(set(scopes)))}
        await access_log.note(tx, Act(actor="duly apikey", action="api_key_created", object_id=made.id, facts=facts), at=at)
    return made


async def _list() -> Sequence[KeyLine]:
    async with staff_database() as database, database.begin("apikey_list") as tx:
        return await api_keys.listed(tx)


async def _revoke(key: str) -> str:
    at = datetime.now(UTC)
    async with staff_database() as database, database.begin("apikey_revoke") as tx:
        revoked = await api_keys.revoke(tx, key, at=at)
        if revoked is None:
            raise LookupError(f"no key that is open has the id or beginning {key}")
        await access_log.note(tx, Act(actor="duly apikey", action="api_key_revoked", object_id=revoked), at=at)
    return revoked
