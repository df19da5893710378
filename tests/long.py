"""`make test-long`: everything that is too long for `make test`, part by part, with a dated table as its evidence.

What has held at this commit is not done again, so it may be interrupted and taken up. `PARTS` is the list. Two parts run
at a time: drills mostly wait for what they killed, and the simulation and the mutants compute.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from launch.drill.crash import CROWDS
from launch.drill.points import EXCUSED, written

ROOT: Final = Path(__file__).parents[1]
STATE: Final = ROOT / ".duly" / "test-long.json"
EVIDENCE: Final = ROOT / "docs" / "evidence"
SEED: Final = 20_261_125

LOGS: Final = ROOT / ".duly" / "test-long"
MISSED: Final = "--missed-points"
LANES: Final = 2

Figure = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One command; `figure` makes the table's words of what it printed, `seed` stands in the table."""

    name: str
    command: Sequence[str]
    figure: Figure
    seed: int | None = None
    reads_the_others: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How a part went."""

    figure: str
    seconds: int
    holds: bool
    finished_at: str


def passed(output: str) -> str:
    """'21 passed' of pytest's last line."""
    found = re.findall(r"(\d+ (?:passed|failed|errors?|skipped))", output)
    return ", ".join(dict.fromkeys(found[-3:])) or "nothing ran"


def drilled(output: str) -> str:
    """'146 kills, 0 wrong; back at work after 4.8 s (median), 12.1 s (most)' of the drill's JSON."""
    try:
        facts = json.loads(output)
    except ValueError:
        return "no answer"
    rows = facts["rows"]
    backs = sorted(row["back_after_seconds"] for row in rows if row["dies"] == "worker" and row["back_after_seconds"])
    back = (
        f"; a worker's work goes on after {backs[len(backs) // 2]:.1f} s (median), {backs[-1]:.1f} s (most)" if backs else ""
    )
    broken = sum(not each["holds"] for each in facts["invariants"])
    wrong = sum(not row["holds"] for row in rows)
    missed = f"; {len(facts['missed'])} points missed" if facts["missed"] else ""
    return f"{len(rows)} rows, {wrong} wrong; {len(facts['invariants'])} invariants, {broken} broken{missed}{back}"


def played(output: str) -> str:
    """'723 seeds, 47,400 operations, 31,530 faults, none fails' of the simulation's last line."""
    try:
        facts = json.loads(last_line(output))
    except ValueError:
        return "no answer"
    failing = "; ".join(f"seed {each['seed']} fails: {each['broken']}" for each in facts["failing"]) or "none fails"
    return f"{facts['seeds']:,} seeds, {facts['operations']:,} operations, {facts['faults']:,} faults; {failing}"


def last_line(output: str) -> str:
    """What a command says at its end."""
    return next(reversed(output.strip().splitlines()), "nothing")


def pytest(*selection: str) -> Sequence[str]:
    """A selection of the long tests."""
    return (sys.executable, "-m", "pytest", "-q", "-n", "2", "-m", "long", *selection)


def drill(*options: str) -> Sequence[str]:
    """The crash drill, or a part of it."""
    return (sys.executable, "-m", "cli", "drill", "crash", "--json", "--seed", str(SEED), *options)


# The longest first, or one lane would stand idle at the end.
PARTS: Final = (
    Part(
        name="simulation, half an hour",
        command=(sys.executable, "-m", "tests.simulation.soak", "--seed", "0", "--minutes", "30"),
        figure=played,
        seed=0,
    ),
    *(
        Part(name=f"crash drill: {names}", command=drill("--only", f"{names}/*"), figure=drilled, seed=SEED)
        for names in CROWDS
    ),
    Part(
        name="crash drill: two APIs and four workers, one coming and going",
        command=drill("--only", "pay with a saved card/*/worker", "--apis", "2", "--workers", "3", "--restless"),
        figure=drilled,
        seed=SEED,
    ),
    Part(name="mutants", command=(sys.executable, "-m", "tests.mutants"), figure=last_line),
    Part(name="tests that are long", command=pytest("--deselect", "tests/processes/test_races.py"), figure=passed),
    Part(name="races, 2 to 64 wide", command=pytest("tests/processes/test_races.py"), figure=passed),
    Part(
        name="crash drill: every point of the source",
        command=(sys.executable, "-m", "tests.long", MISSED),
        figure=str.strip,
        reads_the_others=True,
    ),
)


