"""Lets a command join a machine that `duly up` runs: what its data folder knows becomes the environment.

A variable that is set already wins, so a production deployment needs no folder at all.
"""

import os
from pathlib import Path

from launch.data_folder import DataFolder
from launch.machine import Machine


def join(data_dir: Path) -> bool:
    """Complete the environment from the folder. False where nothing was ever started in it; nothing is made there."""
    folder = DataFolder(data_dir)
    if not (folder.path / "info.json").exists():
        return False
    for name, text in Machine.prepare(folder, port=None).environment().items():
        os.environ.setdefault(name, text)
    return True
