"""Guards of requests to apply a credit: who decides, once, about what is so now; and what the ERP may have counted."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant, one

APPLYING: Final = "activities/applying.py"
STORE: Final = "store/apply_requests.py"
TABLES: Final = "store/migrations/versions/0006_apply_requests.sql"
BOOKS: Final = "tests/store/test_apply_requests.py"
GUARDS: Final = "tests/store/test_request_guards.py"
ENDING: Final = f"{BOOKS}::test_ending_a_request_leaves_every_document_as_it_is_then"
LANDED: Final = f"{BOOKS}::test_a_read_during_which_an_application_may_have_landed_is_left_and_read_again"

OURS: Final = "tests/store/test_unapplied_payments.py"
MOVES: Final = "store/request_books.py"

REQUESTS: Final = (
    one(
        "request_reserves_our_money",
        "store/wanted.py",
        "WHERE k.payment_id = p.id), 0) AS free",
        "WHERE k.payment_id = p.id AND false), 0) AS free",
        f"{OURS}::test_money_that_waits_for_its_invoice_is_served_when_a_request_lets_it_go",
        "money that a request reserves is put on another invoice",
    ),
    one(
        "our_money_trimmed",
        MOVES,
        "    if row.payment_id is not None:\n        await wanted.trim(tx, row.payment_id)",
        "    if row.payment_id is not None:\n        pass",
        f"{OURS}::test_what_is_applied_elsewhere_is_wanted_no_more",
        "money that was applied elsewhere is still wanted",
    ),
    one(
        "undo_what_lies_there",
        MOVES,
        "return all(lying.get(line.invoice_id, 0) >= line.minor for line in moved)",
        "return True",
        f"{OURS}::test_a_payment_that_the_bank_takes_back_meanwhile_leaves_nothing_applied",
        "what the bank took back is taken off a second time",
    ),
    one(
        "return_then_the_erps_no",
        MOVES,
        "if row.payment_id is not None and sign > 0:",
        "if False:",
        f"{OURS}::test_a_payment_that_the_bank_takes_back_meanwhile_leaves_nothing_applied",
        "the ERP is told to reverse what it never wrote",
    ),
    one(
        "refund_waits_for_the_erp",
        "store/refunds.py",
        "AND q.confirmed_seq IS NULL), 0) AS net",
        "AND false), 0) AS net",
        f"{OURS}::test_what_the_erp_may_still_refuse_is_not_given_back_off_its_invoice",
        "a refund takes off an invoice what the ERP then refuses to put there",
    ),
    one(
        "decision_version",
        APPLYING,
        "if row.version != decision.version:",
        "if False:",
        f"{BOOKS}::test_a_decision_about_what_is_no_longer_so_is_refused",
        "somebody approves what they have not seen",
    ),
    one(
        "decision_facts",
        APPLYING,
        'if decision.facts_hash not in {"", application_hash(credit, found.values())}:',
        "if False:",
        f"{BOOKS}::test_a_decision_about_what_is_no_longer_so_is_refused",
        "somebody approves balances that have changed since",
    ),
    one(
        "ended_state",
        STORE,
        "WHERE id = :id AND (version = :version OR :any_version) AND state = ANY(:sources) RETURNING 1",
        "WHERE id = :id AND (version = :version OR :any_version) AND cast(:sources AS text[]) IS NOT NULL RETURNING 1",
        f"{GUARDS}::test_what_is_on_its_way_is_neither_withdrawn_nor_rejected_nor_expired",
        "withdrawn, and the ERP applies it all the same",
    ),
    one(
        "expiry_state",
        APPLYING,
        "            if row is None or row.state not in APPLY_OPEN:\n                return\n",
        "            if row is None:\n                return\n            row = replace(row, expires_at=alarm.at)\n",
        f"{BOOKS}::test_staff_are_reminded_then_approvers_then_it_expires_each_once",
        "it expires whatever has become of it",
    ),
    one(
        "undo_state",
        STORE,
        "WHERE id = :id AND version = :version AND state = 'applied' RETURNING 1",
        "WHERE id = :id AND version = :version RETURNING 1",
        f"{BOOKS}::test_undoing_reserves_both_sides_until_the_erp_has_undone_it",
        "what is not there yet is taken off",
    ),
    Mutant(
        name="decided_under_lock",
        why="facts are read while somebody changes them",
        edits=(
            (
                APPLYING,
                "        await apply_requests.lock_documents(tx, row, asked)\n        settings = await business.load(tx)\n",
                "        settings = await business.load(tx)\n",
            ),
        ),
        tests=(f"{GUARDS}::test_an_approval_waits_for_whoever_changes_either_side_and_sees_what_is_left",),
    ),
    one(
        "asked_under_lock",
        APPLYING,
        "        await erp_credits.lock(tx, order.credit_id)\n        await invoices.lock(tx, ids)\n",
        "",
        f"{GUARDS}::test_who_asks_waits_for_whoever_takes_the_same_credit_or_invoice",
        "two requests reserve the same credit",
    ),
    one(
        "own_hold_of_invoices",
        STORE,
        "held_minor=each.held_minor - held.get(key, 0),",
        "held_minor=each.held_minor,",
        f"{BOOKS}::test_a_request_holds_both_sides_and_its_approval_settles_them",
        "a request stands in its own way",
    ),
    one(
        "own_hold_of_credit",
        STORE,
        "credit = replace(credit, held_minor=credit.held_minor - held.get(credit.id, 0))",
        "credit = replace(credit, held_minor=0)",
        f"{GUARDS}::test_an_approval_leaves_other_requests_what_they_hold_of_the_credit",
        "an approval takes what another request holds",
    ),
    one(
        "two_people_by_rule",
        "domain/deciding.py",
        "if decider.id == first_by:",
        "if False:",
        f"{BOOKS}::test_above_the_limit_two_people_approve_and_the_second_has_the_role",
        "one person approves twice",
    ),
    one(
        "second_has_the_role",
        "domain/deciding.py",
        "if not decider.is_approver:",
        "if False:",
        f"{BOOKS}::test_above_the_limit_two_people_approve_and_the_second_has_the_role",
        "anybody is the second person",
    ),
    one(
        "second_for_good",
        "domain/deciding.py",
        "    if first_by is None:\n",
        "    if first_by is None or not needs_second(amount, limits):\n",
        f"{BOOKS}::test_what_one_person_approved_needs_another_one_even_if_the_limit_is_lifted_meanwhile",
        "one person approves twice when the limit is lifted between, and breaks on the table's check",
    ),
    one(
        "two_people_by_table",
        TABLES,
        "CHECK (second_by <> first_by)",
        "CHECK (true)",
        f"{BOOKS}::test_the_database_itself_refuses_one_person_twice_and_a_missing_second",
        "a page that forgets the rule lets one person approve twice",
    ),
    one(
        "second_by_table",
        TABLES,
        "NOT needs_second OR second_by IS NOT NULL OR state NOT IN",
        "true OR state NOT IN",
        f"{BOOKS}::test_the_database_itself_refuses_one_person_twice_and_a_missing_second",
        "a workflow that forgets the rule goes on without the second person",
    ),
    one(
        "decided_once",
        APPLYING,
        "if await apply_requests.was_taken(tx, row.id, decision.decision_id):",
        "if False:",
        f"{BOOKS}::test_the_same_decision_taken_twice_is_one",
        "whoever did not hear the answer is told that somebody else decided",
    ),
    one(
        "own_form",
        APPLYING,
        "if order.lines and row.request_hash != order.request_hash:",
        "if False:",
        f"{GUARDS}::test_the_same_request_with_another_form_or_of_another_customer_changes_nothing",
        "a form is answered with another form's yes",
    ),
    one(
        "holds_end",
        STORE,
        "    await lock_documents(tx, row, asked)\n    await request_books.let_go(tx, row.id)\n",
        "    await lock_documents(tx, row, asked)\n",
        ENDING,
        "what was rejected is reserved for ever",
    ),
    one(
        "refusal_takes_back",
        "store/applied.py",
        "await request_books.take_back(tx, row, moved, posting_id=posting_id, sign=1, at=at)",
        "pass",
        f"{BOOKS}::test_an_erp_that_says_no_returns_the_request_to_staff_with_its_words",
        "what the ERP refused counts as applied",
    ),
    one(
        "refusal_holds_again",
        "store/applied.py",
        "await request_books.hold_again(tx, row, moved, at=at)",
        "pass",
        f"{BOOKS}::test_an_erp_that_says_no_returns_the_request_to_staff_with_its_words",
        "while staff decide again, others take the credit",
    ),
    one(
        "landing_of_invoices",
        "store/snapshots.py",
        'AND NOT {LANDING.format(document="a.invoice_id = i.id")}\n',
        "\n",
        LANDED,
        "an invoice is settled twice: by the ERP's figure, and by ours",
    ),
    one(
        "landing_of_credits",
        "store/erp_credits.py",
        'AND NOT {LANDING.format(document="a.credit_id = k.id")}\n',
        "\n",
        LANDED,
        "a credit is used twice: by the ERP's figure, and by ours",
    ),
    one(
        "read_after_a_refusal",
        "store/postings.py",
        "confirmed_seq = CASE WHEN request_id IS NOT NULL THEN nextval('erp_seq') END,",
        "confirmed_seq = NULL,",
        f"{GUARDS}::test_what_a_person_changed_while_the_erp_refused_us_is_read_again",
        "a person's change that was read while ours was on its way is never read again",
    ),
    one(
        "credits_read_back",
        "store/erp_credits.py",
        "AND q.confirmed_seq > k.read_seq LIMIT :limit",
        "AND q.confirmed_seq < k.read_seq LIMIT :limit",
        f"{GUARDS}::test_what_a_person_changed_while_the_erp_refused_us_is_read_again",
        "what was written is never read back on the credit's side",
    ),
    one(
        "lost_requests_swept",
        "activities/events.py",
        'for each in requested if await self._took_up("ApplyCredit", "apply", each)',
        'for each in requested[:0] if await self._took_up("ApplyCredit", "apply", each)',
        "tests/processes/test_applying.py::test_a_request_whose_process_was_terminated_is_taken_up_by_the_sweep",
        "a request that lost its process never expires and reminds nobody",
    ),
)
