"""`duly sync`: how the reading of each ERP is getting on, and how far a first load is."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from launch import surroundings
from launch.commands.opening import fail, staff_database
from launch.commands.options import DEFAULT_DATA_DIR, DataDir
from store.views import staff_reading as views
from store.views.staff_reading import ErpLine, StreamLine

_LOOK_EVERY_SECONDS = 2


def register(app: typer.Typer) -> None:
    app.command("sync")(sync)


def sync(
    follow: Annotated[bool, typer.Option("--follow", help="Look again until every first load is over.")] = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Show what is read of each ERP: rows so far, last success, last error, next try. Ends with 1 while something fails."""
    surroundings.join(data_dir)
    try:
        found = asyncio.run(_looked(follow=follow))
    except LookupError as error:
        fail(str(error))
    if any(each.last_error for _, lines in found for each in lines):
        raise typer.Exit(1)


Found = Sequence[tuple[ErpLine, Sequence[StreamLine]]]


async def _looked(*, follow: bool) -> Found:
    console = Console(highlight=False)
    async with staff_database() as database:
        while True:
            async with database.begin("sync_command") as tx:
                found = [(each, await views.streams(tx, each.id)) for each in await views.erps(tx)]
            console.print(_table(found))
            is_loading = any(each.loaded_at is None for erp, lines in found if erp.enabled for each in lines)
            if not follow or not is_loading:
                return found
            await asyncio.sleep(_LOOK_EVERY_SECONDS)


def _table(found: Found) -> Table:
    table = Table("ERP", "stream", "rows", "last success", "last error", "next try", box=None)
    for erp, lines in found:
        for each in lines:
            rows = f"{each.rows_read:,}" + (f" of {each.expected:,} ({each.percent} %)" if each.percent is not None else "")
            table.add_row(
                erp.id if erp.enabled else f"{erp.id} (off)",
                each.entity,
                rows,
                _moment(each.last_ok_at),
                each.last_error or "",
                _moment(each.next_try_at) if each.last_error else "",
            )
    return table


def _moment(at: datetime | None) -> str:
    return "never" if at is None else f"{at:%Y-%m-%d %H:%M:%S} UTC"
