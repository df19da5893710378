"""Guards of refunds: never above the capture, two people, nothing booked early, never sent twice."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import one

ROWS: Final = "store/refunds.py"
BOOKS: Final = "store/refund_books.py"
DECIDING: Final = "activities/refunding.py"
RULES: Final = "domain/refunds.py"
TABLES: Final = "store/migrations/versions/0008_refunds.sql"
TESTS: Final = "tests/store/test_refunds.py"

REFUNDS: Final = (
    one(
        "refund_unknown_told_once",
        DECIDING,
        "once=str(told),",
        "once=str(at),",
        f"{TESTS}::test_staff_are_told_once_when_it_lasts_and_again_after_a_day",
        "staff are mailed at each look",
    ),
    one(
        "refund_word_again",
        DECIDING,
        "if not done and decision.by != (row.second_by if decision.agrees else row.ended_by):",
        "if not done:",
        "tests/processes/test_refunds.py"
        "::test_a_word_of_the_second_person_whose_answer_was_lost_is_heard_when_it_is_said_again",
        "whose answer was lost is told that somebody else decided",
    ),
    one(
        "refund_word_swept",
        "activities/events.py",
        'await self._wake(f"refund/{each}")',
        "pass",
        "tests/processes/test_refunds.py::test_a_word_of_the_second_person_that_nobody_says_again_is_heard_by_the_sweep",
        "an agreed refund lies a day because a worker died",
    ),
    one(
        "refund_facts_hash",
        DECIDING,
        "if shown and shown != rules.facts_hash(facts):",
        "if False:",
        f"{TESTS}::test_what_the_page_showed_must_still_be_so",
        "a person agrees to balances that are no longer so",
    ),
    one(
        "refund_own_run",
        DECIDING,
        "if row.state is RefundState.REQUESTED and row.run_id == run_id:",
        "if row.state is RefundState.REQUESTED:",
        f"{TESTS}::test_another_run_asks_before_it_sends_and_another_form_is_refused",
        "a run that was taken up again sends without asking",
    ),
    one(
        "refund_request_hash",
        DECIDING,
        "if row.request_hash != request.request_hash:",
        "if False:",
        f"{TESTS}::test_another_run_asks_before_it_sends_and_another_form_is_refused",
        "a form is answered with another form's yes",
    ),
    one(
        "refund_capacity",
        RULES,
        "if amount.minor > facts.left:",
        "if False:",
        f"{TESTS}::test_lines_and_the_rest_are_bounded_by_what_lies_there_less_what_others_reserve",
        "more is given back than was captured",
    ),
    one(
        "refund_lines_bounded",
        RULES,
        "if line.minor > each.left:",
        "if False:",
        f"{TESTS}::test_lines_and_the_rest_are_bounded_by_what_lies_there_less_what_others_reserve",
        "more comes off an invoice than lies on it",
    ),
    one(
        "refund_rest_bounded",
        RULES,
        "if rest > facts.unapplied:",
        "if False:",
        f"{TESTS}::test_lines_and_the_rest_are_bounded_by_what_lies_there_less_what_others_reserve",
        "money that is on no invoice is given back twice",
    ),
    one(
        "refund_second_is_another",
        DECIDING,
        "refusal = rules.may_decide(requested_by=row.requested_by, by=decision.by)",
        "refusal = None",
        f"{TESTS}::test_above_the_limit_another_person_who_may_must_agree_to_what_they_saw",
        "one person decides twice",
    ),
    one(
        "refund_second_may",
        DECIDING,
        "if refusal is None and not await _may_approve(tx, decision.by):",
        "if False:",
        f"{TESTS}::test_above_the_limit_another_person_who_may_must_agree_to_what_they_saw",
        "anybody is a second person",
    ),
    one(
        "refund_limit",
        RULES,
        "return limit is not None and amount.minor > limit",
        "return limit is not None and amount.minor > limit + 1",
        f"{TESTS}::test_above_the_limit_another_person_who_may_must_agree_to_what_they_saw",
        "a large refund leaves on one person's word",
    ),
    one(
        "refund_version",
        ROWS,
        """second_by = :by, changed_at = :at
           WHERE id = :id AND version = :version AND state = 'awaiting_second'""",
        """second_by = :by, changed_at = :at
           WHERE id = :id AND version <= :version AND state = 'awaiting_second'""",
        f"{TESTS}::test_above_the_limit_another_person_who_may_must_agree_to_what_they_saw",
        "a person agrees to another version than they saw",
    ),
    one(
        "refund_leaves_only_decided",
        ROWS,
        "WHERE id = :id AND state IN ('requested', 'sent', 'unknown') RETURNING payment_id",
        "WHERE id = :id AND state IN ('requested', 'awaiting_second', 'rejected', 'sent', 'unknown') RETURNING payment_id",
        f"{TESTS}::test_a_return_of_the_payment_rejects_what_was_not_sent_and_takes_back_only_what_is_left",
        "what was rejected leaves all the same",
    ),
    one(
        "refund_success_once",
        BOOKS,
        """                      WHERE id = :id AND state IN ('sent', 'processing', 'unknown') RETURNING payment_id, amount)
           UPDATE payments SET refunding""",
        """                      WHERE id = :id AND state <> 'refunded' RETURNING payment_id, amount)
           UPDATE payments SET refunding""",
        f"{TESTS}::test_a_refund_that_fails_leaves_the_books_as_they_were_and_its_room_is_free",
        "a stale success is booked after the failure",
    ),
    one(
        "refund_put_back_fits",
        RULES,
        "min(line.minor, room.get(line.invoice_id, 0))",
        "line.minor",
        f"{TESTS}::test_a_refund_that_fails_after_success_is_booked_back_and_whoever_paid_meanwhile_keeps_it",
        "an invoice is paid twice after a late failure",
    ),
    one(
        "refund_reserves_unapplied",
        "store/wanted.py",
        "return int(row.free) - await refunding(tx, payment_id) if row is not None else 0",
        "return int(row.free) if row is not None else 0",
        f"{TESTS}::test_unapplied_money_that_a_refund_reserves_is_not_applied_meanwhile",
        "what is on its way back settles an invoice",
    ),
    one(
        "refund_trims_wishes",
        BOOKS,
        "await wanted.trim(tx, row.payment_id)",
        "pass",
        f"{TESTS}::test_unapplied_money_that_a_refund_reserves_is_not_applied_meanwhile",
        "what was given back is wanted again",
    ),
    one(
        "refund_failed_is_offered",
        BOOKS,
        """    await _tell(tx, row, "refund_failed", code=code, at=at)
    await serve_payment(tx, row.payment_id, erp=erp, at=at)""",
        """    await _tell(tx, row, "refund_failed", code=code, at=at)""",
        f"{TESTS}::test_money_that_a_failed_refund_reserved_is_offered_to_what_it_wanted",
        "late money lies unapplied beside an invoice that it wants",
    ),
    one(
        "return_less_refunds",
        "store/returns.py",
        "amount = row.captured.minor - await refunded(tx, payment_id)",
        "amount = row.captured.minor",
        f"{TESTS}::test_a_return_of_the_payment_rejects_what_was_not_sent_and_takes_back_only_what_is_left",
        "refunded money is booked back twice",
    ),
    one(
        "return_rejects_unsent",
        "store/returns.py",
        "    await refunds.reject_unsent(tx, payment_id, at=at)\n",
        "",
        f"{TESTS}::test_a_return_of_the_payment_rejects_what_was_not_sent_and_takes_back_only_what_is_left",
        "a refund leaves although the bank has the money back",
    ),
    one(
        "refund_two_people_check",
        TABLES,
        "CHECK (second_by <> requested_by)",
        "CHECK (true)",
        f"{TESTS}::test_the_database_itself_refuses_what_must_never_be",
        "the database lets one person be two",
    ),
    one(
        "refund_captured_check",
        TABLES,
        "CHECK (refunding >= 0 AND refunded >= 0 AND refunding + refunded <= captured)",
        "CHECK (true)",
        f"{TESTS}::test_the_database_itself_refuses_what_must_never_be",
        "the database lets more go back than came",
    ),
)
