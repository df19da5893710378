"""`duly` loads what the asked command needs, and every command when none of them is asked for."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

import cli


@pytest.mark.parametrize("asked", ["up", "info"])
def test_a_command_does_not_wait_for_the_libraries_of_the_others(asked: str) -> None:
    code = (
        f"import sys, cli; cli.application({asked!r}); "
        "print(*sorted({'sqlalchemy', 'httpx', 'temporalio', 'openpyxl', 'fastapi', 'settings'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert told.stdout.split() == []


def test_a_command_that_is_loaded_alone_keeps_its_name() -> None:
    told = CliRunner().invoke(cli.application("info"), ["--help"]).stdout
    assert "COMMAND" in told
    assert "info" in told.split()
    assert "up" not in told.split()


@pytest.mark.parametrize("asked", [None, "--help", "import", "no-such-command"])
def test_without_a_module_of_that_name_every_command_is_there(asked: str | None) -> None:
    told = CliRunner().invoke(cli.application(asked), ["--help"]).stdout.split()
    assert {"up", "worker", "import", "settings"} <= set(told)
