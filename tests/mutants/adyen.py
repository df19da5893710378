"""Guards at Adyen's edge, and around a provider that cannot be searched: every item's signature, a debit that is not yet
money, a key that answers for another amount, silence that releases nothing.
"""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import one

ROOM: Final = "connectors/payments/adyen"
HOOKS: Final = f"{ROOM}/webhooks.py"
SIGNING: Final = f"{ROOM}/signing.py"
BODY: Final = f"{ROOM}/body.py"
MONEY: Final = f"{ROOM}/money.py"
TESTS: Final = "tests/connectors/adyen"
READ: Final = f"{TESTS}/test_adyen_webhooks.py"
FOLDING: Final = f"{ROOM}/folding.py"
TRANSLATE: Final = f"{ROOM}/translate.py"
PROVIDER: Final = f"{ROOM}/provider.py"
CLIENT: Final = f"{ROOM}/client.py"
FOLDED: Final = f"{TESTS}/test_adyen_folding.py"
STORY: Final = f"{TESTS}/test_adyen_lifecycle.py"
LATE: Final = "tests/telling/test_late_truth_by_events.py"
ERRORS: Final = f"{TESTS}/test_adyen_errors.py"
ASKING: Final = "tests/activities/test_asking.py"

ADYEN: Final = (
    one(
        "adyen_first_item_only",
        HOOKS,
        "    for item in read_items:\n        signing",
        "    for item in read_items[:1]:\n        signing",
        f"{READ}::test_a_forged_second_item_takes_the_whole_batch_with_it",
        "whoever has one signed item adds any other to it",
    ),
    one(
        "adyen_colon_moves",
        SIGNING,
        '    if any(":" in each for each in (*before, *after)):',
        "    if False:",
        f"{READ}::test_a_colon_cannot_move_from_a_field_to_the_next",
        "a signature is believed for fields that were not signed so",
    ),
    one(
        "adyen_short_key",
        SIGNING,
        "    if not keys or any(len(key) < _SHORTEST_KEY for key in keys):",
        "    if not keys:",
        f"{READ}::test_an_empty_or_short_key_is_no_key",
        "an empty key lets anybody sign",
    ),
    one(
        "adyen_debit_is_money",
        HOOKS,
        "            return ChargeStatus.PROCESSING if is_debit else ChargeStatus.CAPTURED if is_card else None",
        "            return ChargeStatus.CAPTURED",
        f"{READ}::test_an_authorised_debit_is_under_way_and_its_chargeback_a_return",
        "a debit that the bank has not seen is taken for money",
    ),
    one(
        "adyen_failure_claims",
        HOOKS,
        '    is_charged = subject is EventSubject.CHARGE and success == "true"',
        "    is_charged = subject is EventSubject.CHARGE",
        f"{READ}::test_an_authorised_debit_is_under_way_and_its_chargeback_a_return",
        "a refused card is told as captured",
    ),
    one(
        "adyen_future_event",
        BODY,
        "    if ahead > _AHEAD:",
        "    if False:",
        f"{READ}::test_a_signed_item_that_is_not_what_adyen_sends_is_refused",
        "an event from the future outdates all that come",
    ),
    one(
        "adyen_other_account",
        HOOKS,
        '    if item.get("merchantAccountCode") != account:',
        "    if False:",
        f"{READ}::test_a_signed_item_that_is_not_what_adyen_sends_is_refused",
        "another merchant account's payment moves ours",
    ),
    one(
        "adyen_units_of_iso",
        MONEY,
        "    theirs = _DECIMALS.get(currency, places)",
        "    theirs = places",
        f"{TESTS}/test_adyen_money.py::test_an_amount_is_told_in_adyen_s_units_and_comes_back_the_same",
        "a hundredth of a Chilean invoice is charged, or a hundredfold of an Indonesian one",
    ),
    one(
        "adyen_kind_by_hint",
        HOOKS,
        "    pays = _PAYS.get(ref.kind) if ref is not None and ref.kind is not None else ",
        "    pays = ",
        f"{FOLDED}::test_what_pays_is_what_our_signed_reference_says_and_not_what_the_event_says_beside",
        "a debit is called a card on its way, and is money at once",
    ),
    one(
        "adyen_card_in_facts",
        HOOKS,
        '    if item.get("success") == "false":',
        '    if item.get("reason"):',
        f"{FOLDED}::test_facts_are_signed_or_called_unsigned_and_tell_nothing_about_a_card",
        "the reason of a success is the card's last digits",
    ),
    one(
        "adyen_presumed_at_once",
        FOLDING,
        "    has_passed = now.date() >= settles_on(proof.received_at or proof.occurred_at, days)",
        "    has_passed = True",
        f"{FOLDED}::test_a_debit_is_presumed_settled_only_after_so_many_business_days_by_our_clock",
        "a debit that the bank has not seen is settled",
    ),
    one(
        "adyen_presumed_by_their_moment",
        FOLDING,
        "    has_passed = now.date() >= settles_on(proof.received_at or proof.occurred_at, days)",
        "    has_passed = now.date() >= settles_on(proof.occurred_at, days)",
        f"{FOLDED}::test_a_moment_that_is_not_signed_does_not_make_a_debit_old",
        "a moment that nobody signed makes a fresh debit old",
    ),
    one(
        "adyen_page_ends_by_a_decline",
        FOLDING,
        '        if refused is None or refused.facts.get("is_page") == "yes":',
        "        if refused is None:",
        f"{FOLDED}::test_every_order_of_events_has_one_end",
        "a page that still takes another card is given up, and its money comes late",
    ),
    one(
        "adyen_capture_failed_unseen",
        FOLDING,
        "    if never_came is not None:",
        "    if False:",
        f"{LATE}::test_a_capture_that_failed_takes_the_money_back",
        "money that never came stays on its invoice",
    ),
    one(
        "adyen_only_authorised_is_proof",
        FOLDING,
        '_TAKEN_BACK: Final = ("CHARGEBACK", "SECOND_CHARGEBACK", "PREARBITRATION_LOST")',
        "_TAKEN_BACK: Final = ()",
        "tests/telling/test_orders.py::test_some_orders_at_adyen_come_to_one_end",
        "a chargeback whose authorisation was not delivered is not seen, and its payment waits for ever",
    ),
    one(
        "adyen_refund_came_back_unseen",
        FOLDING,
        "    proof = failed or went",
        "    proof, failed = went or failed, None if went else failed",
        f"{FOLDED}::test_a_refund_that_came_back_has_failed",
        "money that came back to us stays given back in the books",
    ),
    one(
        "adyen_another_amount",
        TRANSLATE,
        '    if amount != asked and result not in {"PartiallyAuthorised", *_ENDED}:',
        "    if False:",
        f"{ERRORS}::test_an_answer_to_a_write_says_what_may_be_done_and_is_asked_for_once",
        "what a key answers for another amount is taken for this one",
    ),
    one(
        "adyen_another_payment",
        TRANSLATE,
        "    if told is not None and (not isinstance(told, str) or references.read(told).our_ref != our_ref):",
        "    if False:",
        f"{ERRORS}::test_an_answer_to_a_write_says_what_may_be_done_and_is_asked_for_once",
        "another payment's answer is taken for this one's",
    ),
    one(
        "adyen_part_for_the_whole",
        TRANSLATE,
        "        amount=asked if status is ChargeStatus.DECLINED else amount,",
        "        amount=asked,",
        f"{STORY}::test_a_part_that_was_authorised_is_never_told_as_the_whole",
        "a part that was authorised settles the whole invoice",
    ),
    one(
        "adyen_debit_answered_is_money",
        TRANSLATE,
        "        return ChargeStatus.CAPTURED if kind.is_card else ChargeStatus.PROCESSING\n",
        "        return ChargeStatus.CAPTURED\n",
        f"{ERRORS}::test_a_word_of_adyen_s_is_money_only_where_it_says_so",
        "a debit is captured because Adyen took it",
    ),
    one(
        "adyen_somebody_else_s_page",
        PROVIDER,
        "        if answer is None or translate.reference_of(answer) != our_ref:",
        "        if answer is None:",
        f"{STORY}::test_a_page_that_could_not_be_read_is_never_none",
        "another payment's page tells of this one",
    ),
    one(
        "adyen_token_by_hint",
        PROVIDER,
        "        kept = await self._kept(shopper, mine, by_hint=False)",
        "        kept = next(iter(await self.list_methods(shopper)), None)",
        f"{STORY}::test_a_page_s_method_is_kept_only_where_its_own_payment_stored_it",
        "somebody else's card is kept for whoever pays",
    ),
    one(
        "adyen_stranger_s_method",
        PROVIDER,
        "        if stored is None or stored[0] != order.payer.customer_id:",
        "        if stored is None:",
        f"{ERRORS}::test_what_is_no_token_or_no_id_of_adyen_s_never_leaves",
        "one customer's card pays for another",
    ),
    one(
        "adyen_unquoted_query",
        CLIENT,
        '{each: quote(value, safe="") for each, value in query.items()}',
        "dict(query)",
        f"{ERRORS}::test_a_query_is_written_as_one_value",
        "a customer's id asks for another customer's methods",
    ),
    one(
        "adyen_refusal_of_a_proxy",
        CLIENT,
        '    if not 400 <= status < 500 or "errorCode" not in told:',
        "    if not 400 <= status < 500:",
        f"{ERRORS}::test_an_answer_to_a_write_says_what_may_be_done_and_is_asked_for_once",
        "a proxy's 404 is taken for Adyen's no, and what was charged is given up",
    ),
    one(
        "asked_by_key_after_the_end",
        "activities/payments.py",
        "            if not await payments.sending(tx, payment_id, at=announced_at):",
        "            if await payments.sending(tx, payment_id, at=announced_at) is None:",
        f"{ASKING}::test_what_has_ended_is_never_sent_to_be_asked_about",
        "a payment that was given up is charged by asking what became of it",
    ),
    one(
        "asked_by_a_dead_key",
        "activities/asking.py",
        "        return life is not None and at - first_sent_at < life",
        "        return life is not None",
        f"{ASKING}::test_a_key_that_may_be_forgotten_is_not_sent_again",
        "a key that is forgotten charges a second time",
    ),
    one(
        "asked_by_key_refused",
        "activities/payments.py",
        "            told = await self._announce_and_send(payment_id, is_first=False)",
        "            told = await self._announce_and_send(payment_id, is_first=True)",
        f"{ASKING}::test_a_second_send_that_is_refused_says_nothing_about_the_first",
        "a refusal of the second send gives up what the first one charged",
    ),
    one(
        "refund_refused_the_second_time",
        "activities/refunds.py",
        " or self._may_be_there(row)",
        "",
        f"{ASKING}::test_a_refund_that_is_refused_the_second_time_may_have_gone_the_first",
        "a refund that went is called failed, and is given once more",
    ),
    one(
        "heard_of_another_connection",
        "store/inbox.py",
        "SELECT * FROM inbox WHERE connection_id = :connection AND (our_ref",
        "SELECT * FROM inbox WHERE (our_ref",
        f"{ASKING}::test_events_are_found_by_our_reference_and_by_theirs_in_the_order_they_came",
        "one account's events move another account's payments",
    ),
    one(
        "facts_left_at_the_door",
        "store/inbox.py",
        '"facts": dict(event.facts),',
        '"facts": {},',
        "tests/api/test_facts_of_events.py::test_what_an_event_proves_is_stored_with_it",
        "a provider that cannot be searched is never heard",
    ),
    one(
        "not_told_what_was_heard",
        "activities/asking.py",
        "        return [_as_told(each) for each in events]",
        "        return []",
        f"{TESTS}/test_adyen_in_the_product.py::test_where_the_key_repeats_an_error_the_event_tells",
        "what was captured is never known, and its invoices stay reserved",
    ),
    one(
        "silence_releases",
        "activities/payments.py",
        "        if self._asking.key_life(row.connection_id) is not None:\n            return self._without",
        "        if self._asking.key_life(row.connection_id) is Told:\n            return self._without",
        f"{ASKING}::test_a_key_that_may_be_forgotten_is_not_sent_again",
        "a charge that nobody could be asked about is given up, and its invoices are paid twice",
    ),
    one(
        "adyen_page_too_late",
        PROVIDER,
        "        ends_at = max(order.expires_at, self._clock() + _SHORT_LIFE)",
        "        ends_at = order.expires_at",
        f"{STORY}::test_a_page_that_is_asked_about_after_its_time_can_still_be_closed",
        "what a page holds that nobody ever saw stays held for ever",
    ),
    one(
        "adyen_link_is_longer",
        PROVIDER,
        'r"PL(?![0-9A-Za-z]{14}$)[0-9A-Za-z]+"',
        'r"PL[0-9A-Za-z]+"',
        f"{STORY}::test_a_payment_whose_id_begins_as_a_pages_does_is_no_page",
        "the refund of one payment in thirteen hundred is refused unasked",
    ),
)
