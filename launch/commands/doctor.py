"""`duly doctor`: what this process is told, and whether everything around it answers."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import typer
from pydantic import SecretStr, ValidationError
from rich.console import Console
from rich.table import Table

import settings
from launch import surroundings
from launch.commands.options import DEFAULT_DATA_DIR, DataDir
from launch.health import failure_of_database, failure_of_temporal, failure_over_http, failure_over_tcp


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """One neighbour and the question to it, which answers None or what is wrong."""

    name: str
    ask: Callable[[], str | None]


def register(app: typer.Typer) -> None:
    app.command()(doctor)


def doctor(data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Show the settings without their secrets, and ask every neighbour whether it is well."""
    console = Console(highlight=False)
    surroundings.join(data_dir)
    try:
        current = settings.current()
    except ValidationError as error:
        console.print("[bold red]The settings break a rule:[/]")
        for broken in error.errors():
            console.print(f"  {'.'.join(map(str, broken['loc'])) or 'settings'}: {broken['msg']}", markup=False)
        raise typer.Exit(2) from None
    console.print(_settings_table(current))
    failures = 0
    for ping in pings(current):
        started = time.monotonic()
        problem = ping.ask()
        took_ms = (time.monotonic() - started) * 1000
        failures += problem is not None
        console.print(f"{'✓' if problem is None else '✗'} {ping.name:<10} {took_ms:6.0f} ms  {problem or ''}", markup=False)
    if failures:
        raise typer.Exit(1)


def redacted(value: object) -> str:
    """A setting as it may be read over a shoulder: of a secret, only whether it is set."""
    if isinstance(value, SecretStr):
        return "(set)" if value.get_secret_value() else "(empty)"
    return "(not set)" if value is None else str(value)


def pings(current: settings.Settings) -> list[Ping]:
    """The neighbours that are configured, each with its question."""
    databases = {
        "portal db": current.portal_database_url,
        "worker db": current.worker_database_url,
        "staff db": current.staff_database_url,
    }
    asked = [Ping(name=name, ask=_ask_database(url)) for name, url in databases.items()]
    asked.append(
        Ping(
            name="temporal",
            ask=lambda: asyncio.run(failure_of_temporal(current.temporal_address, current.temporal_namespace)),
        )
    )
    pages = {"api": current.base_url, "provider": current.provider_url, "erp": current.erp_url, "mail": current.mail_url}
    asked += [Ping(name=name, ask=_ask_page(url)) for name, url in pages.items() if url is not None]
    asked.append(Ping(name="smtp", ask=lambda: failure_over_tcp(current.smtp_host, current.smtp_port)))
    return asked


def _ask_database(url: SecretStr | None) -> Callable[[], str | None]:
    if url is None:
        return lambda: "no address is set"
    return lambda: asyncio.run(failure_of_database(url.get_secret_value()))


def _ask_page(url: str) -> Callable[[], str | None]:
    return lambda: failure_over_http(f"{url}/health")


def _settings_table(current: settings.Settings) -> Table:
    table = Table("setting", "value", box=None, pad_edge=False)
    for name in type(current).model_fields:
        table.add_row(f"DULY_{name.upper()}", redacted(getattr(current, name)))
    return table
