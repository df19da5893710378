"""The documents fail the build when they lie."""

import json
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from settings import Settings
from tests.house import documents

ROOT: Final = Path(__file__).parents[2]
LOCKS: Final = tuple(f"requirements{kind}.lock" for kind in ("", "-dev", "-bench", "-node", "-tryton"))


def read(name: str) -> str:
    return (ROOT / name).read_text()


def settings_facts() -> list[tuple[str, str, str]]:
    return [
        (f"DULY_{name.upper()}", default_of(field.get_default()), field.description or "")
        for name, field in Settings.model_fields.items()
    ]


def default_of(value: Any) -> str:
    assert value is not PydanticUndefined
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    return "none" if value in (None, "") else f"`{value}`"


def test_the_changelog_begins_with_the_version_of_the_project() -> None:
    assert documents.newest_version_in(read("CHANGELOG.md")) == documents.version_of_project(read("pyproject.toml"))


def test_a_changelog_that_lags_behind_is_seen() -> None:
    assert documents.newest_version_in("# Changelog\n\n## 0.0.9\n\n## 0.0.8\n") == "0.0.9"


def test_the_settings_page_is_made_from_the_settings() -> None:
    assert read("docs/settings.md") == documents.settings_page(settings_facts()), "run `make docs`"


def test_every_setting_says_what_it_is_for() -> None:
    assert [name for name, _, description in settings_facts() if len(description) < 10] == []
    assert documents.settings_headings(read("docs/settings.md")) == [name for name, _, _ in settings_facts()]


def test_make_help_lists_every_target() -> None:
    assert documents.targets_without_help(read("Makefile")) == []
    assert documents.targets_without_help(".PHONY: mute\nmute:\n\ttrue\n") == ["mute"]


@pytest.mark.parametrize("lock", LOCKS)
def test_everything_is_locked_with_hashes(lock: str) -> None:
    assert documents.unlocked_lines(read(lock)) == []


def test_a_requirement_without_a_hash_is_seen() -> None:
    digest = "0" * 64
    assert documents.unlocked_lines(f"good==1 \\\n    --hash=sha256:{digest}\nbad==2\n") == ["bad==2"]


def test_the_image_has_the_versions_that_tests_ran_with() -> None:
    tested = set(read("requirements-dev.lock").splitlines())
    assert set(read("requirements.lock").splitlines()) <= tested


def test_the_bench_measures_the_versions_that_tests_ran_with_and_only_it_has_the_peers() -> None:
    tested, measured = (set(read(f"requirements-{name}.lock").splitlines()) for name in ("dev", "bench"))
    assert tested <= measured
    assert any(line.startswith("dbos==") for line in measured - tested)


def test_packages_from_npm_are_locked_with_hashes_and_without_addresses() -> None:
    packages = {name: facts for name, facts in json.loads(read("package-lock.json"))["packages"].items() if name}
    assert packages
    assert [name for name, facts in packages.items() if "integrity" not in facts or "resolved" in facts] == []
