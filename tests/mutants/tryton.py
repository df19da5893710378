"""Guards at one ERP's edge: a lost answer, a half document, money that is not there, changes that leave no time."""

from __future__ import annotations

from typing import Final

from tests.mutants.calls import CALLS, SILENT
from tests.mutants.mutant import one

ROOM: Final = "connectors/erp/tryton"
TESTS: Final = "tests/tryton"
KIT: Final = f"{TESTS}/test_kit.py::TestTryton"
LOST: Final = f"{TESTS}/test_interrupted.py::test_whichever_write_is_lost_the_payment_is_there_once_and_whole"
CANCELLED: Final = (
    f"{TESTS}/test_behind_our_back.py"
    "::test_a_payment_that_is_taken_back_without_a_word_to_its_invoice_pays_nothing_and_is_told"
)

TRYTON: Final = (
    one(
        "tryton_unread_answer",
        CALLS,
        SILENT,
        SILENT.replace("OutcomeUnknown", "Unavailable"),
        LOST,
        "a write whose answer was lost counts as nothing",
    ),
    one(
        "tryton_draft_stays",
        f"{ROOM}/posting.py",
        'await self._client.write("model.account.move.delete", [earlier.move])',
        "pass",
        LOST,
        "what was begun stays beside what is made anew",
    ),
    one(
        "tryton_looks_first",
        f"{ROOM}/posting.py",
        "if earlier.is_posted:",
        "if False:",
        LOST,
        "a posted document is written a second time",
    ),
    one(
        "tryton_mark_is_owed",
        f"{ROOM}/finding.py",
        "is_finished=first.is_posted and not open_marks,",
        "is_finished=True,",
        LOST,
        "a draft counts as a payment in the books",
    ),
    one(
        "tryton_comes_off",
        f"{ROOM}/connector.py",
        "if amount > standing.onto.get(each, Money.zero(amount.currency)):",
        "if False:",
        f"{KIT}::test_several_refunds_never_take_off_more_than_the_payment_put_there",
        "a refund takes off an invoice what others paid there",
    ),
    one(
        "tryton_unapplied",
        f"{ROOM}/connector.py",
        "if -pool > standing.pool:",
        "if False:",
        f"{KIT}::test_what_is_left_of_a_payment_can_be_applied_later_to_the_cent",
        "more is applied than there is on account",
    ),
    one(
        "tryton_lines_change_too",
        f"{ROOM}/reading.py",
        'lines = await self._client.touched("account.move.line", since, fields, ("account.type.receivable", "=", True))',
        "lines: list[dict[str, Any]] = []",
        CANCELLED,
        "a payment that is taken back is not seen",
    ),
    one(
        "tryton_reconciled_elsewhere",
        f"{ROOM}/documents.py",
        "if each.reconciliation is None or each.reconciliation in settled_in}",
        "}",
        CANCELLED,
        "a payment that was taken back still pays its invoice",
    ),
    one(
        "tryton_payment_taken_back",
        f"{ROOM}/payments.py",
        "stands = move not in taken_back and",
        "stands =",
        CANCELLED,
        "a payment that a person took back is counted when the books are compared",
    ),
)
