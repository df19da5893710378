"""`duly migrate`: make a database ready, before a new version's first process starts."""

import typer
from rich.console import Console

import settings
from launch import surroundings
from launch.commands.options import DEFAULT_DATA_DIR, DataDir


def register(app: typer.Typer) -> None:
    app.command()(migrate)


def migrate(data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Create the database's roles where they are missing, with the passwords of the settings, and run the migrations."""
    from store import provision

    surroundings.join(data_dir)
    current = settings.current()
    console = Console(highlight=False)
    if current.admin_database_url is None:
        console.print("DULY_ADMIN_DATABASE_URL is not set: migrating needs a role that may create roles.")
        raise typer.Exit(2)
    with console.status("Migrating"):
        provision.prepare_now(current.admin_database_url.get_secret_value(), passwords(current))
    console.print("The database is ready.")


def passwords(current: settings.Settings) -> dict[str, str]:
    """Role → password, as the addresses of the settings have them."""
    from sqlalchemy.engine import make_url

    addresses = (current.portal_database_url, current.worker_database_url, current.staff_database_url)
    urls = [make_url(address.get_secret_value()) for address in addresses if address is not None]
    return {url.username: url.password for url in urls if url.username is not None and url.password is not None}
