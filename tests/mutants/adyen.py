"""Guards at Adyen's edge: every item's signature, a colon that moves, a debit that is not yet money, a unit."""

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
)
