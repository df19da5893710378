"""A package that Duly has never heard of adds a provider: installed, found by its entry point, and put to the same suite."""

import ast
import asyncio
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from store.staff_accounts import Role
from tests import machine
from tests.api.house import absent_temporal, open_house, submit

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


@pytest.mark.long
def test_it_passes_the_same_suite_against_its_own_far_side(installed: Path) -> None:
    told = python("-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", path=installed, cwd=installed.parent / "sources")
    counted = re.search(r"(\d+) passed, (\d+) skipped", told)
    assert counted is not None, told
    assert int(counted[1]) >= 95
    left_out = [line for line in told.splitlines() if line.startswith("SKIPPED")]
    assert left_out
    assert [line for line in left_out if ": left out: " not in line] == []


async def test_staff_connect_it_on_their_pages_and_customers_are_offered_it(
    installed: Path, database: machine.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of Duly knows its name: the form is made of its settings, and its far side is asked about the key."""
    monkeypatch.syspath_prepend(str(installed))
    monkeypatch.syspath_prepend(str(installed.parent / "sources"))
    there = importlib.import_module("riverbank_far_side")
    far_side = there.FarSide()
    server = await asyncio.start_server(far_side.serve, "127.0.0.1", 0)
    far_side.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    typed: dict[str, Any] = {
        "id": "river",
        "title": "By the river",
        "kind": ["card"],
        "currencies": "EUR",
        "preferred": ["card"],
    }
    secrets = {"secret.api_key": there.API_KEY, "secret.webhook_secret": there.SECRETS[0]}
    raw = json.dumps({"id": "evt1", "about": "payment", "at": "2026-11-22T12:00:00+00:00", "reference": "pay_x"}).encode()
    async with open_house(database, await absent_temporal(), addresses={"riverbank": far_side.url}) as house:
        admin = await house.staff_browser(Role.ADMIN)
        customer = house.accounts.customer("Acme", currency="EUR")
        visitor = await house.customer_browser(customer)
        assert "Riverbank" in (await admin.get("/staff/connections")).text
        new = "/staff/connections/new/riverbank"
        assert "room 2" in (await admin.get(new)).text
        made = await submit(admin, new, new, **typed, **secrets)
        assert made.headers["location"] == "/staff/connections/river?done=made", made.text
        signed = there.sign(raw, house.clock(), there.SECRETS[0])
        assert (await house.browser().post("/webhooks/river", content=raw, headers=signed)).status_code == 202
        assert (await house.browser().post("/webhooks/river", content=raw + b" ", headers=signed)).status_code == 400
        on = await submit(admin, "/staff/connections/river", "/staff/connections/river/switch", on="yes")
        assert on.headers["location"] == "/staff/connections/river?done=on", on.text
        assert "Add a method" in (await visitor.get("/methods")).text
    server.close()


def test_it_is_written_against_the_public_face_and_nothing_behind_it() -> None:
    allowed = {"duly_riverbank.py": {"duly.deliveries", "duly.payments"}, "riverbank_far_side.py": set()}
    for file in PACKAGE.glob("*.py"):
        tree = ast.parse(file.read_text())
        used = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        used |= {each.name for node in ast.walk(tree) if isinstance(node, ast.Import) for each in node.names}
        ours = {name for name in used if name.split(".")[0] in {"duly", "connectors", "domain", "tests", "simulators"}}
        assert ours == allowed.get(file.name, {"duly.conformance", "duly.payments"}), file.name
