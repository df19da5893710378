"""Runs one machine's surroundings without Duly itself: `python -m tests.launch.ground DATA_DIR FIRST_PORT`."""

import sys
from pathlib import Path

from rich.console import Console

from launch.commands.up import run
from launch.data_folder import DataFolder
from launch.machine import Machine, private_files
from launch.program import Program


class Ground(Machine):
    """Everything that Duly stands on, and nobody who stands there."""

    def ourselves(self) -> list[Program]:
        return []


if __name__ == "__main__":
    folder = DataFolder(Path(sys.argv[1]))
    folder.make()
    with folder.held(), private_files():
        run(Ground.prepare(folder, port=int(sys.argv[2])), Console(width=200))
