"""What people read about Duly is compared with Duly: paths, names, commands, settings, rules, examples."""

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import pytest
import typer.main

import cli
from api import problems
from connectors.files import Problem, Read, open_export
from connectors.files.layouts import LAYOUTS, plain
from domain.business import BusinessSettings
from domain.refusals import RULES, Refusal
from tests.house import pages
from tests.house.api_page import api_page
from tests.house.rules import ROOMS

ROOT: Final = Path(__file__).parents[2]
WRITTEN: Final = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
MADE_LATER: Final = {".duly/demo"}  # what running Duly makes
HEADINGS: Final = ["Context", "Decision", "Consequences", "Considered"]
TERMS: Final = """
    Invoice, Credit note, Payment, Payment method, Mandate, Allocation, Hold, Unapplied, Refund, Return, Dispute, Settlement,
    Payout, Remittance, Statement, Apply request, Posting, Journal entry, Journal line, Refusal, Unknown, Snapshot,
    Difference
"""

_QUOTED: Final = re.compile(r"`([^`\n]+)`")
_PATH: Final = re.compile(r"[\w.-]+(?:/[\w.-]+)+/?|[\w-]+/|[\w-]+\.(?:py|md|toml|yml|lock|json)|Dockerfile|Makefile")
_NAME: Final = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?)(\(\))?")


def paths_in(text: str) -> list[str]:
    """What is quoted and looks like a path of the repository."""
    return [quoted for quoted in _QUOTED.findall(text) if _PATH.fullmatch(quoted) and quoted not in MADE_LATER]


def links_in(text: str) -> list[str]:
    """Where links and pictures lead, outside addresses and anchors aside."""
    return [target for target in re.findall(r"\]\(([^)#]+)", text) if not target.startswith("http")]


@lru_cache
def names_in(path: str) -> frozenset[str]:
    """What a file defines: functions and classes with their methods, constants; of other files, every word."""
    text = (ROOT / path).read_text()
    if not path.endswith(".py"):
        return frozenset(re.findall(r"\w+", text))
    return frozenset(_defined(ast.parse(text)))


