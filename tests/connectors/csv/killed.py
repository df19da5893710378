"""`python -m tests.connectors.csv.killed FOLDER STEP NUMBER`: writes ten documents and is killed, hard, at a step of one."""

import os
import signal
import sys
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path
from typing import Final

from connectors.erp.csv import Days
from connectors.erp.csv.rows import Entry
from domain.money import Money

REFERENCES: Final = tuple(f"pay_{number:026d}-captured" for number in range(10))


def entry_of(reference: str) -> Entry:
    """A payment over two invoices, with a rest."""
    parts = (("csv:INV-1", Money.of(100, "USD")), ("csv:INV-2", Money.of(250, "USD")))
    return Entry(
        reference=reference,
        kind="payment",
        on=date(2026, 3, 16),
        customer="csv:C-1",
        lines=parts,
        rest=Money.of(50, "USD"),
        amount=Money.of(400, "USD"),
        key=reference,
        of="",
        method="Visa ending 4242",
        memo="Duly",
    )


def main(folder: str, step: str, number: int) -> None:
    """Write until that step is reached for the so-many-th time."""
    seen = count(1)

    def at(name: str) -> None:
        if name == step and next(seen) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    days = Days(Path(folder), lambda: datetime(2026, 3, 16, 12, tzinfo=UTC), step=at)
    for reference in REFERENCES:
        days.write(entry_of(reference), lambda: None)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
