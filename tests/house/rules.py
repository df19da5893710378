"""The rules of the house that no linter has, each with an example that must break it.

A rule looks at one file and says what is wrong, line by line. `tests/house/test_tidy.py` runs every rule over every
file, and over its own example, so that a rule that cannot fail is found out.
"""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

FILE_LINES_MAX: Final = 450
TEMPLATE_LINES_MAX: Final = 250
FUNCTION_LINES_MAX: Final = 70

MONEY_ROOMS: Final = frozenset({"domain", "store", "connectors", "activities", "workflows", "api"})
ROOMS: Final = MONEY_ROOMS | {"launch", "duly", "simulators"}

Fault = tuple[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file of the repository; `path` is relative to its root. `tree` is None where it is not Python."""

    path: PurePosixPath
    text: str
    tree: ast.Module | None

    @classmethod
    def read(cls, path: str, text: str) -> "Source":
        return cls(path=PurePosixPath(path), text=text, tree=ast.parse(text) if path.endswith(".py") else None)

    @property
    def room(self) -> str:
        """The first folder, or the file's own name at the root."""
        return self.path.parts[0]

    def nodes(self) -> Iterator[ast.AST]:
        return ast.walk(self.tree) if self.tree is not None else iter(())


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What is looked for, and an example (`path`, `text`) that breaks it."""

    name: str
    find: Callable[[Source], Iterator[Fault]]
    example: tuple[str, str]


def long_file(source: Source) -> Iterator[Fault]:
    lines = source.text.count("\n")
    limit = TEMPLATE_LINES_MAX if source.path.suffix == ".html" else FILE_LINES_MAX
    if source.path.suffix in {".py", ".html"} and lines > limit:
        yield lines, f"{lines} lines; one can hold {limit} in the head"


def long_function(source: Source) -> Iterator[Fault]:
    for node in source.nodes():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield node.lineno, f"{node.name} has {lines} lines; {FUNCTION_LINES_MAX} fit a screen"


def drawer(source: Source) -> Iterator[Fault]:
    for part in source.path.with_suffix("").parts:
        if part in {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"}:
            yield 1, f"'{part}' is a drawer; say what lives in it"


def package_under_tests(source: Source) -> Iterator[Fault]:
    if source.room == "tests" and source.path.name == "__init__.py":
        yield 1, "a package under tests/ shadows the room of the same name"


def no_docstring(source: Source) -> Iterator[Fault]:
    if source.tree is not None and source.tree.body and ast.get_docstring(source.tree) is None:
        yield 1, "say at the top what lives here"


def left_undone(source: Source) -> Iterator[Fault]:
    for number, line in _lines(source):
        if re.search(r"\b(TODO|FIXME|HACK)\b", line):
            yield number, "do it, or file an issue"
    for node in source.nodes():
        if isinstance(node, ast.Name) and node.id == "NotImplementedError":
            yield node.lineno, "claim only what you can do: leave the method out"


def swallowed(source: Source) -> Iterator[Fault]:
    for node in source.nodes():
        if isinstance(node, ast.ExceptHandler) and _catches_everything(node) and _does_nothing(node):
            yield node.lineno, "name what you expect; let bugs fall"
        if isinstance(node, ast.Call) and _called(node) == "suppress":
            for argument in node.args:
                if isinstance(argument, ast.Name) and argument.id in {"Exception", "BaseException"}:
                    yield node.lineno, "name what you expect; let bugs fall"


def patched(source: Source) -> Iterator[Fault]:
    """A fake stands behind HTTP; nothing of ours is replaced from inside."""
    for node in source.nodes():
        if isinstance(node, ast.Import | ast.ImportFrom) and any("mock" in name.split(".") for name in _imported(node)):
            yield node.lineno, "a simulator that passes the conformance kit instead of a mock"
        if isinstance(node, ast.Attribute) and _dotted(node) == "monkeypatch.setattr":
            yield node.lineno, "pass the part in instead of patching it"


def inexact_money(source: Source) -> Iterator[Fault]:
    """Amounts are integers of minor units. A float may say how many seconds: then its name ends with the unit."""
    if source.room not in MONEY_ROOMS or str(source.path) in {"domain/money.py", "store/faults.py"}:
        return
    allowed = set(_annotations_of_durations(source))
    for node in source.nodes():
        if isinstance(node, ast.Name) and node.id in {"float", "Decimal"} and node not in allowed:
            yield node.lineno, f"{node.id} outside domain/money.py"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "round":
            yield node.lineno, "round() outside domain/money.py"
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and _is_power_of_ten(node.right):
            yield node.lineno, "a currency's exponent is not always 2: ask domain/money.py"


def told_time_and_chance(source: Source) -> Iterator[Fault]:
    """The domain is told the time and the ids, and so are workflows (Temporal's own clock aside)."""
    if source.room not in {"domain", "workflows"}:
        return
    for node in source.nodes():
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            dotted = _dotted(node.func)
            if node.func.attr in {"now", "utcnow", "today", "uuid1", "uuid4", "monotonic"} and dotted != "workflow.now":
                yield node.lineno, f"{dotted}() is not the same at the next replay: pass it in"
        if isinstance(node, ast.Import | ast.ImportFrom):
            for name in _imported(node):
                if name.split(".")[0] in {"random", "secrets", "time", "os", "uuid"}:
                    yield node.lineno, f"{name}: the domain is told the time and the ids"


def database_clock(source: Source) -> Iterator[Fault]:
    """Business time is passed in: tests move it."""
    if source.room != "store":
        return
    clock = re.compile(r"\bnow\(\)|\bcurrent_timestamp\b|\bclock_timestamp\(|\bcurrent_date\b", re.IGNORECASE)
    for node in source.nodes():
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or _is_docstring(source, node):
            continue
        if clock.search(node.value):
            yield node.lineno, "business time is a parameter, never the database's clock"


def commit_outside_store(source: Source) -> Iterator[Fault]:
    if source.room in {"store", "simulators", "tests"}:
        return
    for node in source.nodes():
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "commit":
            yield node.lineno, "the edge opens a transaction; only store/ commits it"


def environment_read(source: Source) -> Iterator[Fault]:
    if source.room in {"settings.py", "launch", "simulators", "tests", "bench"}:
        return
    for node in source.nodes():
        if isinstance(node, ast.Attribute) and _dotted(node) in {"os.environ", "os.getenv"}:
            yield node.lineno, "settings.py is the only reader of the environment"


def vendors_word(source: Source) -> Iterator[Fault]:
    if source.room not in {"domain", "store", "activities", "workflows", "api"} or source.path.suffix != ".py":
        return
    for number, line in _lines(source):
        if found := re.search(r"stripe|adyen|gocardless", line, re.IGNORECASE):
            yield number, f"'{found[0]}': a vendor's word stays in its folder"


def outside_address(source: Source) -> Iterator[Fault]:
    """Files hold names, versions and hashes; where packages come from is the machine's business."""
    for number, line in _lines(source):
        if re.search(r"pypi\.org|pythonhosted|registry\.npm|npmjs\.|npmmirror", line):
            yield number, "a registry's address"


def address_in_a_lock(source: Source) -> Iterator[Fault]:
    """Not of a registry only: a lock file holds no address at all."""
    if source.path.suffix == ".lock" or source.path.name == "package-lock.json":
        for number, line in _lines(source):
            if "://" in line:
                yield number, "an address in a lock file"


def _lines(source: Source) -> Iterator[Fault]:
    """Its lines, numbered. This very file is all examples of what may not be written."""
    if str(source.path) != "tests/house/rules.py":
        yield from enumerate(source.text.splitlines(), start=1)


def _catches_everything(handler: ast.ExceptHandler) -> bool:
    return handler.type is None or (isinstance(handler.type, ast.Name) and handler.type.id in {"Exception", "BaseException"})


def _does_nothing(handler: ast.ExceptHandler) -> bool:
    return all(
        isinstance(step, ast.Pass | ast.Continue) or (isinstance(step, ast.Expr) and isinstance(step.value, ast.Constant))
        for step in handler.body
    )


def _called(call: ast.Call) -> str:
    return _dotted(call.func).rsplit(".", maxsplit=1)[-1]


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "…"


def _imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [f"{node.module or ''}.{alias.name}" for alias in node.names]


def _annotations_of_durations(source: Source) -> Iterator[ast.AST]:
    for node in source.nodes():
        name, annotation = None, None
        if isinstance(node, ast.arg):
            name, annotation = node.arg, node.annotation
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name, annotation = node.target.id, node.annotation
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            name, annotation = node.name, node.returns
        if name is not None and annotation is not None and name.endswith(("_seconds", "_ms")):
            yield from ast.walk(annotation)


def _is_power_of_ten(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value in {10, 100, 1000}


def _is_docstring(source: Source, constant: ast.Constant) -> bool:
    return any(
        isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
        and node.body[0].value is constant
        for node in source.nodes()
    )


RULES: Final = (
    Rule(name="files fit the head", find=long_file, example=("api/page.html", "<p>\n" * (TEMPLATE_LINES_MAX + 1))),
    Rule(
        name="functions fit a screen",
        find=long_function,
        example=("domain/long.py", "def long() -> None:\n" + "    pass\n" * FUNCTION_LINES_MAX),
    ),
    Rule(name="no drawers", find=drawer, example=("store/utils.py", "")),
    Rule(name="no packages under tests", find=package_under_tests, example=("tests/store/__init__.py", "")),
    Rule(name="modules say what lives in them", find=no_docstring, example=("store/mute.py", "x = 1\n")),
    Rule(name="nothing is left undone", find=left_undone, example=("api/later.py", "# TODO: later\n")),
    Rule(
        name="nothing is swallowed",
        find=swallowed,
        example=("api/quiet.py", "try:\n    act()\nexcept Exception:\n    pass\n"),
    ),
    Rule(name="nothing is patched", find=patched, example=("tests/api/test_x.py", "from unittest.mock import MagicMock\n")),
    Rule(name="money is exact", find=inexact_money, example=("api/total.py", "total = minor / 100\n")),
    Rule(
        name="time and chance are passed in",
        find=told_time_and_chance,
        example=("domain/late.py", "late = due < datetime.now(UTC)\n"),
    ),
    Rule(
        name="the database's clock is not asked",
        find=database_clock,
        example=("store/due.py", 'SQL = "SELECT 1 WHERE due_at < now()"\n'),
    ),
    Rule(name="only store commits", find=commit_outside_store, example=("activities/pay.py", "tx.commit()\n")),
    Rule(name="one reader of the environment", find=environment_read, example=("api/x.py", 'key = os.environ["KEY"]\n')),
    Rule(name="a vendor's word stays in its folder", find=vendors_word, example=("workflows/x.py", "# as Stripe does\n")),
    Rule(
        name="no address in a lock file",
        find=address_in_a_lock,
        example=("package-lock.json", '"url": "https://fund.example"\n'),
    ),
    Rule(name="no registry's address", find=outside_address, example=("x.lock", "https://pypi.org/simple\n")),
)
