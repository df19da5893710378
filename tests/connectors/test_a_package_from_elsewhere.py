"""A package that Duly has never heard of adds a provider: installed, found by its entry point, and put to the same suite."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "packages" / "riverbank"
LOOK = """
import json
from connectors.registry import payment_connectors
found = payment_connectors()
from duly_riverbank import __file__ as place
settings = [(each.name, each.is_secret) for each in found["riverbank"].settings]
print(json.dumps({"names": sorted(found), "settings": settings, "place": place}))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where it was installed, and nothing else is; its sources are a copy, so that building it leaves nothing here."""
    room = tmp_path_factory.mktemp("elsewhere")
    shutil.copytree(PACKAGE, room / "sources")
    install = ("pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--no-index")
    python("-m", *install, "--target", str(room / "installed"), str(room / "sources"))
    return room / "installed"


def python(*arguments: str, path: Path | None = None, cwd: Path | None = None) -> str:
    """What a Python of its own says, to which a folder was added; it must end well."""
    environment = {**os.environ, **({} if path is None else {"PYTHONPATH": str(path)})}
    ran = subprocess.run([sys.executable, *arguments], env=environment, cwd=cwd, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_an_installed_package_is_found_with_the_settings_that_staff_must_give_it(installed: Path) -> None:
    found = json.loads(python("-c", LOOK, path=installed))
    assert {"riverbank", "sandbox"} <= set(found["names"])
    assert found["settings"] == [["api_key", True], ["webhook_secret", True]]
    assert Path(found["place"]).is_relative_to(installed)


def test_it_passes_the_same_suite_against_its_own_far_side(installed: Path) -> None:
    told = python("-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", path=installed, cwd=installed.parent / "sources")
    counted = re.search(r"(\d+) passed, (\d+) skipped", told)
    assert counted is not None, told
    assert int(counted[1]) >= 95
    left_out = [line for line in told.splitlines() if line.startswith("SKIPPED")]
    assert left_out
    assert [line for line in left_out if ": left out: " not in line] == []


def test_it_is_written_against_the_public_face_and_nothing_behind_it() -> None:
    allowed = {"duly_riverbank.py": {"duly.deliveries", "duly.payments"}, "riverbank_far_side.py": set()}
    for file in PACKAGE.glob("*.py"):
        tree = ast.parse(file.read_text())
        used = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        used |= {each.name for node in ast.walk(tree) if isinstance(node, ast.Import) for each in node.names}
        ours = {name for name in used if name.split(".")[0] in {"duly", "connectors", "domain", "tests", "simulators"}}
        assert ours == allowed.get(file.name, {"duly.conformance", "duly.payments"}), file.name
