"""What the documents must agree with, as functions of plain text."""

import re
import tomllib
from collections.abc import Iterable


def version_of_project(pyproject: str) -> str:
    version: str = tomllib.loads(pyproject)["project"]["version"]
    return version


def newest_version_in(changelog: str) -> str:
    """The version of the first second-level heading."""
    found = re.search(r"^## \[?v?(\d+\.\d+\.\d+)", changelog, re.MULTILINE)
    return found[1] if found else ""


def settings_headings(page: str) -> list[str]:
    return re.findall(r"^### `(DULY_[A-Z_]+)`", page, re.MULTILINE)


def settings_page(settings: Iterable[tuple[str, str, str]]) -> str:
    """docs/settings.md, from (name, default, description) of each setting."""
    parts = [
        "# Settings",
        "",
        "What one process is told about its surroundings, by environment variables.",
        "`duly up` makes all of them by itself; a deployment sets them (`docker-compose.yml`). `duly doctor` shows them.",
        "",
        "What a business decides (limits, texts, who may do what) is not here but in the database: `duly settings`.",
        "",
        "This page is made from `settings.py` by `make docs`; a test compares them.",
        "",
    ]
    for name, default, description in settings:
        parts += [f"### `{name}`", "", f"{description} Default: {default}.", ""]
    return "\n".join(parts)


def targets_without_help(makefile: str) -> list[str]:
    """Phony targets that `make help` would not list."""
    declared = set(re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE))
    explained = set(re.findall(r"^([a-z][a-z-]*):[^=\n]*## ", makefile, re.MULTILINE))
    return sorted(declared - explained)


def unlocked_lines(lock: str) -> list[str]:
    """Requirements of a lock file that have no hash."""
    requirements = re.split(r"\n(?=\S)", lock.strip())
    return [lines.splitlines()[0] for lines in requirements if not re.search(r"--hash=sha256:[0-9a-f]{64}", lines)]
