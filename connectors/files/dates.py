"""Dates as people export them. Whether 03/04 is March or April is decided by the file as a whole, or not at all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from connectors.files.refusals import FileRefused, RowRefused

_MONTHS: Final[Mapping[str, int]] = {
    name: number
    for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), start=1)  # noqa: SIM905
}
_ISO: Final = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ].*)?")
_YEAR_FIRST: Final = re.compile(r"(\d{4})[/.](\d{1,2})[/.](\d{1,2})")
_DOTTED: Final = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4}|\d{2})")
_NUMERIC: Final = re.compile(r"(\d{1,2})[/-](\d{1,2})[/-](\d{4}|\d{2})(?: .*)?")
_DAY_MONTH: Final = re.compile(r"(\d{1,2})[ -]([A-Za-z]{3,9})\.?,?[ -](\d{4}|\d{2})")
_MONTH_DAY: Final = re.compile(r"([A-Za-z]{3,9})\.? (\d{1,2}),? (\d{4})")


class DateOrder(StrEnum):
    """Which number of 03/04/2026 is the day."""

    DAY_FIRST = "dmy"
    MONTH_FIRST = "mdy"


@dataclass(slots=True)
class Evidence:
    """What the dates of a file say about their order; the lines are the first that said so."""

    day_first: int | None = None
    month_first: int | None = None
    undecided: int | None = None

    def look_at(self, text: str, line: int) -> None:
        """Take in one cell. One that is no date is refused later, with its row."""
        found = _NUMERIC.fullmatch(text)
        if found is None:
            return
        first, second = int(found[1]), int(found[2])
        if first > 12 >= second:
            self.day_first = self.day_first or line
        elif second > 12 >= first:
            self.month_first = self.month_first or line
        elif first != second:
            self.undecided = self.undecided or line

    def order(self, said: DateOrder | None) -> DateOrder:
        """What a person said, else what the file shows. Raises FileRefused where both or neither fit."""
        if said is not None:
            return said
        if self.day_first is not None and self.month_first is not None:
            sentence = f"line {self.day_first} has the day first, line {self.month_first} the month"
            raise FileRefused("dates_contradict", sentence, line=max(self.day_first, self.month_first))
        if self.month_first is not None:
            return DateOrder.MONTH_FIRST
        if self.day_first is None and self.undecided is not None:
            sentence = "no date of the file shows whether the day or the month comes first; say --dates dmy or --dates mdy"
            raise FileRefused("dates_ambiguous", sentence, line=self.undecided)
        return DateOrder.DAY_FIRST


def read_date(text: str, order: DateOrder, *, line: int, field: str) -> date:
    """A date. Raises RowRefused 'date_unreadable'."""
    try:
        year, month, day = _parts(text, order)
        return date(year + 2000 if year < 100 else year, month, day)
    except ValueError:
        raise RowRefused(line, "date_unreadable", f"{field}: “{text[:30]}” is not a date") from None


def _parts(text: str, order: DateOrder) -> tuple[int, int, int]:
    if found := _ISO.fullmatch(text) or _YEAR_FIRST.fullmatch(text):
        return int(found[1]), int(found[2]), int(found[3])
    if found := _DOTTED.fullmatch(text):
        return int(found[3]), int(found[2]), int(found[1])
    if found := _NUMERIC.fullmatch(text):
        first, second, year = int(found[1]), int(found[2]), int(found[3])
        return (year, second, first) if order is DateOrder.DAY_FIRST else (year, first, second)
    if found := _DAY_MONTH.fullmatch(text):
        return int(found[3]), _month(found[2]), int(found[1])
    if found := _MONTH_DAY.fullmatch(text):
        return int(found[3]), _month(found[1]), int(found[2])
    raise ValueError(text)


def _month(word: str) -> int:
    return _MONTHS.get(word[:3].lower(), 0)  # no month 0 exists, so date() refuses it
