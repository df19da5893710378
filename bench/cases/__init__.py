"""The cases, one file each, found by their names: `p01_record_payment.py` holds `CASE`, whose id is P1."""

from importlib import import_module
from pathlib import Path

from bench.case import Case


def all_cases() -> list[Case]:
    """Every case of this folder, by number. Raises ValueError for a file whose case has another id than its name."""
    found: list[Case] = []
    for file in sorted(Path(__file__).parent.glob("p[0-9][0-9]_*.py")):
        case: Case = import_module(f"bench.cases.{file.stem}").CASE
        if case.id != f"P{int(file.stem[1:3])}":
            raise ValueError(f"{file.name} holds {case.id}")
        found.append(case)
    return found
