"""Guards of comparing, of seals and of what a person decides about a refusal."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import one

STORED: Final = "tests/store/test_reconciliation.py"
COMPARED: Final = "tests/processes/test_reconciling.py"
MENDED: Final = "tests/store/test_mending.py"
RESOLVED: Final = "tests/store/test_resolving.py"

RECONCILING: Final = (
    one(
        "surplus_beside_ours_only",
        "activities/posting.py",
        "if surplus not in standing or len(standing) < 2:",
        "if surplus not in standing:",
        f"{COMPARED}::test_a_document_that_is_there_twice_is_found_and_ends_when_one_is_gone",
        "the only document of a payment is taken back",
    ),
    one(
        "surplus_as_it_was_seen",
        "store/mending.py",
        "AND d.closed_at IS NULL AND d.facts ->> 'surplus' = :surplus",
        "AND d.closed_at IS NULL",
        f"{MENDED}::test_of_three_documents_the_named_one_is_reversed_for_its_own_amount",
        "the document that is ours is taken back",
    ),
    one(
        "surplus_once",
        "store/mending.py",
        "WHERE postings.state = 'canceled' RETURNING attempts",
        "RETURNING attempts",
        f"{MENDED}::test_of_three_documents_the_named_one_is_reversed_for_its_own_amount",
        "a reversal that the ERP has is queued once more",
    ),
    one(
        "surplus_of_its_own_amount",
        "store/mending.py",
        "cast(d.facts ->> 'surplus_minor' AS bigint) AS amount",
        "d.amount",
        f"{MENDED}::test_of_three_documents_the_named_one_is_reversed_for_its_own_amount",
        "of three documents one is reversed for what two come to",
    ),
    one(
        "ours_is_not_beyond",
        "domain/differences.py",
        "return others if len(others) < len(standing) else standing[1:]",
        "return standing[1:]",
        "tests/domain/test_differences.py::"
        "test_of_several_documents_all_but_the_one_that_was_confirmed_are_too_much_and_one_at_a_time_is_named",
        "the document that is ours is counted as too much",
    ),
    one(
        "reason_holds",
        "store/differences.py",
        "AND a.amount = :amount AND a.currency = :currency)",
        ")",
        f"{STORED}::test_a_persons_reason_holds_while_the_other_side_shows_the_same",
        "another amount is never told, since a person closed the first",
    ),
    one(
        "wrong_figures_stay",
        "store/differences.py",
        "WHERE id = :id AND closed_at IS NULL AND kind = ANY(:closable)",
        "WHERE id = :id AND closed_at IS NULL AND (true OR kind = ANY(:closable))",
        f"{STORED}::test_a_figure_that_is_wrong_is_not_closed_by_saying_so",
        "a figure that is wrong is closed by saying so",
    ),
    one(
        "twice_is_looked_for",
        "store/reconciliation.py",
        "if joined.shown > joined.held:",
        "if joined.shown < 0:",
        f"{STORED}::test_the_suspects_are_what_differs_and_nothing_else",
        "a document that is there twice is never found",
    ),
    one(
        "taken_back_is_not_missing",
        "store/reconciliation.py",
        "found = set(joined.unlike) - {row.reference for row in taken_back}",
        "found = set(joined.unlike)",
        f"{STORED}::test_the_suspects_are_what_differs_and_nothing_else",
        "a payment that was taken back is missing in the ERP for ever",
    ),
    one(
        "taken_back_must_not_stand",
        "store/reconciliation.py",
        "found |= {row.reference for row in taken_back if row.stands}",
        "pass",
        f"{STORED}::test_the_suspects_are_what_differs_and_nothing_else",
        "a payment that was taken back stands in the ERP, and nobody sees it",
    ),
    one(
        "only_what_never_left",
        "connectors/erp/calls.py",
        "_NEVER_LEFT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)",
        "_NEVER_LEFT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ReadTimeout)",
        "tests/connectors/test_erp_calls.py::test_only_what_never_left_is_known_not_to_have_happened",
        "a document whose answer was late is written once more",
    ),
    one(
        "no_more_than_lies_there",
        "connectors/erp/lines.py",
        "if amount > lies.get(each, Money.zero(amount.currency)):",
        "if amount > lies.get(each, amount):",
        "tests/connectors/test_erp_calls.py::test_no_more_is_taken_off_an_invoice_than_lies_on_it",
        "money is taken off an invoice that it does not lie on",
    ),
    one(
        "boundary_waits",
        "store/migrations/versions/0018_seals.sql",
        "PERFORM pg_advisory_xact_lock_shared(7305804402467697);",
        "PERFORM 1;",
        "tests/store/test_seals.py::test_a_boundary_waits_for_whoever_books",
        "an entry that commits late is in no seal",
    ),
    one(
        "on_account_before_anything_is_built",
        "store/resolving.py",
        "AND NOT EXISTS (SELECT 1 FROM postings o WHERE o.payment_id = p.id AND o.id <> q.id)",
        "",
        f"{RESOLVED}::test_it_is_not_put_on_account_once_money_of_it_was_applied_elsewhere",
        "money that the bank took back is put on account",
    ),
    one(
        "never_sent_is_never_sent",
        "store/postings.py",
        "WHERE connection_id = :id AND confirmed_seq IS NULL AND ignored_at IS NULL ORDER BY seq LIMIT 20000",
        "WHERE connection_id = :id AND confirmed_seq IS NULL ORDER BY seq LIMIT 20000",
        f"{RESOLVED}::test_what_is_never_sent_holds_up_nothing_and_waits_for_nobody",
        "what waits behind a document that nobody sends waits for ever",
    ),
    one(
        "own_charge_is_known",
        "domain/differences.py",
        "own = next((each for each in charges if each.provider_id == own_id), charges[0])",
        "own = charges[0]",
        "tests/domain/test_differences.py::test_the_charge_that_is_the_payment_is_not_what_is_told_however_they_are_listed",
        "of two charges staff are told to give the payment's own back",
    ),
    one(
        "taken_back_ends",
        "domain/differences.py",
        "if held.listed_again < len(standing):",
        "if held.listed_again > len(standing):",
        "tests/domain/test_differences.py::test_what_was_taken_back_stands_where_more_is_there_than_we_wrote",
        "what a bank took back stands in the ERP for ever",
    ),
    one(
        "who_was_not_asked",
        "store/reconciliation.py",
        "AND NOT (p.sides -> cast(:side AS text) ? 'problem')) AS previous_at",
        ") AS previous_at",
        f"{STORED}::test_a_run_that_could_not_ask_a_side_is_not_the_one_before_for_it",
        "what people entered before a run that could not ask the ERP is said by nobody",
    ),
    one(
        "erased_is_looked_for",
        "store/reconciliation.py",
        "found |= {row.id for row in await tx.rows(_ON_EDITED, connection=connection_id)}",
        "found |= set()",
        f"{STORED}::test_what_is_gone_without_a_trace_is_asked_about_where_its_invoice_says_so",
        "a payment that was erased without a trace is not missed",
    ),
    one(
        "void_with_money",
        "store/control_totals.py",
        "CASE WHEN {_IS_ONE} THEN i.total ELSE 0 END - i.settled AS amount",
        "CASE WHEN {_IS_ONE} THEN i.total - i.settled ELSE 0 END AS amount",
        "tests/launch/test_control_totals.py::test_money_on_an_invoice_that_is_void_is_in_the_ledger_and_is_no_gap",
        "a void invoice with money on it is a gap in the ledger",
    ),
    one(
        "told_once",
        "store/views/staff_inbox.py",
        "AND w.currency = d.currency AND w.amount >= d.amount))",
        "AND w.currency = d.currency AND w.amount < d.amount))",
        "tests/reconciling/test_days.py::test_each_anomaly_is_told_once_in_its_class_and_nothing_else_is[0]",
        "a document that was entered twice waits as an overpaid invoice as well",
    ),
)
