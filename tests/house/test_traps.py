"""Every trap of every ERP connector is closed by a test, or that vendor has it not."""

from pathlib import Path
from typing import Final

from tests.connectors.traps import Trap
from tests.house.traps_page import cells, connectors, traps_page

PAGE: Final = Path(__file__).parents[2] / "docs" / "reference" / "erp-traps.md"


def test_the_page_is_made_from_the_tests() -> None:
    assert PAGE.read_text() == traps_page(), "run `make docs`"


def test_no_cell_is_empty() -> None:
    empty = [f"{connector}: {trap.name}" for connector in connectors() for trap in Trap if not cells(connector).get(trap)]
    assert empty == []
