"""Imports point down and never up: `lint-imports` says so, and would say otherwise if they did not."""

import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
ROOMS: Final = ("activities", "api", "connectors", "domain", "duly", "launch", "simulators", "store", "workflows")

# One import each that breaks the contract of that name.
BREAKS: Final = {
    "Imports point down and never up": ("domain/planted_upward.py", "import store"),
    "The rooms do not know the composition roots": ("store/planted_root.py", "import settings"),
    "Only the factory of the API knows how it is wired": ("api/planted_wiring.py", "import wiring"),
    "Simulators are programs of their own": ("simulators/planted_shared.py", "import domain"),
    "Nobody reaches a simulator except over the wire": ("connectors/planted_simulator.py", "import simulators"),
    "The face for plug-ins shows ports and domain values": ("duly/planted_house.py", "import store"),
    "Only store knows the database": ("api/planted_database.py", "import sqlalchemy"),
    "Only the connector to Temporal knows Temporal": ("connectors/mail/planted_temporal.py", "import temporalio"),
    "Providers do not know each other": (
        "connectors/payments/planted/__init__.py",
        "import connectors.payments.sandbox",
    ),
}


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sysconfig.get_path("scripts")) / "lint-imports"), "--no-cache", "--no-logo"]
    return subprocess.run(command, cwd=root, check=False, capture_output=True, text=True, env={"PATH": "", "COLUMNS": "200"})


def test_imports_point_down() -> None:
    linted = lint_imports(ROOT)
    assert linted.returncode == 0, linted.stdout


def test_each_contract_can_be_broken(tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for room in ROOMS:
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("vendor", "__pycache__"))
    for planted, line in BREAKS.values():
        (tmp_path / planted).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / planted).write_text(f"{line}\n")
    linted = lint_imports(tmp_path)
    assert linted.returncode == 1
    for contract in BREAKS:
        verdict = next(line for line in linted.stdout.splitlines() if line.startswith(contract))
        assert " BROKEN" in verdict, verdict
