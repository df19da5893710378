"""`duly staff`: who may sign in to the staff pages."""

import asyncio
import secrets
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from api.security import passwords
from launch import surroundings
from launch.commands.opening import fail, staff_database
from launch.commands.options import DEFAULT_DATA_DIR, DataDir
from store import access_log, staff_accounts
from store.access_log import Act
from store.staff_accounts import Role

commands = typer.Typer(no_args_is_help=True, help="Who may sign in to the staff pages.")


class RoleName(StrEnum):
    """The roles as they are typed; each may do what those before may."""

    VIEWER = "viewer"
    AGENT = "agent"
    APPROVER = "approver"
    ADMIN = "admin"


def register(app: typer.Typer) -> None:
    app.add_typer(commands, name="staff")


@commands.callback()
def staff() -> None:
    """Who may sign in to the staff pages. (With a single command, Typer would swallow its name.)"""


@commands.command("add")
def add(
    email: Annotated[str, typer.Argument(help="The address to sign in with.")],
    name: Annotated[str, typer.Option(help="How colleagues know them.")],
    role: Annotated[RoleName, typer.Option(help="What they may do.")] = RoleName.VIEWER,
    ask: Annotated[
        bool, typer.Option("--ask/--generate", help="Ask for the password, or make one and show it once.")
    ] = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Add a member of staff. The password is generated and shown this once, unless it is asked for."""
    surroundings.join(data_dir)
    if "@" not in email or email != email.strip():
        fail(f"{email!r} is not an e-mail address")
    password = typer.prompt("Password", hide_input=True, confirmation_prompt=True) if ask else secrets.token_urlsafe(15)
    try:
        hashed = passwords.hashed(password)
        added = asyncio.run(_add(email, name, Role.named(role.value), hashed))
    except (LookupError, ValueError) as error:
        fail(str(error))
    if not added:
        fail(f"{email} is a member of staff already")
    typer.echo(f"{email} may sign in as {role.value}")
    if not ask:
        typer.echo(f"password: {password}")


async def _add(email: str, name: str, role: Role, hashed: str) -> bool:
    at = datetime.now(UTC)
    async with staff_database() as database, database.begin("staff_add") as tx:
        staff_id = await staff_accounts.add(tx, email=email, name=name, role=role, password_hash=hashed, at=at)
        if staff_id is None:
            return False
        act = Act(actor="duly staff", action="staff_added", object_id=staff_id, facts={"role": role.word})
        await access_log.note(tx, act, at=at)
    return True
