"""Guards around what a provider tells late, twice, out of order, or only when it is asked."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import one

EVENTS: Final = "activities/events.py"
CATCHING_UP: Final = "activities/catching_up.py"
INBOX: Final = "store/inbox.py"
NAMED: Final = "tests/telling/test_named_references.py"
HEARD: Final = "tests/incidents/test_webhooks.py"
LATE: Final = "tests/telling/test_late_truth.py"
RECORDING: Final = "activities/recording.py"
CAUGHT_UP: Final = "tests/telling/test_catching_up.py"
LOOKS: Final = "tests/telling/test_looks_are_scheduled.py"

TELLING: Final = (
    one(
        "reference_asked_for",
        EVENTS,
        "    if process is not None or _may_be_named(event):",
        "    if process is not None:",
        f"{NAMED}::test_what_bears_no_reference_is_applied_to_what_the_provider_names",
        "a dispute, which bears no reference of ours, is parked while the invoice stays paid",
    ),
    one(
        "unreachable_is_not_nobody",
        EVENTS,
        "        our_ref = await names.reference_of(event.provider_id)\n        if our_ref is None:",
        "        try:\n            our_ref = await names.reference_of(event.provider_id)\n        except Unavailable:\n"
        "            our_ref = None\n        if our_ref is None:",
        f"{NAMED}::test_a_provider_that_is_away_is_asked_again_and_nothing_is_parked",
        "an event of ours is put aside because the provider was away",
    ),
    one(
        "another_charge_is_news",
        EVENTS,
        "or event.claims is None or _is_of_another_charge(event, payment.provider_ref):",
        "or event.claims is None:",
        f"{HEARD}::test_an_event_of_a_second_charge_is_never_what_is_known_already",
        "the event of a second charge is put aside as one that repeats what is booked",
    ),
    one(
        "second_charge_told",
        EVENTS,
        "        if len(moving) <= is_its_own:",
        "        if len(moving) <= 2:",
        f"{HEARD}::test_an_event_of_a_second_charge_is_never_what_is_known_already",
        "a customer is charged twice and nobody is told",
    ),
    one(
        "parked_found_again",
        INBOX,
        "                      OR EXISTS (SELECT 1 FROM payments p WHERE p.id = split_part(i.our_ref, '-', 1))\n",
        "",
        f"{NAMED}::test_a_parked_event_is_found_again_when_what_the_provider_named_appears",
        "what was parked stays parked though its payment is there",
    ),
    one(
        "parked_found_by_id",
        INBOX,
        "WHERE p.connection_id = i.connection_id AND p.provider_ref = i.provider_id)",
        "WHERE p.connection_id = i.connection_id AND p.provider_ref = i.our_ref)",
        f"{NAMED}::test_where_nobody_can_name_it_the_payment_s_own_answer_finds_the_parked_event",
        "an event that was faster than the answer it is about is never looked at again",
    ),
    one(
        "parked_stays_parked",
        EVENTS,
        '"delivered", at=clock(), seen=event.state)',
        '"delivered", at=clock())',
        f"{NAMED}::test_what_the_provider_does_not_know_is_parked_and_asked_once",
        "what nobody knows is noted as delivered, and no person sees it",
    ),
    one(
        "place_in_the_list_kept",
        CATCHING_UP,
        "await cursors.keep(tx, connection_id, page.cursor, read_at=asked_at)",
        "await cursors.keep(tx, connection_id, None, read_at=asked_at)",
        f"{CAUGHT_UP}::test_a_look_goes_on_where_the_last_one_ended",
        "every look reads the whole list again, and a long one never comes to its end",
    ),
    one(
        "listed_is_delivered",
        CATCHING_UP,
        "                    await self._deliver(inbox_id)",
        "                    pass",
        f"{CAUGHT_UP}::test_what_no_webhook_brought_is_found_at_stripe",
        "what was found in the list is stored and applied to nothing",
    ),
    one(
        "later_look_kept",
        "store/cursors.py",
        "           WHERE c.read_at <= excluded.read_at",
        "           WHERE true",
        f"{CAUGHT_UP}::test_a_look_that_was_slow_does_not_take_back_where_a_later_one_ended",
        "a slow look takes the place in the list back",
    ),
    one(
        "oldest_first",
        "connectors/payments/stripe/finding.py",
        "                return found[::-1], until is not None",
        "                return found[::-1], False",
        "tests/connectors/stripe/test_stripe_lifecycle.py::test_more_events_than_a_page_holds_are_all_listed",
        "a first look that was too long ends in the middle and says that it came to the end",
    ),
    one(
        "new_connection_looked_at",
        "wiring.py",
        "        for each in list(self._connected.by_connection):",
        "        for each in list(self._connected.by_connection) if not self._kept else ():",
        f"{LOOKS}::test_a_connection_has_its_look_and_one_that_is_new_gets_it_at_once",
        "a connection that staff made is never asked for what its webhooks did not bring",
    ),
    one(
        "look_follows_its_limit",
        "wiring.py",
        "            if not is_new and self._kept[each] == queue:",
        "            if not is_new:",
        f"{LOOKS}::test_a_look_follows_its_connection_s_limit_to_another_queue_and_back",
        "a connection's looks go past the limit that it was given later",
    ),
    one(
        "each_step_booked",
        RECORDING,
        "        if before.state in IN_FLIGHT:\n            await payments.capture(",
        "        if before.state in IN_FLIGHT and charge.status is not ChargeStatus.RETURNED:\n"
        "            await payments.capture(",
        "tests/telling/test_orders.py::test_some_orders_at_gocardless_come_to_one_end",
        "money that came and went before anybody asked is never booked, and its invoice stays held",
    ),
    one(
        "overtaken_answer",
        RECORDING,
        "and asked_at is not None and asked_at <= before.changed_at",
        "and asked_at is not None and asked_at is before.changed_at",
        f"{LATE}::test_an_answer_that_was_overtaken_by_a_dispute_does_not_win_it",
        "an answer that is older than the dispute wins it, and nobody answers the bank",
    ),
    one(
        "answer_to_the_charge",
        RECORDING,
        "        if asked_at is None:\n            return\n        if before.state is PaymentState.DISPUTED:",
        "        if before.state is PaymentState.DISPUTED:",
        f"{LATE}::test_the_answer_to_the_charge_itself_comes_too_late_to_win_a_dispute",
        "the answer to the charge, told late, wins a dispute",
    ),
    one(
        "asked_again_when_overtaken",
        EVENTS,
        "        if now.stale:",
        "        if False:",
        f"{LATE}::test_an_answer_that_was_overtaken_by_a_dispute_does_not_win_it",
        "an event whose look was overtaken is done with, though it may have told the dispute's end",
    ),
    one(
        "return_undone_told",
        RECORDING,
        "        if returned.minor > 0:",
        "        if False:",
        f"{LATE}::test_a_chargeback_that_is_cancelled_is_told_to_a_person_and_books_nothing_by_itself",
        "money that came back after its return lies at the provider, and nobody knows",
    ),
    one(
        "dispute_lost_in_part",
        "connectors/payments/stripe/translate.py",
        "and sum(gone) >= amount",
        "and sum(gone) > 0",
        "tests/connectors/stripe/test_stripe_lifecycle.py::test_a_dispute_that_is_lost_about_a_part_is_for_a_person",
        "a part that was lost takes the whole payment off its invoices",
    ),
    one(
        "dispute_lost_comes_back",
        "connectors/payments/stripe/translate.py",
        "        return ChargeStatus.RETURNED if _is_all_lost(taken, losses, amount) else ChargeStatus.DISPUTED",
        "        return ChargeStatus.DISPUTED",
        f"{LATE}::test_a_dispute_that_is_lost_opens_the_invoice_and_waits_until_that_is_paid_again",
        "a dispute that was lost leaves its invoice paid with money that is gone",
    ),
    one(
        "another_charge_is_not_heard",
        "store/inbox.py",
        "(subject <> 'charge' OR provider_id IS NULL",
        "(true OR provider_id IS NULL",
        "tests/store/test_events_heard.py::test_an_answer_is_the_end_of_what_came_before_it_but_for_another_charge",
        "an event of a second charge is closed by an answer about the first, and nobody learns of it",
    ),
)