def missed_points() -> Sequence[str]:
    """Points of the source that no drill died at and nothing excuses."""
    met: set[str] = set()
    for output in LOGS.glob("crash-drill-*.out"):
        try:
            met |= {row["point"] for row in json.loads(output.read_text())["rows"] if row["landed"]}
        except ValueError:
            continue  # that part says itself that it failed
    return sorted(set(written()) - met - set(EXCUSED))


def commit() -> str:
    """The commit that is tested; with a mark where files differ from it."""
    head = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], cwd=ROOT, check=True, capture_output=True, text=True)
    status = ["git", "status", "--porcelain", "--", ".", ":!docs/evidence"]
    changed = subprocess.run(status, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
    return head.stdout.strip() + (" and changes" if changed else "")


def kept(at_commit: str) -> dict[str, Done]:
    """What was done at this commit. Changes that are not committed are nobody's evidence: they start over."""
    if not STATE.exists() or at_commit.endswith("changes"):
        return {}
    facts: Mapping[str, Any] = json.loads(STATE.read_text())
    return {name: Done(**done) for name, done in facts["parts"].items()} if facts["commit"] == at_commit else {}


def keep(at_commit: str, done: Mapping[str, Done]) -> None:
    """After each part, so that an interruption loses one part at most."""
    STATE.parent.mkdir(exist_ok=True)
    draft = STATE.with_suffix(".new")
    draft.write_text(
        json.dumps({"commit": at_commit, "parts": {name: asdict(each) for name, each in done.items()}}, indent=2)
    )
    draft.rename(STATE)


def run(part: Part) -> Done:
    """Let it run; what it says goes to .duly/test-long/, for whoever must find out."""
    log = LOGS / f"{re.sub('[^a-z0-9]+', '-', part.name.lower())}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with log.open("w") as errors:
        ran = subprocess.run(part.command, cwd=ROOT, check=False, stdout=subprocess.PIPE, stderr=errors, text=True)
    log.with_suffix(".out").write_text(ran.stdout)
    return Done(
        figure=part.figure(ran.stdout),
        seconds=round(time.monotonic() - started),
        holds=ran.returncode == 0,
        finished_at=datetime.now(UTC).isoformat(timespec="minutes"),
    )


def page(at_commit: str, done: Mapping[str, Done], parts: Sequence[Part] = PARTS) -> str:
    """The evidence, as a document."""
    lines = [
        "# The long tests",
        "",
        f"Written by `make test-long` at commit {at_commit}. Times are this machine's and prove nothing about another.",
        "",
        "| part | seed | figure | seconds | verdict | finished (UTC) |",
        "|---|---|---|---|---|---|",
    ]
    for part in parts:
        each = done.get(part.name)
        seed = "" if part.seed is None else str(part.seed)
        if each is None:
            lines.append(f"| {part.name} | {seed} | not done | | | |")
        else:
            verdict = "holds" if each.holds else "**does not hold**"
            lines.append(f"| {part.name} | {seed} | {each.figure} | {each.seconds} | {verdict} | {each.finished_at[:16]} |")
    return "\n".join([*lines, ""])


def main(names: Sequence[str]) -> int:
    """Do the parts (or those whose name contains one of `names`), and write the table after each."""
    at_commit = commit()
    done = kept(at_commit)
    EVIDENCE.mkdir(exist_ok=True)
    evidence = EVIDENCE / f"{datetime.now(UTC).date().isoformat()}-test-long.md"
    chosen = [part for part in PARTS if not names or any(name in part.name for name in names)]
    left = [part for part in chosen if part.name not in done or not done[part.name].holds]
    for part in chosen:
        if part not in left:
            print(f"{part.name}: held at this commit already")
    for together in (
        [part for part in left if not part.reads_the_others],
        [part for part in left if part.reads_the_others],
    ):
        with ThreadPoolExecutor(LANES) as lanes:
            running = {lanes.submit(run, part): part for part in together}
            for ended in as_completed(running):
                part = running[ended]
                done[part.name] = ended.result()
                verdict = "holds" if done[part.name].holds else "DOES NOT HOLD"
                print(f"{part.name}: {verdict}: {done[part.name].figure} ({done[part.name].seconds} s)", flush=True)
                keep(at_commit, done)
                evidence.write_text(page(at_commit, done))
    return 0 if all(part.name in done and done[part.name].holds for part in chosen) else 1


if __name__ == "__main__":
    if sys.argv[1:] == [MISSED]:
        found = missed_points()
        print(
            f"{len(written())} points, {len(EXCUSED)} excused, {len(found)} missed{': ' if found else ''}{', '.join(found)}"
        )
        sys.exit(1 if found else 0)
    sys.exit(main(sys.argv[1:]))
