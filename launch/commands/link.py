"""`duly link`: a portal link for one customer, to open or to hand over."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer

import settings as configuration
from domain.refusals import Refused
from launch import surroundings
from launch.commands.opening import fail, staff_database
from launch.commands.options import DEFAULT_DATA_DIR, DataDir
from store import access, access_log, business
from store.access_log import Act


def register(app: typer.Typer) -> None:
    app.command()(link)


def link(
    customer: Annotated[str, typer.Argument(help="The customer's number or id.")],
    invoice: Annotated[str | None, typer.Option(help="The id of an invoice to open first.")] = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Print a portal link for a customer. It opens the whole account: treat it like a key."""
    surroundings.join(data_dir)
    try:
        typer.echo(asyncio.run(_create(customer, invoice)))
    except (LookupError, Refused) as error:
        fail(str(error))


async def _create(who: str, invoice_id: str | None) -> str:
    at = datetime.now(UTC)
    async with staff_database() as database, database.begin("create_link") as tx:
        customer_id = await access.customer_for(tx, who)
        if customer_id is None:
            raise LookupError(f"there is no customer with the number or id {who}")
        chosen = await business.load(tx)
        made = await access.create_link(tx, customer_id, by="duly link", at=at, days=chosen.link_days, invoice_id=invoice_id)
        act = Act(actor="duly link", action="link_created", customer_id=customer_id, object_id=made.id)
        await access_log.note(tx, act, at=at)
    return f"{configuration.Settings().base_url}/l/{made.token}"
