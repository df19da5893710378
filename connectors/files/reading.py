"""A file from its headings to its last row, in two passes: one that counts and decides the dates, one that reads.

Both stream. What is kept of a file in memory is the number of each invoice or customer, to find one that occurs twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final

from connectors.files.dates import DateOrder, Evidence
from connectors.files.layouts import Columns, missing, recognise
from connectors.files.refusals import FileRefused, Problem, RowRefused
from connectors.files.rows import Row
from connectors.files.tables import Rows, readings
from connectors.files.translate import Read, Skipped, Translator

_HEADINGS_WITHIN: Final = 20
_ROWS_OF_ONE_INVOICE_MOST: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What the first pass found: rows below the headings, and how dates are to be read."""

    rows: int
    order: DateOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A file whose columns are known."""

    columns: Columns
    rows: Rows

    def count(self, dates: DateOrder | None, *, told: Callable[[int], None] = lambda _: None) -> Counted:
        """The first pass. `told` hears how many rows were seen, now and then. Raises FileRefused."""
        evidence = Evidence()
        positions = [at for name, at in self.columns.positions.items() if name in {"issued_on", "due_on"}]
        count = 0
        for row in self._below():
            count += 1
            for position in positions:
                if position < len(row.cells):
                    evidence.look_at(row.cells[position], row.line)
            if count % 1000 == 0:
                told(count)
        if count == 0:
            raise FileRefused("file_empty", "there is nothing below the headings", line=self.columns.line)
        return Counted(rows=count, order=evidence.order(dates))

    def read(self, counted: Counted, *, currency: str | None) -> Iterator[Read | Skipped | Problem]:
        """The second pass: everything in the file, each thing once, in the file's order. Raises FileRefused."""
        translator = Translator(columns=self.columns, order=counted.order, currency=currency)
        lines_of: dict[str, int] = {}
        for rows in self._grouped(translator):
            if translator.is_between_rows(rows[0]):
                yield Skipped(line=rows[0].line, rows=len(rows), why="")
                continue
            try:
                found = self._translated(translator, rows)
                if isinstance(found, Read):
                    self._require_new(translator.key(rows[0]), rows[0], lines_of)
                yield found
            except RowRefused as refused:
                yield replace(refused.problem, unit=rows[0].unit)

    def _translated(self, translator: Translator, rows: list[Row]) -> Read | Skipped:
        if self.columns.layout.kind == "customers":
            return translator.customer(rows[0])
        return translator.invoice(rows)

    def _require_new(self, key: str, row: Row, lines_of: dict[str, int]) -> None:
        if key in lines_of:
            raise RowRefused(row.line, "number_twice", f"“{key[:60]}” stands in {row.unit} {lines_of[key]} too")
        lines_of[key] = row.line

    def _grouped(self, translator: Translator) -> Iterator[list[Row]]:
        """The rows of each invoice: neighbours with the same number, where the file has a row for each line."""
        group: list[Row] = []
        for row in self._below():
            belongs = (
                bool(group)
                and self.columns.layout.many_rows
                and translator.key(row) != ""
                and translator.key(row) == translator.key(group[0])
                and len(group) < _ROWS_OF_ONE_INVOICE_MOST
            )
            if group and not belongs:
                yield group
                group = []
            group.append(row)
        if group:
            yield group

    def _below(self) -> Iterator[Row]:
        return (row for row in self.rows() if row.line > self.columns.line)


def open_export(path: Path, *, encoding: str | None = None) -> Opened:
    """Find the headings of a file that Duly knows. Raises FileRefused, and OSError where the file cannot be opened."""
    refusals: list[FileRefused] = []
    widest: tuple[str, ...] = ()
    for rows in readings(path, encoding=encoding):
        try:
            for row in islice(rows(), _HEADINGS_WITHIN):
                columns = recognise(row.cells, row.line)
                if columns is not None:
                    return Opened(columns=columns, rows=rows)
                widest = max(widest, row.cells, key=len)
        except FileRefused as refused:
            refusals.append(refused)
    if refusals:
        raise refusals[0]
    if not widest:
        raise FileRefused("file_empty", "there is nothing in the file")
    nearest, lacks = missing(widest)
    sentence = (
        f"these are not the headings of a file that Duly knows; nearest is “{nearest}”, which also has {', '.join(lacks)}"
    )
    raise FileRefused("columns_unknown", sentence)
