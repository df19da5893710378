"""Which cells of a sheet another cell's value spans. They read as empty ones, which an amount must not be taken from."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from openpyxl.utils import column_index_from_string

from connectors.files.refusals import FileRefused
from connectors.files.rows import COLUMNS_MOST, Mark

_SPAN: Final = re.compile(rb'<(?:\w+:)?mergeCell\b[^>]{0,200}?\bref="([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})"')
_PIECE: Final = 256 * 1024
_OVERLAP: Final = 300
_SPANS_MOST: Final = 10_000

Span = tuple[int, int, int, int]
"""First row, last row (from 1), first column, last column (from 0)."""


def merged_cells(path: Path, part: str) -> Callable[[int], Mapping[int, Mark]]:
    """For the rows of a sheet, asked in their order: position → MERGED where a cell has no value of its own.

    Raises FileRefused for a sheet with more spans than any list has.
    """
    waiting = sorted(_spans(path, part), reverse=True)
    around: list[Span] = []

    def of(line: int) -> Mapping[int, Mark]:
        while waiting and waiting[-1][0] <= line:
            around.append(waiting.pop())
        if not around:
            return {}
        around[:] = [span for span in around if span[1] >= line]
        return {
            position: Mark.MERGED
            for first, _, left, right in around
            for position in range(left + (line == first), min(right + 1, COLUMNS_MOST))
        }

    return of


def _spans(path: Path, part: str) -> list[Span]:
    found: set[Span] = set()
    with zipfile.ZipFile(path) as archive, archive.open(part) as sheet:
        tail = b""
        while piece := sheet.read(_PIECE):
            text = tail + piece
            for left, first, right, last in _SPAN.findall(text):
                begins, ends = (column_index_from_string(each.decode()) - 1 for each in (left, right))
                found.add((int(first), int(last), begins, ends))
            if len(found) > _SPANS_MOST:
                raise FileRefused("merged", f"the sheet has more than {_SPANS_MOST:,} merged cells")
            tail = text[-_OVERLAP:]
    return list(found)