def _defined(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
        elif isinstance(node, ast.ClassDef):
            yield node.name
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield f"{node.name}.{inner.name}"


def lies_about_names(text: str) -> list[str]:
    """Names that their file does not have. A name belongs to the path right before it; a `name()` to the last path."""
    lies = []
    for paragraph in text.split("\n\n"):
        path, ended_at = None, -1
        for match in _QUOTED.finditer(paragraph):
            follows = paragraph[ended_at : match.start()].strip(" \n,") == ""
            if _PATH.fullmatch(match[1]):
                path = match[1] if (ROOT / match[1]).is_file() else None
            elif path is not None and (found := _NAME.fullmatch(match[1])):
                lies += [f"{path} has no {found[1]}"] if (follows or found[2]) and found[1] not in names_in(path) else []
            ended_at = match.end()
    return lies


def commands(command: Any, name: str = "duly") -> Iterator[str]:
    """Every command that does something, as it is typed."""
    if hasattr(command, "commands"):
        for word, inner in command.commands.items():
            yield from commands(inner, f"{name} {word}")
    else:
        yield name


def commands_in(text: str) -> set[str]:
    return set(re.findall(r"^\| `(duly [a-z ]+)` \|", text, re.MULTILINE))


def duly() -> Any:
    return typer.main.get_command(cli.application())


# ---------------------------------------------------------------- paths and names


@pytest.mark.parametrize("document", WRITTEN, ids=lambda path: path.name)
def test_every_path_that_a_document_names_exists(document: Path) -> None:
    text = document.read_text()
    assert [path for path in paths_in(text) if not (ROOT / path).exists()] == []
    assert [link for link in links_in(text) if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", WRITTEN, ids=lambda path: path.name)
def test_every_name_that_a_document_gives_a_file_is_there(document: Path) -> None:
    assert lies_about_names(document.read_text()) == []


def test_the_tour_names_enough_to_follow_it() -> None:
    tour = (ROOT / "docs" / "tour.md").read_text()
    named = [quoted for quoted in _QUOTED.findall(tour) if not _PATH.fullmatch(quoted) and _NAME.fullmatch(quoted)]
    assert len(named) > 30
    assert len(set(paths_in(tour))) > 25
    rooms = {path.split("/")[0] for path in paths_in(tour)}
    assert {"domain", "store", "connectors", "activities", "workflows", "api"} <= rooms


def test_a_document_that_lies_is_seen() -> None:
    assert lies_about_names("`domain/money.py` `Money.split()` and `Money.share()`") == [
        "domain/money.py has no Money.share"
    ]
    assert paths_in("`store/money.py` and `a word` and `.duly/demo`") == ["store/money.py"]
    assert links_in("[here](docs/absent.md) and [there](https://example.org)") == ["docs/absent.md"]


def test_make_targets_that_documents_name_exist() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for document in WRITTEN:
        named = set(re.findall(r"`make ([a-z-]+)", document.read_text()))
        assert named <= targets, document


# ---------------------------------------------------------------- README


def test_the_readme_lists_every_command_and_no_other() -> None:
    readme = (ROOT / "README.md").read_text()
    assert commands_in(readme) == set(commands(duly()))


@pytest.mark.parametrize("document", WRITTEN, ids=lambda path: path.name)
def test_options_that_documents_give_a_command_exist(document: Path) -> None:
    known = {option for path in commands(duly()) for option in _options(path)}
    for line in document.read_text().splitlines():
        if "duly " in line:
            assert set(re.findall(r"`(--[a-z-]+)", line)) <= known, line


def _options(path: str) -> Iterator[str]:
    command = duly()
    for word in path.split()[1:]:
        command = command.commands[word]
    for parameter in command.params:
        yield from parameter.opts


def test_the_map_of_the_house_shows_every_room() -> None:
    shown = set(re.findall(r"^\| `([a-z]+)/` \|", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert shown == set(ROOMS) | {"tests", "docs"} | {room for room in ("workflows", "bench") if (ROOT / room).is_dir()}


# ---------------------------------------------------------------- made from code


def test_the_page_of_business_settings_is_made_from_them() -> None:
    assert (ROOT / "docs" / "business-settings.md").read_text() == pages.business_settings_page(), "run `make docs`"


def test_every_business_setting_is_explained_and_nothing_else() -> None:
    assert list(pages.BUSINESS_WORDS) == [each.name for each in fields(BusinessSettings)]


def test_the_page_of_rules_is_made_from_them() -> None:
    assert (ROOT / "docs" / "reference" / "rules.md").read_text() == pages.rules_page(), "run `make docs`"


def test_the_page_of_the_json_api_is_made_from_it() -> None:
    assert (ROOT / "docs" / "reference" / "api.md").read_text() == api_page(), "run `make docs`"


def test_every_rule_has_the_anchor_that_a_problem_names() -> None:
    page = (ROOT / "docs" / "reference" / "rules.md").read_text()
    path, _, anchor = problems.told(Refusal(rule="invoice_paid"), instance="/v1/payments")["type"].partition("#")
    assert (ROOT / f"{path.removeprefix('/')}.md").is_file()
    assert f'<a id="{anchor}"></a>`invoice_paid`' in page
    assert set(re.findall(r'<a id="(\w+)"></a>', page)) == set(RULES)


def test_the_how_to_lists_the_rules_of_files() -> None:
    page = (ROOT / "docs" / "how-to" / "import.md").read_text()
    assert page == pages.with_file_rules(page), "run `make docs`"


def test_every_kind_of_difference_stands_on_its_page() -> None:
    page = (ROOT / "docs" / "operations" / "differences.md").read_text()
    assert page == pages.with_differences(page), "run `make docs`"


# ---------------------------------------------------------------- importing


def test_the_examples_of_the_how_to_can_be_imported(tmp_path: Path) -> None:
    examples = re.findall(r"```csv\n(.*?)```", (ROOT / "docs" / "how-to" / "import.md").read_text(), re.DOTALL)
    assert len(examples) == 2
    for example in examples:
        file = tmp_path / "example.csv"
        file.write_text(example)
        opened = open_export(file)
        found = list(opened.read(opened.count(None), currency=None))
        assert [each for each in found if isinstance(each, Problem)] == []
        assert sum(isinstance(each, Read) for each in found) == example.count("\n") - 1


def test_the_how_to_names_every_column_that_is_needed() -> None:
    page = plain((ROOT / "docs" / "how-to" / "import.md").read_text())
    for layout in LAYOUTS:
        lacking = [name for name in layout.required if not any(heading in page for heading in layout.columns[name])]
        assert lacking == [], layout.name


# ---------------------------------------------------------------- words and decisions


def test_the_glossary_has_the_fields_words_in_order() -> None:
    headings = re.findall(r"^### (.+)$", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)
    assert headings == sorted(headings)
    assert {term.strip() for term in TERMS.split(",")} <= set(headings)


@pytest.mark.parametrize("decision", sorted((ROOT / "docs" / "decisions").glob("*.md")), ids=lambda path: path.stem)
def test_a_decision_is_short_and_says_what_else_was_considered(decision: Path) -> None:
    text = decision.read_text()
    assert len(text.splitlines()) <= 60
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = [int(path.stem[:4]) for path in sorted((ROOT / "docs" / "decisions").glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))
