"""The folder of days' files passes the kit as far as it can be asked: what it lacks is declared and counted."""

from pathlib import Path

import pytest

from connectors.conformance.erp import ErpConformance
from connectors.conformance.erp_refunds import ErpRefunding
from tests.connectors.csv.harness import FolderHarness


@pytest.fixture
def harness(tmp_path: Path) -> FolderHarness:
    folder = tmp_path / "export"
    folder.mkdir()
    return FolderHarness(folder)


class TestDayBooks(ErpConformance, ErpRefunding):
    """It is written to, and looked up in."""
