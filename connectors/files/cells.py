"""The cells of one row, by field: what is allowed in one, and how text becomes amounts, dates and addresses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final
from zoneinfo import available_timezones

from connectors.files.dates import DateOrder, read_date
from connectors.files.layouts import Columns
from connectors.files.refusals import RowRefused
from connectors.files.rows import Mark, Row
from domain.money import Money, MoneyError, exponent, parse_amount

_CELL_MOST: Final = 500
_SIGNS: Final = "$€£¥"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """One row with the file's columns. Every method raises RowRefused with the row's line."""

    columns: Columns
    row: Row

    def text(self, field: str) -> str:
        """The field's text in one line; '' where the cell is empty or the file has no such column."""
        position = self.columns.positions.get(field)
        if position is None or position >= len(self.row.cells):
            return ""
        cell = self.row.cells[position]
        heading = self.columns.heading(field)
        mark = self.row.marks.get(position)
        if mark is Mark.MERGED:
            self._refuse("merged", f"{heading}: the cell is merged with another, so that it has no value of its own")
        if mark is Mark.NESTED:
            self._refuse("cell_nested", f"{heading}: a list or an object stands where one value is expected")
        if cell.startswith("="):
            self._refuse("formula", f"{heading}: {cell[:30]!r} is a formula")
        if any(not (letter.isprintable() or letter.isspace()) for letter in cell):
            self._refuse("cell_unprintable", f"{heading}: there is a character that cannot be printed")
        if len(cell) > _CELL_MOST:
            self._refuse("cell_too_long", f"{heading}: {len(cell):,} characters, {_CELL_MOST} are allowed")
        return " ".join(cell.split())

    def needed(self, field: str) -> str:
        """The field's text. Raises RowRefused 'cell_empty'."""
        found = self.text(field)
        if not found:
            self._refuse("cell_empty", f"{self.columns.heading(field)} is empty")
        return found

    def email(self) -> str | None:
        """The e-mail address, where there is one."""
        found = self.text("email").split(",")[0].strip()
        if found and ("@" not in found[1:-1] or " " in found):
            self._refuse("email_unreadable", f"“{found[:60]}” is not an e-mail address")
        return found or None

    def currency(self, said: str | None) -> str:
        """The row's own currency, else what a person said."""
        found = self.text("currency").upper() or said
        if found is None:
            raise RowRefused(self.row.line, "currency_missing", "no currency in the row; say --currency USD")
        try:
            exponent(found)
        except MoneyError as error:
            raise RowRefused(self.row.line, error.rule, error.sentence) from error
        return found

    def amount(self, field: str, currency: str) -> Money:
        """The field as an amount that is not below zero; a currency's sign or code around it is left out."""
        heading = self.columns.heading(field)
        text = self.needed(field)
        if self._is_number(field) and len(text.rpartition(".")[2]) == 3 and "." in text:
            text += "0"  # in a number the point is one: 1.125 is never a thousand and more
        bare = text.upper().replace(currency, "").strip().lstrip(_SIGNS).strip()
        if bare.startswith("(") and bare.endswith(")"):
            bare = f"-{bare[1:-1].strip().lstrip(_SIGNS)}"
        elif bare.startswith("-"):
            bare = f"-{bare[1:].strip().lstrip(_SIGNS)}"
        try:
            amount = parse_amount(bare, currency)
        except MoneyError as error:
            raise RowRefused.of_amount(self.row.line, heading, error) from error
        if amount.minor < 0:
            self._refuse("amount_negative", f"{heading}: {text[:30]} is below zero")
        return amount

    def on(self, field: str, order: DateOrder) -> date:
        """The field as a date."""
        return read_date(self.needed(field), order, line=self.row.line, field=self.columns.heading(field))

    def time_zone(self) -> str:
        """An IANA name; UTC where the file says none."""
        found = self.text("time_zone") or "UTC"
        if found not in available_timezones():
            self._refuse("time_zone_unknown", f"“{found[:40]}” is not a time zone such as Europe/London")
        return found

    def require_headings(self) -> None:
        """Raises RowRefused where the row has more cells than the file has headings."""
        if len(self.row.cells) > len(self.columns.headings):
            count = f"{len(self.row.cells)} cells for {len(self.columns.headings)} headings"
            self._refuse("cells_beyond_headings", f"{count}: is a separator inside a cell that is not quoted?")

    def _is_number(self, field: str) -> bool:
        return self.row.marks.get(self.columns.positions.get(field, -1)) is Mark.NUMBER

    def _refuse(self, rule: str, sentence: str) -> None:
        raise RowRefused(self.row.line, rule, sentence)
