"""One row of the drill: what died where, whether that is proven, and what was counted afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.markup import escape
from rich.table import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`dies` is worker, api, temporal, postgres, reply (of a commit) or what a far side did. `counts` are figures by
    name; `wrong` says in a sentence what is not as promised, '' when all is well.
    """

    process: str
    point: str
    dies: str
    landed: bool
    counts: Mapping[str, int]
    back_after_seconds: float | None
    wrong: str = ""

    @property
    def holds(self) -> bool:
        """Proven and right."""
        return self.landed and not self.wrong

    @property
    def name(self) -> str:
        """What `--only` is compared with: 'pay with a saved card/charge.after/worker'."""
        return f"{self.process}/{self.point}/{self.dies}"


def figures(counts: Mapping[str, int]) -> str:
    """'charges 1, payments 1, holds 0'."""
    return ", ".join(f"{name.replace('_', ' ')} {number}" for name, number in counts.items())


def as_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """For machines."""
    return [{**asdict(row), "counts": dict(row.counts), "holds": row.holds} for row in rows]


def table_of(rows: Sequence[Row]) -> Table:
    """For people: one row for each kill."""
    table = Table("", "process", "point", "dies", "landed", "counted", "back after", box=None, pad_edge=False)
    for row in rows:
        mark = "[green]✓[/]" if row.holds else "[bold red]✗[/]"
        back = "" if row.back_after_seconds is None else f"{row.back_after_seconds:.1f} s"
        counted = figures(row.counts) if not row.wrong else f"[red]{escape(row.wrong)}[/]"
        table.add_row(mark, row.process, row.point, row.dies, "yes" if row.landed else "[red]no[/]", counted, back)
    return table


def summary_of(rows: Sequence[Row]) -> Table:
    """One line for each process and what died in it: kills, how many are wrong, how soon it was back at work."""
    table = Table("", "process", "dies", "kills", "wrong", "counted each time", "back after: median, most", box=None)
    for process, dies in dict.fromkeys((row.process, row.dies) for row in rows):
        mine = [row for row in rows if (row.process, row.dies) == (process, dies)]
        wrong = [row for row in mine if not row.holds]
        backs = sorted(row.back_after_seconds for row in mine if row.back_after_seconds is not None)
        back = f"{backs[len(backs) // 2]:.1f} s, {backs[-1]:.1f} s" if backs else ""
        mark = "[green]✓[/]" if not wrong else "[bold red]✗[/]"
        counted = " or ".join(dict.fromkeys(figures(row.counts) for row in mine))
        table.add_row(mark, process, dies, str(len(mine)), str(len(wrong)), counted, back)
    return table
