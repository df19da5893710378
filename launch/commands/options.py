"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

DataDir = Annotated[
    Path,
    typer.Option(
        "--data-dir",
        envvar="DULY_DATA_DIR",
        help="The folder of the machine that `duly up` runs. Variables that are set already win over what it says.",
    ),
]
DEFAULT_DATA_DIR = Path(".duly/demo")
