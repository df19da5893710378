"""Guards at the edge of an ERP whose consent a person gives: one renewal, plans that are resumed, money put back."""

from __future__ import annotations

from typing import Final

from tests.mutants.calls import CALLS, SILENT
from tests.mutants.mutant import one

ROOM: Final = "connectors/erp/xero"
TESTS: Final = "tests/connectors/xero"
WRITING: Final = f"{TESTS}/test_xero_traps_in_writing.py"
READING: Final = f"{TESTS}/test_xero_traps_in_reading.py"
STREAMS: Final = f"{TESTS}/test_xero_streams.py"
LOST: Final = f"{WRITING}::test_whichever_write_is_lost_the_document_is_there_once_and_whole"

XERO: Final = (
    one(
        "consent_renewed_alone",
        "store/consents.py",
        'WHERE connection_id = :id FOR UPDATE"\n    try:',
        'WHERE connection_id = :id"\n    try:',
        "tests/activities/test_consenting.py::test_two_processes_that_renew_at_once_renew_once_and_both_go_on",
        "two processes renew with one refresh token, and both are thrown out",
    ),
    one(
        "consent_session",
        "store/consents.py",
        "WHERE state_hash = :state AND session_hash = :session AND used_at IS NULL",
        "WHERE state_hash = :state AND used_at IS NULL",
        "tests/activities/test_consenting.py::test_a_state_is_good_once_for_its_session_and_for_a_quarter_of_an_hour",
        "somebody else's consent is kept for this connection",
    ),
    one(
        "xero_unread_answer",
        CALLS,
        SILENT,
        SILENT.replace("OutcomeUnknown", "Unavailable"),
        f"{WRITING}::test_an_answer_that_is_lost_makes_no_second_payment",
        "a write whose answer was lost counts as nothing",
    ),
    one(
        "xero_paid_out_once",
        f"{ROOM}/posting.py",
        "if key.id in paid:",
        "if False:",
        LOST,
        "a refund goes out twice where its answer was lost",
    ),
    one(
        "xero_goes_on",
        f"{ROOM}/posting.py",
        "if each.status not in GONE:",
        "if False:",
        LOST,
        "a plan that was begun counts as done",
    ),
    one(
        "xero_put_back",
        f"{ROOM}/posting.py",
        'await self._bring_about(plan.undone(), step=f"{draft} undone")',
        "pass",
        f"{WRITING}::test_what_is_refused_in_the_middle_is_put_back_where_it_lay_and_counts_as_nothing",
        "money that was to be moved lies nowhere once the second half is refused",
    ),
    one(
        "xero_one_moment",
        f"{ROOM}/translate.py",
        'if settled != wire.amount(row.get("AmountPaid"), currency) + wire.amount(row.get("AmountCredited"), currency):',
        "if False:",
        f"{READING}::test_what_is_told_of_an_invoice_is_of_one_moment",
        "an invoice's total and its settlements are of different moments",
    ),
    one(
        "xero_overlap",
        f"{ROOM}/cursors.py",
        "since = None if given.began is None else given.began - self._overlap",
        "since = given.began",
        f"{READING}::test_a_row_that_appears_late_with_an_early_time_is_read",
        "a row that is committed late is never read",
    ),
    one(
        "xero_money_that_came_back",
        f"{ROOM}/payments.py",
        '            if any(each.has_payments or "/" in each.reference for each in parts)\n',
        "            if False\n",
        f"{STREAMS}::test_a_payment_has_the_money_of_a_refund_that_came_back",
        "what came back to a payment is missing when the books are compared",
    ),
    one(
        "xero_deleted_payment",
        f"{ROOM}/translate.py",
        'row["Status"] == "AUTHORISED" and bool(about)',
        "bool(about)",
        f"{STREAMS}::test_what_people_enter_and_take_back_is_told_as_theirs",
        "a payment that a person deleted still counts",
    ),
)
