"""Style is executed, not preached: every rule over every file, and every rule over an example that must break it."""

import subprocess
from functools import lru_cache
from pathlib import Path
from typing import Final

import pytest

from tests.house.rules import RULES, Rule, Source

ROOT: Final = Path(__file__).parents[2]
READ: Final = {".py", ".html", ".toml", ".lock", ".json", ".yml", ".md", ".txt", ".cfg", ""}


@lru_cache(maxsize=1)
def repository() -> tuple[Source, ...]:
    """Every text file that is committed or about to be."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    paths = [path for path in sorted(set(listed)) if (ROOT / path).is_file() and Path(path).suffix in READ]
    return tuple(Source.read(path, (ROOT / path).read_text()) for path in paths)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_the_house_keeps_its_rules(rule: Rule) -> None:
    faults = [f"{source.path}:{line}: {fault}" for source in repository() for line, fault in rule.find(source)]
    assert not faults, "\n".join(["", *faults])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_each_rule_can_be_broken(rule: Rule) -> None:
    path, text = rule.example
    assert list(rule.find(Source.read(path, text)))


def test_the_rules_read_the_whole_house() -> None:
    rooms = {source.room for source in repository()}
    assert {"domain", "store", "connectors", "launch", "simulators", "tests", "cli.py", "settings.py"} <= rooms


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("workflows/pay.py", "deadline = workflow.now() + ttl\n"),
        ("domain/money.py", "amount = Decimal(text)\n"),
        ("connectors/erp/demo/client.py", "def wait(timeout_seconds: float = 5) -> None: ...\n"),
        ("store/due.py", '"""Nothing here asks now()."""\n'),
    ],
)
def test_what_the_rules_allow_stays_allowed(path: str, text: str) -> None:
    source = Source.read(path, text)
    broken = [rule.name for rule in RULES if rule.name != "modules say what lives in them" and list(rule.find(source))]
    assert broken == []
