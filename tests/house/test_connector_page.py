"""The page on how to write a connector says what is: its examples are the example's, its tables are the code's."""

import re
from pathlib import Path
from typing import Final

import pytest

from connectors import errors
from connectors.conformance.payment_declared import OPTIONAL, Trait
from connectors.conformance.payment_harness import ProviderUnderTest
from connectors.payments.ports import Capability
from duly import payments

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs" / "how-to" / "write-a-connector.md").read_text()
EXAMPLES: Final = re.findall(r"```(?:python|toml)\n(.*?)```", PAGE, re.DOTALL)
PACKAGE: Final = ROOT / "tests" / "packages" / "riverbank"


def rows_under(heading: str) -> list[str]:
    """The first column of the table whose first heading this is."""
    table = PAGE.split(f"| {heading} |", 1)[1].split("\n\n", 1)[0]
    return re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 6


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.strip().splitlines()[0][:40])
def test_each_example_is_in_the_example_s_package_word_for_word(example: str) -> None:
    assert any(example in file.read_text() for file in PACKAGE.iterdir() if file.is_file())


def test_every_capability_and_every_trait_is_told() -> None:
    assert rows_under("Capability") == [each.name for each in Capability]
    assert rows_under("Trait") == [each.name for each in Trait]


def test_every_protocol_is_told_and_whether_the_suite_wants_it() -> None:
    told = rows_under("Protocol")
    wanted = {each.__name__ for each in ProviderUnderTest.__mro__} & set(payments.__all__)
    assert set(told[: len(wanted)]) == wanted
    assert {each.__name__ for each in OPTIONAL} == set(told[len(wanted) :])


def test_every_error_is_told() -> None:
    found = {name for name, each in vars(errors).items() if isinstance(each, type) and issubclass(each, Exception)}
    assert set(rows_under("Raise")) == found - {"ConnectorError"}
