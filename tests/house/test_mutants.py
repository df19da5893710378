"""The table of mutants fits the house: each text that it takes away is there, once, and each test that it names exists."""

import re
from pathlib import Path

import pytest

from tests.mutants.mutant import Mutant
from tests.mutants.table import MUTANTS

ROOT = Path(__file__).parents[2]
KIT = ROOT / "connectors" / "conformance"


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_what_a_mutant_takes_away_is_there_once(mutant: Mutant) -> None:
    for file, old, new in mutant.edits:
        assert (ROOT / file).read_text().count(old) == 1, f"{file}: {old!r}"
        assert old != new
    for node in mutant.tests:
        file, _, name = node.partition("[")[0].partition("::")
        text = (ROOT / file).read_text()
        if "::" in name:
            # A class that takes its tests from the kit: they are written there.
            kit, _, name = name.partition("::")
            assert f"class {kit}(" in text, f"there is no {kit} in {file}"
            text = "\n".join(part.read_text().replace("    async def ", "async def ") for part in KIT.glob("*.py"))
        assert not name or re.search(rf"^(async )?def {name}\(", text, re.MULTILINE), f"there is no {node}"


def test_every_mutant_has_a_name_of_its_own_and_there_are_enough() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 25
