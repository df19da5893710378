"""Guards at QuickBooks's edge: a lost answer, a played back one, a half document, an application sent twice."""

from __future__ import annotations

from typing import Final

from tests.mutants.calls import CALLS, SILENT
from tests.mutants.mutant import one

ROOM: Final = "connectors/erp/quickbooks"
WRITING: Final = "tests/connectors/quickbooks/test_quickbooks_write_traps.py"
READING: Final = "tests/connectors/quickbooks/test_quickbooks_read_traps.py"

QUICKBOOKS: Final = (
    one(
        "quickbooks_unread_answer",
        CALLS,
        SILENT,
        SILENT.replace("OutcomeUnknown", "Unavailable"),
        f"{WRITING}::test_a_payment_whose_answer_was_lost_is_looked_for_and_not_sent_again",
        "a write whose answer was lost counts as nothing",
    ),
    one(
        "quickbooks_played_back",
        f"{ROOM}/posting.py",
        "if found is not None and found.reference == reference and found.stands:",
        "if True:",
        f"{WRITING}::test_an_answer_that_is_played_back_of_a_deleted_payment_is_not_believed",
        "a payment that was deleted counts as written",
    ),
    one(
        "quickbooks_hidden_payment",
        f"{ROOM}/connector.py",
        "for each in invoice.paying if each.reference == reference}",
        "for each in invoice.paying if False}",
        f"{WRITING}::test_a_payment_that_no_query_shows_yet_is_found_by_its_invoice",
        "a payment that no query shows yet is written again, or refused for its own sake",
    ),
    one(
        "quickbooks_mark",
        f"{ROOM}/posting.py",
        "if any(each.reference == reference for each in references.marks_of(standing.note)):",
        "if False:",
        f"{WRITING}::test_an_application_that_is_sent_again_moves_its_money_once",
        "an application that is sent again moves its money twice",
    ),
    one(
        "quickbooks_half_a_return",
        f"{ROOM}/finding.py",
        "is_finished=is_linked,",
        "is_finished=True,",
        f"{WRITING}::test_a_return_of_which_only_the_entry_was_written_is_finished_and_not_begun_again",
        "an entry that its payment does not know counts as a whole return",
    ),
    one(
        "quickbooks_overlap",
        f"{ROOM}/cursors.py",
        "since = wire.moment(given.began) - self.overlap",
        "since = wire.moment(given.began)",
        f"{READING}::test_rows_of_the_same_second_and_of_an_earlier_one_are_read",
        "a row that was committed late is never read",
    ),
    one(
        "quickbooks_rests",
        "connectors/erp/rests.py",
        "self._cursor == cursor and self._now_seconds() - self._began < self._seconds",
        "False",
        f"{READING}::test_what_was_just_read_to_its_end_is_not_asked_for_again",
        "an app's reads of a month are used up in half of it",
    ),
)
