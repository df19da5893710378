"""The page of connectors and traps, made from the marks of the tests and the lists of what a vendor has not."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from tests.connectors.traps import APPLIES_TO, Trap

ROOT: Final = Path(__file__).parents[2]
INTRODUCTION: Final = """# Traps of ERPs, and what closes them

Each way in which an ERP's API makes an honest client wrong, and for each connector the test that walks into it naively,
counts the harm, and shows that the connector does none; or why that vendor has not the trap. They run against simulators:
the page of each connector says what it was run against.

This page is made from the tests by `make docs`; a test refuses an empty cell.
"""

Cells = Mapping[Trap, str]


def connectors() -> list[str]:
    """The connectors of the table that there are."""
    return [name for name in APPLIES_TO if (ROOT / "connectors" / "erp" / name).is_dir()]


def cells(connector: str) -> Cells:
    """What closes each trap of one connector, in Markdown."""
    found: dict[Trap, list[str]] = {}
    for file in sorted((ROOT / "tests" / "connectors" / connector).glob("*.py")):
        tree = ast.parse(file.read_text())
        for trap, reason in _absent(tree):
            found.setdefault(trap, []).append(f"has it not: {reason}")
        for name, trap in _marked(tree):
            found.setdefault(trap, []).append(f"`{name}`")
    return {trap: "<br>".join(dict.fromkeys(told)) for trap, told in found.items()}


def traps_page() -> str:
    """docs/reference/erp-traps.md."""
    columns = {name: cells(name) for name in connectors()}
    parts = [INTRODUCTION]
    for trap in Trap:
        rows = [f"| {name.replace('_', ' ')} | {column.get(trap, '')} |" for name, column in columns.items()]
        title = trap.name.replace("_", " ").capitalize()
        parts.append("\n".join([f"## {title}", "", trap.value, "", "| Connector | Closed by |", "|---|---|", *rows, ""]))
    return "\n".join(parts)


def _marked(tree: ast.Module) -> Iterator[tuple[str, Trap]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Name) and mark.func.id == "trap":
                    yield from ((node.name, Trap[each.attr]) for each in mark.args if isinstance(each, ast.Attribute))


def _absent(tree: ast.Module) -> Iterator[tuple[Trap, str]]:
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == "ABSENT":
            assert isinstance(node.value, ast.Dict)
            for key, value in zip(node.value.keys, node.value.values, strict=True):
                assert isinstance(key, ast.Attribute)
                yield Trap[key.attr], str(ast.literal_eval(value))
