"""Cells of spreadsheets: what others wrote is never a formula there."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r")


def guarded(text: str) -> str:
    """The text as a cell. What a spreadsheet would take for a formula begins with an apostrophe."""
    return f"'{text}" if text.startswith(_FORMULAS) else text


def csv_line(cells: Iterable[str]) -> str:
    """A line of texts, each of them guarded."""
    return csv_of([[guarded(each) for each in cells]])


def csv_of(rows: Iterable[Sequence[str]]) -> str:
    """Rows as they are: for cells that we wrote ourselves, such as amounts below zero, or that are guarded already."""
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue()
