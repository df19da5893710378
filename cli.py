"""`duly`: everything that people do with Duly from a terminal. Each command is a module in `launch/commands/`."""

import importlib
import pkgutil

import typer

from launch import commands

app = typer.Typer(
    name="duly",
    help="Invoices, paid and booked.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # they hold secrets
)

for _module in pkgutil.iter_modules(commands.__path__):
    _command = importlib.import_module(f"{commands.__name__}.{_module.name}")
    if hasattr(_command, "register"):
        _command.register(app)

if __name__ == "__main__":
    app()
