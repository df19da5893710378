"""A comparison is exported, and a script that knows nothing of Duly comes to the same end; whatever is changed shows."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path
from typing import Final

import wiring
from launch.drill.ground import settings_of
from launch.exporting import export
from tests.processes.house import House, until
from tests.processes.test_reconciling import act, compared, paid

SCRIPT: Final = Path(__file__).parents[2] / "docs" / "how-to" / "recompute.py"


def recomputed(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-I", str(SCRIPT), str(folder)], capture_output=True, text=True, check=False)


def test_the_script_knows_nothing_of_duly_and_fits_on_a_page() -> None:
    text = SCRIPT.read_text()
    assert text.count("\n") <= 50
    assert {line.split()[1] for line in text.splitlines() if line.startswith(("import ", "from "))} == {
        "csv", "hashlib", "sys", "collections", "pathlib",
    }  # fmt: skip


async def exported(house: House, folder: Path) -> Path:
    """Every file, in a folder that is there."""
    connected = wiring.connections_of(settings_of(house.machine), house.admin)
    done = await export(house.admin, connected.by_connection, folder, tell=lambda _: None)
    assert done.problems == ()
    return folder


async def is_read(house: House, payment: str) -> None:
    async def there() -> bool:
        return bool(
            await house.rows("SELECT 1 FROM erp_payments WHERE reference = :ref AND stands", ref=f"{payment}-captured")
        )

    await until(there, what="the document's coming back")


async def test_what_is_equal_is_recomputed_as_equal_and_whatever_is_changed_shows(house: House, tmp_path: Path) -> None:
    payment, customer, _ = await paid(house, 3_000, 4_500)
    await is_read(house, payment)
    await compared(house)
    folder = await exported(house, tmp_path)
    ours = [row for row in csv.DictReader((folder / "payments.csv").open(newline="")) if row["payment"] == payment]
    assert [(row["amount"], row["posting"], row["customer"]) for row in ours] == [("7500", "confirmed", customer)]
    told = recomputed(folder)
    # Other tests of this house left differences of their own: none of them is this payment's, and every seal holds.
    assert payment not in told.stderr
    assert "seal" not in told.stderr
    assert "balance" not in told.stderr

    for name, old, new in (
        ("charges.csv", ",captured,7500,", ",captured,7400,"),
        ("documents.csv", ",yes,7500,", ",no,7500,"),
        ("journal.csv", ",7500\n", ",7501\n"),
    ):
        file = folder / name
        text = file.read_text()
        lines = [
            line.replace(old, new) if payment in line else line
            for line in text.replace("\r\n", "\n").splitlines(keepends=True)
        ]
        assert lines != text.replace("\r\n", "\n").splitlines(keepends=True), name
        file.write_text("".join(lines))
        changed = recomputed(folder)
        assert changed.returncode == 1
        assert payment in changed.stderr or "seal" in changed.stderr, name
        file.write_text(text)


async def test_a_difference_that_duly_tells_is_recomputed_too(house: House, tmp_path: Path) -> None:
    payment, _, _ = await paid(house, 2_100)
    await act(house, "delete_payment", reference=f"{payment}-captured")
    await compared(house)
    folder = await exported(house, tmp_path)
    open_there = {row["item"] for row in csv.DictReader((folder / "differences.csv").open(newline=""))}
    assert f"{payment}-captured" in open_there
    assert f"{payment}-captured: 0 documents in the ERP, 1 held" in recomputed(folder).stderr
