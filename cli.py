"""`duly`: everything that people do with Duly from a terminal. Each command is a module in `launch/commands/`."""

import importlib
import pkgutil
import sys

import typer

from launch import commands


def application(asked: str | None = None) -> typer.Typer:
    """Every command; or the one that was asked for, alone: each brings libraries that the others do not wait for."""
    app = typer.Typer(
        name="duly",
        help="Invoices, paid and booked.",
        no_args_is_help=True,
        pretty_exceptions_show_locals=False,  # they hold secrets
    )
    app.callback()(_nothing)  # so that a single command keeps its name
    modules = [module.name for module in pkgutil.iter_modules(commands.__path__)]
    for name in [asked] if asked in modules else modules:
        command = importlib.import_module(f"{commands.__name__}.{name}")
        if hasattr(command, "register"):
            command.register(app)
    return app


def main() -> None:
    """What a terminal starts."""
    application(sys.argv[1] if len(sys.argv) > 1 else None)()


def _nothing() -> None:
    pass


if __name__ == "__main__":
    main()
