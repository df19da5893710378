"""Break every guard once and see a test fail: `python -m tests.mutants [--only NAME …] [--report FILE] [--json FILE]`.

One copy of the tree is made in a temporary folder, sharing this virtual environment; each mutant is applied there, its
tests are run, and it is undone. A mutant that no test sees has survived, and the status is 1.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.mutants.mutant import Mutant
from tests.mutants.table import MUTANTS

ROOT = Path(__file__).parents[2]
UNTRACKED = ("api/static/vendor",)
"""What `make assets` puts there and pages need."""
LENT = ".venv-tryton"
"""What `make tryton` puts there; no mutant changes it, and it is large."""
TEST_SECONDS_MAX = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of a mutant: killed, survived, or invalid (its tests did not even begin)."""

    name: str
    why: str
    verdict: str
    seconds: int
    seen_by: str


def copy_of_the_tree(folder: Path) -> Path:
    """Every file that is committed or about to be, and what pages need."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    copy = folder / "duly"
    for path in sorted(set(listed.stdout.splitlines())):
        if (ROOT / path).is_file():
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, copy / path)
    for path in UNTRACKED:
        if (ROOT / path).is_dir():
            shutil.copytree(ROOT / path, copy / path, dirs_exist_ok=True)
    if (ROOT / LENT).is_dir():
        (copy / LENT).symlink_to(ROOT / LENT)
    return copy


def judged(mutant: Mutant, copy: Path) -> Result:
    """Apply it, run its tests, undo it."""
    before = {file: (copy / file).read_text() for file, _, _ in mutant.edits}
    began = time.monotonic()
    try:
        for file, old, new in mutant.edits:
            text = (copy / file).read_text()
            if text.count(old) != 1:
                raise SystemExit(f"{mutant.name}: its text occurs {text.count(old)} times in {file}")
            (copy / file).write_text(text.replace(old, new))
        verdict, seen_by = tested(mutant, copy)
    finally:
        for file, text in before.items():
            (copy / file).write_text(text)
    return Result(name=mutant.name, why=mutant.why, verdict=verdict, seconds=int(time.monotonic() - began), seen_by=seen_by)


def tested(mutant: Mutant, copy: Path) -> tuple[str, str]:
    """(verdict, the first test that failed)."""
    # The copy comes before the editable installation, here and in every program that a test starts.
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--tb=line", "-rf", *mutant.tests],
            cwd=copy, env=environment, capture_output=True, text=True, timeout=TEST_SECONDS_MAX, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "invalid", f"not over after {TEST_SECONDS_MAX} s"
    failed = re.search(r"^FAILED (\S+)", run.stdout, re.MULTILINE)
    if run.returncode == 1 and failed is not None:
        return "killed", failed[1].rpartition("::")[2]
    if run.returncode == 0:
        return "survived", ""
    return "invalid", (run.stdout.strip().splitlines() or run.stderr.strip().splitlines() or ["no output"])[-1]


def report(results: list[Result]) -> str:
    """The table, in Markdown."""
    killed = sum(each.verdict == "killed" for each in results)
    lines = [
        "# Mutants",
        "",
        f"`make mutants`: {len(results)} guards were taken away, one at a time; a test turned red for {killed} of them.",
        "",
        "| guard | without it | verdict | seen by |",
        "|---|---|---|---|",
    ]
    lines += [f"| {each.name} | {each.why} | {each.verdict} | {each.seen_by} |" for each in results]
    return "\n".join(lines) + "\n"


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--only", nargs="*", default=None, help="names of mutants")
    parser.add_argument("--report", type=Path, default=None, help="write the table to a file (Markdown)")
    parser.add_argument("--json", type=Path, default=None, help="write the results to a file; those in it are not run again")
    given = parser.parse_args()
    known = json.loads(given.json.read_text()) if given.json is not None and given.json.exists() else []
    results = [Result(**each) for each in known if each["verdict"] == "killed"]
    done = {each.name for each in results}
    with tempfile.TemporaryDirectory(prefix="duly-mutants-") as folder:
        copy = copy_of_the_tree(Path(folder))
        for mutant in MUTANTS:
            if mutant.name in done or (given.only is not None and mutant.name not in given.only):
                continue
            results.append(judged(mutant, copy))
            last = results[-1]
            print(f"{last.verdict:9} {last.seconds:4} s  {last.name}: {last.seen_by}", flush=True)
            if given.json is not None:
                given.json.write_text(json.dumps([asdict(each) for each in results], indent=2) + "\n")
    if given.report is not None:
        given.report.write_text(report(results))
    alive = [each.name for each in results if each.verdict != "killed"]
    print(
        f"{len(results)} mutants, {len(results) - len(alive)} killed"
        + (f"; not killed: {', '.join(alive)}" if alive else "")
    )
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main())
