"""Why a file, or a row of one, is not taken in: each reason has a name, and the how-to lists them all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from domain.money import MoneyError

RULES: Final[Mapping[str, str]] = {
    "file_empty": "There is nothing in the file, or nothing below its headings.",
    "file_not_a_table": "The file is neither CSV nor JSON text nor an XLSX workbook. Save old .xls files as .xlsx or CSV.",
    "file_broken": "The CSV's quotes do not pair up, the JSON is none or no list of objects, or the workbook is damaged.",
    "file_too_large_inside": "The workbook unpacks to far more than it is: more than 512 MB, or more than 200 to one.",
    "encoding_unknown": "The text is neither UTF-8, UTF-16 with its mark, nor Windows-1252 (JSON: UTF-8). See --encoding.",
    "line_too_long": "One line, or one JSON object, is longer than 64 KB, or a row has more than 300 columns.",
    "columns_unknown": "No row among the first twenty has the headings of a file that Duly knows.",
    "heading_twice": "A heading that is needed occurs twice.",
    "cells_beyond_headings": "A row has more cells than there are headings, so its cells cannot be told apart.",
    "cell_empty": "A cell that is needed is empty.",
    "cell_too_long": "A cell has more than 500 characters.",
    "cell_unprintable": "A cell holds a NUL or another character that cannot be printed.",
    "formula": "A cell holds a formula. Save the values instead.",
    "cell_nested": "A list or an object of JSON stands where one value is expected.",
    "merged": "A cell of a workbook is merged with another. Unmerge the cells: a value is only in the first of them.",
    "number_twice": "Two invoices, or two customers, have the same number.",
    "lines_disagree": "Rows of one invoice differ in what belongs to the whole invoice (customer, dates, currency, total).",
    "date_unreadable": "A date is none: 2026-03-16, 16/03/2026, 03/16/2026, 16.03.2026 and 16 Mar 2026 are read.",
    "dates_ambiguous": "03/04/2026 can be March or April, and no date of the file decides it. Say --dates dmy or mdy.",
    "dates_contradict": "One date can only be day first, another only month first.",
    "due_before_issued": "The due date is before the invoice date.",
    "currency_missing": "The file does not say its currency. Say --currency USD.",
    "currency_unknown": "The currency is not one that Duly knows (ISO 4217, three letters).",
    "amount_unreadable": "An amount cannot be read as one.",
    "amount_ambiguous": "An amount can be read in two ways, such as 1.250.",
    "amount_too_precise": "An amount has more decimal places than its currency.",
    "amount_out_of_range": "An amount is larger than any that Duly accepts.",
    "amount_negative": "A total, or an amount paid, is below zero. Credit notes are not invoices.",
    "balance_impossible": "What is open, or what was paid, is more than the total.",
    "email_unreadable": "An e-mail address has no @, or has spaces in it.",
    "time_zone_unknown": "A time zone is not one of the IANA names, such as Europe/London.",
}
"""Rule → what it says, in general. The refusal itself names the line and what stood there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why one row is not taken in. `line` is where it begins, counted from 1 as an editor does; `unit` is 'object' where
    JSON has several objects in a line and they are counted instead.
    """

    line: int
    rule: str
    sentence: str
    unit: str = "line"

    def __post_init__(self) -> None:
        assert self.rule in RULES, self.rule

    def __str__(self) -> str:
        return f"{self.unit} {self.line}: {self.sentence} ({self.rule})"


class FileRefused(Exception):
    """Nothing of the file can be taken in. `problem` says why; line 0 where it is no line's fault."""

    def __init__(self, rule: str, sentence: str, *, line: int = 0) -> None:
        self.problem = Problem(line=line, rule=rule, sentence=sentence)
        super().__init__(str(self.problem) if line else f"{sentence} ({rule})")


class RowRefused(Exception):
    """One row cannot be taken in; caught where rows are counted, and never leaves this folder."""

    def __init__(self, line: int, rule: str, sentence: str) -> None:
        self.problem = Problem(line=line, rule=rule, sentence=sentence)
        super().__init__(str(self.problem))

    @classmethod
    def of_amount(cls, line: int, field: str, error: MoneyError) -> RowRefused:
        """The money room's own rule and sentence, with the line and the column."""
        return cls(line, "cell_empty" if error.rule == "amount_empty" else error.rule, f"{field}: {error.sentence}")
