"""No activity, commit or call that moves something is without fault points, so the crash drill can forget none."""

import ast
from pathlib import Path
from typing import Final

import pytest

import worker
from launch.drill.points import EXCUSED, points_in, written
from tests.house.points import calls_without_points, nameless_commits

ROOT: Final = Path(__file__).parents[2]
DOING: Final = sorted((ROOT / "activities").glob("*.py"))
COMMITTING: Final = [*DOING, *sorted((ROOT / "api").rglob("*.py")), ROOT / "wiring.py"]
OTHERS: Final = {"store/database.py", "store/provision.py"}
"""The only files that may commit by themselves: the one place with the points, and the making of the tables."""


@pytest.mark.parametrize("file", COMMITTING, ids=lambda file: file.name)
def test_every_transaction_has_a_name_for_its_points(file: Path) -> None:
    assert list(nameless_commits(ast.parse(file.read_text()))) == []


@pytest.mark.parametrize("file", DOING, ids=lambda file: file.name)
def test_every_call_that_moves_something_has_points_around_it(file: Path) -> None:
    assert list(calls_without_points(ast.parse(file.read_text()))) == []


def test_only_the_database_module_opens_transactions() -> None:
    for file in sorted((ROOT / "store").rglob("*.py")):
        path = str(file.relative_to(ROOT))
        if path not in OTHERS and "migrations" not in path:
            tree = ast.parse(file.read_text())
            opened = [
                node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr in {"begin", "commit"}
            ]
            assert opened == [], path


def test_every_activity_is_run_by_the_worker_that_puts_points_around_it() -> None:
    points = [point for file in DOING for point in points_in(ast.parse(file.read_text()))]
    defined = {point.removesuffix(".before") for point in points if point.endswith(".before")}
    functions = {
        node.name: node for node in ast.parse(Path(worker.__file__).read_text()).body if isinstance(node, ast.FunctionDef)
    }
    listing = functions["activities"]
    poured_in = [
        node.value.func.id
        for node in ast.walk(listing)
        if isinstance(node, ast.Starred) and isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name)
    ]
    listings = [listing, *(functions[name] for name in poured_in)]
    run = {node.attr for each in listings for node in ast.walk(each) if isinstance(node, ast.Attribute)}
    assert defined <= run
    assert "interceptors=[FaultPoints()]" in Path(worker.__file__).read_text()


def test_what_the_drill_leaves_out_exists() -> None:
    assert set(EXCUSED) <= set(written())
    assert len(written()) > 80


@pytest.mark.parametrize(
    "text",
    [
        "async def act(self):\n    async with self._database.begin(name) as tx: ...\n",
        "async def act(self):\n    async with self._database.engine.begin() as tx: ...\n",
    ],
)
def test_a_commit_without_points_is_seen(text: str) -> None:
    assert list(nameless_commits(ast.parse(text)))


SENDS_BY_ANOTHER = """
class A:
    async def _send(self):
        await erp.post_payment(document)

    async def act(self):
        await self._send()
"""


@pytest.mark.parametrize(
    "text",
    [
        "async def act(self):\n    await self._providers.charges(x).charge(order)\n",
        "async def act(self):\n    await self._mail.send(message)\n",
        "async def act(self):\n    await faults.reach('x.before_send')\n    await erp.post_payment(document)\n",
        SENDS_BY_ANOTHER,
    ],
)
def test_a_call_without_points_is_seen(text: str) -> None:
    assert list(calls_without_points(ast.parse(text)))
