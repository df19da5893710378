"""Guards of days' files: half a document, a closed day, a second copy, a payment that an import forgets."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import one

DAYS: Final = "connectors/erp/csv/days.py"
TESTS: Final = "tests/connectors/csv/test_csv_days.py"
IMPORTS: Final = "tests/launch/test_import_and_payments.py"

HOSTILE: Final = "tests/connectors/test_files_hostile.py"
LARGE: Final = "tests/launch/test_import_large.py"

DAYBOOKS: Final = (
    one(
        "files_number_is_exact",
        "connectors/files/cells.py",
        "if self._is_number(field) and",
        "if False and",
        f"{HOSTILE}::test_a_number_is_never_taken_for_a_thousand_times_itself",
        "1.125 in a cell is an invoice of 1,125 yen",
    ),
    one(
        "files_merged_is_no_empty_cell",
        "connectors/files/cells.py",
        "if mark is Mark.MERGED:",
        "if False:",
        f"{HOSTILE}::test_a_cell_that_another_spans_is_not_read_as_an_empty_one",
        "what was paid on an invoice reads as nothing",
    ),
    one(
        "files_object_has_each_name_once",
        "connectors/files/objects.py",
        "if len(set(names)) < len(names):",
        "if False:",
        f"{HOSTILE}::test_json_that_is_no_table_is_refused_with_its_line",
        "of two totals of one object the last is believed",
    ),
    one(
        "import_takes_batches",
        "launch/importing.py",
        "    if wanted.partial:\n        await",
        "    if False:\n        await",
        f"{LARGE}::test_what_stops_an_import_loses_the_batch_that_it_was_at_and_doubles_nothing",
        "a kill loses a hundred thousand rows",
    ),
    one(
        "csv_tail_is_cut",
        DAYS,
        "if path.stat().st_size > taken:",
        "if False:",
        f"{TESTS}::test_a_tail_that_is_cut_anywhere_is_no_document_and_is_cut_off_by_the_next",
        "a document is written behind half of another",
    ),
    one(
        "csv_looks_first",
        DAYS,
        "for earlier in self.find(entry.reference):",
        "for earlier in self.find(entry.reference)[:0]:",
        f"{TESTS}::test_two_who_write_at_once_write_each_document_once",
        "a document is written a second time",
    ),
    one(
        "csv_day_is_over",
        DAYS,
        "return self._folder / max(today, youngest)",
        "return self._folder / today",
        f"{TESTS}::test_a_day_that_is_over_is_never_written_to_again",
        "a day's file that was booked changes",
    ),
    one(
        "csv_import_forgets_nothing",
        "launch/importing.py",
        "settled = min(invoice.settled.minor + waiting, invoice.total.minor)",
        "settled = min(invoice.settled.minor, invoice.total.minor)",
        f"{IMPORTS}::test_an_import_that_cannot_know_of_a_payment_does_not_forget_it",
        "an import opens again what was paid here",
    ),
)
