"""One row of a file, whatever kind of file it was, and how much of one there may be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Final

COLUMNS_MOST: Final = 300
OBJECT_MOST: Final = 64 * 1024


class Mark(Enum):
    """What is true of a cell besides its text: it was a number, another cell's value spans it, or it holds more cells."""

    NUMBER = 1
    MERGED = 2
    NESTED = 3


PLAIN: Final[Mapping[int, Mark]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row: where it begins in the file, from 1, and its cells as text, stripped of blanks around them.

    `marks` is position → what is special about the cell there. `unit` is 'object' where objects are counted, not lines.
    """

    line: int
    cells: tuple[str, ...]
    marks: Mapping[int, Mark] = field(default_factory=lambda: PLAIN)
    unit: str = "line"

    @property
    def is_blank(self) -> bool:
        """Whether no cell holds anything."""
        return not any(self.cells)
