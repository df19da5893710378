"""Guards at NetSuite's edge: an upsert that overwrites, a lost answer, an application sent twice, a list that is cut."""

from __future__ import annotations

from typing import Final

from tests.mutants.calls import CALLS, SILENT
from tests.mutants.mutant import one

ROOM: Final = "connectors/erp/netsuite"
TRAPS: Final = "tests/connectors/netsuite/test_netsuite_traps.py"

NETSUITE: Final = (
    one(
        "netsuite_unread_answer",
        CALLS,
        SILENT,
        SILENT.replace("OutcomeUnknown", "Unavailable"),
        f"{TRAPS}::test_a_payment_whose_answer_was_lost_is_asked_for_by_its_external_id",
        "a write whose answer was lost counts as nothing",
    ),
    one(
        "netsuite_looks_first",
        f"{ROOM}/connector.py",
        "                if earlier is not None:\n                    return _posted(_same(",
        "                if earlier is None:\n                    return _posted(_same(",
        f"{TRAPS}::test_a_payment_that_is_there_is_not_changed_by_writing_it_again",
        "a payment that is there is changed by another under its reference",
    ),
    one(
        "netsuite_mark",
        f"{ROOM}/posting.py",
        "if any(each.reference == reference for each in references.marks_of(standing.note)):",
        "if False:",
        f"{TRAPS}::test_an_application_that_is_sent_again_moves_its_money_once",
        "an application that is sent again moves its money twice",
    ),
    one(
        "netsuite_whole_lists",
        f"{ROOM}/client.py",
        'if not page.get("hasMore") or not lines:',
        "if True:",
        f"{TRAPS}::test_lists_are_read_to_their_end",
        "what a payment lies on is read from the first page only",
    ),
    one(
        "netsuite_booked_only",
        f"{ROOM}/totals.py",
        "a.posting = 'T' AND ",
        "",
        "tests/connectors/netsuite/test_netsuite_sums.py::test_an_estimate_is_owed_by_nobody",
        "an offer counts as owed when the ledger is compared",
    ),
)
