"""Guards of money and of what is written: payments, postings, events, the journal."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant, one

PAYMENTS: Final = "store/payments.py"
POSTINGS: Final = "store/postings.py"
OPENING: Final = "activities/opening.py"
RULES: Final = "store/migrations/versions/0001_rules.sql"
TABLES: Final = "store/migrations/versions/0001_tables.sql"
RACES: Final = "tests/store/test_money_races.py"
GUARDS: Final = "tests/store/test_guards.py"
STILL: Final = "tests/activities/test_standing_still.py"
RECORDING: Final = "tests/activities/test_recording.py"

MONEY: Final = (
    one(
        "own_run",
        OPENING,
        "if row.state is PaymentState.CHARGING and row.run_id == run_id:",
        "if row.state is PaymentState.CHARGING:",
        f"{RACES}::test_another_run_of_an_open_payment_asks_before_it_charges",
        "a run that was taken up again charges without asking",
    ),
    one(
        "request_hash",
        OPENING,
        "if row.request_hash != request.request_hash:",
        "if False:",
        f"{RACES}::test_the_same_payment_id_with_another_body_changes_nothing",
        "a form is answered with another form's yes",
    ),
    one(
        "own_customer",
        OPENING,
        "if row.customer_id != request.customer_id:",
        "if False:",
        f"{RACES}::test_the_same_payment_id_with_another_body_changes_nothing",
        "a guessed id shows somebody's payment",
    ),
    one(
        "invoices_locked",
        OPENING,
        "await invoices.lock(tx, ids)",
        "await invoices.lock(tx, [])",
        f"{RACES}::test_a_payer_waits_for_whoever_is_taking_the_same_invoice_and_sees_what_is_left",
        "two payers hold the same balance",
    ),
    one(
        "holds_counted",
        "store/migrations/versions/0006_apply_requests.sql",
        "greatest(greatest(b.open, 0) - b.held, 0)",
        "greatest(b.open, 0)",
        f"{RECORDING}::test_late_money_takes_only_what_others_do_not_hold_and_remembers_the_rest",
        "what is held is offered again",
    ),
    one(
        "own_row_first",
        PAYMENTS,
        'ON CONFLICT (id) DO NOTHING RETURNING id""",',
        'RETURNING id""",',
        f"{RACES}::test_copies_of_open_payment_at_once_all_answer_that_it_is_open",
        "a second copy fails or decides again",
    ),
    Mutant(
        name="outcome_once",
        why="an outcome is booked twice",
        edits=(
            (
                PAYMENTS,
                "next_check_at = NULL\n           WHERE id = :id AND state = ANY(:sources) RETURNING *)",
                "next_check_at = NULL\n           WHERE id = :id RETURNING *)",
            ),
            (
                "activities/recording.py",
                "before = await payments.load(tx, payment_id, lock=True)",
                "before = await payments.load(tx, payment_id)",
            ),
        ),
        tests=(f"{RACES}::test_copies_of_an_outcome_at_once_book_it_once",),
    ),
    one(
        "unknown_is_unknown",
        "activities/recording.py",
        'if why == "unknown":',
        'if why == "never":',
        f"{RECORDING}::test_an_unknown_outcome_keeps_its_hold_and_says_since_when",
        "an unread answer is taken for a no",
    ),
    one(
        "amount_compared",
        "activities/recording.py",
        "elif charge.amount != before.amount and charge.status in _MONEY:",
        "elif charge.amount.minor < 0:",
        f"{RECORDING}::test_another_amount_at_the_provider_is_nothing_to_guess_about",
        "money that did not come is booked",
    ),
    one(
        "currency_checked",
        "domain/payments.py",
        "if invoice.currency != currency:",
        "if False:",
        "tests/domain/test_payments.py::test_currency_mismatch_refuses_an_invoice_of_another_currency",
        "yen pay dollars",
    ),
    one(
        "no_more_than_available",
        "domain/payments.py",
        "if line.minor > invoice.available_minor:",
        "if False:",
        "tests/domain/test_payments.py::test_amount_exceeds_available_refuses_one_unit_too_much",
        "an invoice is overpaid",
    ),
    one(
        "family_only",
        "store/invoices.py",
        "AND (cast(:customers AS text[]) IS NULL OR s.customer_id = ANY(:customers))",
        "AND (cast(:customers AS text[]) IS NULL OR s.customer_id <> '')",
        f"{GUARDS}::test_another_customers_invoice_cannot_be_paid",
        "invoices of strangers are paid and named",
    ),
    one(
        "late_money_waits_for_holds",
        PAYMENTS,
        '"SELECT id, available FROM invoice_states WHERE id = ANY(:ids)"',
        '"SELECT id, greatest(open, 0) AS available FROM invoice_states WHERE id = ANY(:ids)"',
        f"{RECORDING}::test_late_money_takes_only_what_others_do_not_hold_and_remembers_the_rest",
        "late money takes the room of somebody who is being charged",
    ),
    one(
        "wanted_first",
        PAYMENTS,
        "await wanted.serve(tx, freed, erp=erp, at=at)",
        "await wanted.serve(tx, [], erp=erp, at=at)",
        f"{RECORDING}::test_room_goes_to_whoever_has_wanted_it_longest_when_a_hold_ends",
        "an invoice is payable again while money for it lies unapplied",
    ),
    one(
        "wanted_on_raise",
        "store/snapshots.py",
        "await wanted.serve(tx, taken, erp=connection_id, at=at)",
        "await wanted.serve(tx, [], erp=connection_id, at=at)",
        f"{RECORDING}::test_room_is_served_when_the_erp_raises_a_total_and_in_parts",
        "the same, when a total is raised",
    ),
    one(
        "return_once",
        "store/returns.py",
        "if row is None or row.state not in payment_sources(PaymentState.RETURNED):",
        "if row is None:",
        f"{RECORDING}::test_a_return_books_everything_back_once",
        "a return is booked twice",
    ),
    one(
        "ended_is_not_sent",
        PAYMENTS,
        "WHERE id = :id AND state IN ('charging', 'unknown') RETURNING 1",
        "WHERE id = :id RETURNING 1",
        f"{GUARDS}::test_a_payment_that_has_ended_is_never_announced_as_sent",
        "a worker that stood still charges what has ended",
    ),
    one(
        "one_charge_one_payment",
        TABLES,
        "CREATE UNIQUE INDEX uq_payments_provider_ref",
        "CREATE INDEX uq_payments_provider_ref",
        f"{GUARDS}::test_two_payments_never_share_a_charge",
        "one charge settles two payments",
    ),
    one(
        "captured_stays",
        "domain/lifecycles.py",
        "_P.RETURNED: frozenset(),",
        "_P.RETURNED: frozenset({_P.CAPTURED}),",
        "tests/domain/test_lifecycles.py::test_exactly_the_written_moves_exist_and_all_others_do_not",
        "an old event brings returned money back",
    ),
    one(
        "claim_fenced",
        POSTINGS,
        "WHERE id = :id AND state = 'queued' AND EXISTS (SELECT 1 FROM me) RETURNING 1",
        "WHERE id = :id AND state = 'queued' AND :connection <> '' RETURNING 1",
        f"{GUARDS}::test_an_older_poster_claims_confirms_and_sets_aside_nothing",
        "two posters send one document",
    ),
    one(
        "claim_from_queued",
        POSTINGS,
        "WHERE id = :id AND state = 'queued' AND EXISTS (SELECT 1 FROM me) RETURNING 1",
        "WHERE id = :id AND EXISTS (SELECT 1 FROM me) RETURNING 1",
        f"{GUARDS}::test_an_older_poster_claims_confirms_and_sets_aside_nothing",
        "what was sent is sent again",
    ),
    one(
        "confirm_fenced",
        POSTINGS,
        "WHERE id = :id AND state IN ('sent', 'unknown') AND fence = :fence\n",
        "WHERE id = :id AND state IN ('sent', 'unknown') AND :fence > 0\n",
        f"{GUARDS}::test_an_older_poster_claims_confirms_and_sets_aside_nothing",
        "an old answer overwrites a new one",
    ),
    one(
        "aside_fenced",
        POSTINGS,
        "WHERE id = :id AND state IN ('sent', 'unknown') AND fence = :fence RETURNING 1\"\"\",",
        "WHERE id = :id AND state IN ('sent', 'unknown') AND :fence > 0 RETURNING 1\"\"\",",
        f"{GUARDS}::test_an_older_poster_claims_confirms_and_sets_aside_nothing",
        "an old poster gives a sent document back",
    ),
    one(
        "documents_in_order",
        POSTINGS,
        "if waits or documents & blocked:",
        "if waits:",
        f"{GUARDS}::test_what_shares_a_document_waits_for_what_was_before_it",
        "a reversal overtakes its payment",
    ),
    one(
        "read_back",
        POSTINGS,
        "AND q.confirmed_seq > i.read_seq LIMIT :limit",
        "AND q.confirmed_seq < i.read_seq LIMIT :limit",
        f"{GUARDS}::test_every_confirmed_posting_is_read_back_until_a_later_read_has_it",
        "what was written is never read back",
    ),
    one(
        "look_before_resend",
        "activities/posting.py",
        "if found:\n            return await self._confirm(posting, fence, found[0])",
        "if len(found) > 9:\n            return await self._confirm(posting, fence, found[0])",
        "tests/incidents/test_erp_documents.py::test_a_document_whose_answer_was_lost_is_found_and_never_written_again",
        "a document is written twice",
    ),
    one(
        "quiet_time",
        "activities/payments.py",
        "young = self._clock() - row.sent_at < QUIET + lag",
        "young = False and lag",
        "tests/incidents/test_double_charges.py::test_a_charge_that_is_not_found_yet_keeps_its_hold",
        "a charge on its way is called off, and its invoice is paid again",
    ),
    one(
        "stable_key",
        "activities/payments.py",
        '|charge|{payment_id}|{attempt}".encode()',
        '|charge|{payment_id}|{attempt}|{activity.info().attempt}".encode()',
        "tests/incidents/test_double_charges.py::test_a_worker_that_died_while_sending_charges_once",
        "each try is a charge",
    ),
    one(
        "known_events_only",
        "activities/events.py",
        "row.state.value == event.claims and row.state not in IN_FLIGHT",
        "row.state not in IN_FLIGHT",
        "tests/incidents/test_webhooks.py::test_a_late_return_is_booked_whatever_came_before",
        "a return is taken for old news",
    ),
    one(
        "events_once",
        TABLES,
        "CREATE UNIQUE INDEX uq_inbox_dedupe",
        "CREATE INDEX uq_inbox_dedupe",
        f"{GUARDS}::test_an_event_is_stored_once_however_often_it_comes",
        "a repeated event is an event of its own",
    ),
    one(
        "older_reads",
        "store/snapshots.py",
        "WHERE i.read_seq < excluded.read_seq",
        "WHERE i.read_seq > 0",
        "tests/store/test_balances_equal_the_model.py::test_the_sql_equals_the_model_after_every_step_of_sixty_walks",
        "an old answer of the ERP replaces a new one",
    ),
    one(
        "journal_balances",
        RULES,
        "GROUP BY currency HAVING sum(amount) <> 0",
        "GROUP BY currency HAVING false",
        f"{GUARDS}::test_an_entry_that_does_not_balance_is_refused_when_its_transaction_ends",
        "money comes from nowhere",
    ),
    one(
        "journal_for_ever",
        RULES,
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON journal_lines FOR EACH ROW EXECUTE FUNCTION refuse_change();",
        "",
        f"{GUARDS}::test_what_is_written_for_ever_is_not_changed_even_by_the_administrator",
        "history is rewritten",
    ),
    one(
        "asked_before_sent_again",
        "activities/payments.py",
        "if activity.info().attempt > 1:",
        "if False:",
        f"{STILL}::test_a_second_attempt_asks_first_for_the_provider_may_have_forgotten_the_key",
        "the key is forgotten after a day, and the card is charged again",
    ),
    one(
        "sent_again_if_refused",
        POSTINGS,
        "WHERE id = :id AND state = 'refused' AND attempts = :attempts RETURNING",
        "WHERE id = :id AND attempts = :attempts RETURNING",
        "tests/processes/test_posting.py::test_what_the_erp_refused_is_sent_again_once_whoever_decides_it",
        "a document that the ERP has is written once more",
    ),
    one(
        "heard_stays_heard",
        "store/inbox.py",
        "AND (:state <> 'delivered' OR state NOT IN ('handled', 'stale'))",
        "",
        f"{GUARDS}::test_an_event_that_was_heard_is_not_marked_as_delivered_by_whoever_is_late",
        "an event that is done with is looked at for ever",
    ),
    one(
        "ended_event_closed",
        "activities/events.py",
        "id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,",
        "id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,",
        "tests/processes/test_providers_tell.py"
        "::test_the_sweep_hears_events_whose_process_is_gone_and_closes_what_was_heard_long_ago",
        "one event whose process has ended stops the whole sweep",
    ),
    one(
        "unheard_events_swept",
        "activities/events.py",
        "for each in woken if not await",
        "for each in woken[:0] if not await",
        "tests/incidents/test_webhooks.py::test_an_event_whose_process_was_lost_before_it_asked_is_swept_up",
        "an event that woke a process which was lost is never looked at",
    ),
    one(
        "sent_within",
        "activities/payments.py",
        "if self._clock() - announced_at > SEND_WITHIN:",
        "if False:",
        f"{STILL}::test_a_charge_is_not_sent_long_after_it_was_announced",
        "a worker that stood still charges what others have given up",
    ),
    one(
        "posted_within",
        "activities/posting.py",
        "if self._clock() - claimed_at > WINDOW:",
        "if False:",
        f"{STILL}::test_a_posting_is_not_sent_long_after_it_was_claimed",
        "a worker that stood still writes what another has written",
    ),
    one(
        "one_default",
        TABLES,
        "CREATE UNIQUE INDEX uq_payment_methods_default",
        "CREATE INDEX uq_payment_methods_default",
        f"{GUARDS}::test_a_customer_has_no_two_defaults_whoever_writes_them",
        "a payment by default takes either of two cards",
    ),
    one(
        "method_held_while_it_pays",
        OPENING,
        'lock="FOR SHARE"',
        'lock=""',
        "tests/activities/test_method_changes.py::test_a_method_that_pays_is_not_removed_and_one_being_removed_does_not_pay",
        "a card is removed at the provider while it is charged",
    ),
    one(
        "stored_before_acknowledged",
        "api/webhooks.py",
        """async def receive(connection_id: str, request: Request) -> PlainTextResponse:
""",
        """async def at_once(connection_id: str, request: Request) -> PlainTextResponse:
    try:
        return await receive(connection_id, request)
    except Exception:
        return PlainTextResponse("stored\\n", status_code=202)


async def receive(connection_id: str, request: Request) -> PlainTextResponse:
""",
        "tests/api/test_security_webhooks.py::test_a_delivery_that_could_not_be_stored_is_not_acknowledged",
        "an event is acknowledged and lost",
    ),
)
