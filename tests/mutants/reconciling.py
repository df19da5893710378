"""Guards of comparing, of seals and of what a person decides about a refusal."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import one

STORED: Final = "tests/store/test_reconciliation.py"
RESOLVED: Final = "tests/store/test_resolving.py"

RECONCILING: Final = (
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
)
