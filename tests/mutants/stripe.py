"""Guards at one provider's edge: an answer that was not read, a key, a unit, a signature, a return."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import one

ROOM: Final = "connectors/payments/stripe"
CLIENT: Final = f"{ROOM}/client.py"
MONEY: Final = f"{ROOM}/money.py"
HOOKS: Final = f"{ROOM}/webhooks.py"
WORDS: Final = f"{ROOM}/translate.py"
FINDING: Final = f"{ROOM}/finding.py"
PROVIDER: Final = f"{ROOM}/provider.py"
TESTS: Final = "tests/connectors/stripe"
KIT: Final = f"{TESTS}/test_stripe_conformance.py::TestStripe"

STRIPE: Final = (
    one(
        "stripe_unread_answer",
        CLIENT,
        '            raise OutcomeUnknown(f"Stripe\'s answer was not read ({type(unread).__name__}).") from unread',
        '            raise Unavailable(f"Stripe\'s answer was not read ({type(unread).__name__}).") from unread',
        f"{KIT}::test_an_answer_that_was_not_read_is_unknown_and_then_found",
        "a charge whose answer was lost is sent again as if nothing had happened",
    ),
    one(
        "stripe_server_error",
        CLIENT,
        "    if not facts or not 400 <= status < 500 or status == 424:",
        "    if not facts:",
        f"{KIT}::test_a_replayed_server_error_stays_unknown_and_charges_nothing_more",
        "a 500 that hides a charge is taken for a refusal",
    ),
    one(
        "stripe_library_repeats",
        CLIENT,
        "            max_network_retries=0,",
        "            max_network_retries=2,",
        f"{TESTS}/test_stripe_errors.py::test_stripe_s_wish_to_be_asked_again_is_not_followed_behind_our_back",
        "the library sends a write again by itself",
    ),
    one(
        "stripe_key_left_out",
        CLIENT,
        'return await self._ask("post", path, {**body, "idempotency_key": key}, accepts=accepts)',
        'return await self._ask("post", path, {**body}, accepts=accepts)',
        f"{KIT}::test_the_same_key_charges_once_and_answers_the_same",
        "a second send is a second charge",
    ),
    one(
        "stripe_endless_list",
        FINDING,
        '            after = {"starting_after": str(found[-1].get("id"))}\n        raise',
        '            after = {"starting_after": str(found[-1].get("id"))}\n        return\n        raise',
        f"{TESTS}/test_stripe_errors.py::test_a_list_that_does_not_end_never_says_that_there_is_none",
        "a look that stopped early says that there is no refund, and it is sent again",
    ),
    one(
        "stripe_young_charges",
        FINDING,
        'found = {each["id"]: each async for each in self._listed("/v1/payment_intents", since, INTENT, our_ref)}',
        "found: dict[str, Any] = {}",
        f"{KIT}::test_an_answer_that_was_not_read_is_unknown_and_then_found",
        "a charge that the search does not show yet is not there",
    ),
    one(
        "stripe_exact_units",
        MONEY,
        "    if left:\n        raise Rejected(",
        "    if False:\n        raise Rejected(",
        f"{TESTS}/test_stripe_money.py",
        "an amount is rounded on its way to the provider",
    ),
    one(
        "stripe_thousandths",
        MONEY,
        "    if currency in _THOUSANDTHS and units % 10:",
        "    if False:",
        f"{TESTS}/test_stripe_money.py",
        "an amount in thousandths goes out that the provider would round",
    ),
    one(
        "stripe_debit_returns",
        WORDS,
        "    if losses:\n        return ChargeStatus.RETURNED\n",
        "    if losses:\n        return ChargeStatus.CAPTURED\n",
        f"{KIT}::test_a_debit_takes_days",
        "a bank debit that came back stays paid",
    ),
    one(
        "stripe_question_under_way",
        WORDS,
        "    if asks_the_customer(body) and now - created < UNDER_WAY:",
        "    if False:",
        f"{TESTS}/test_stripe_lifecycle.py::test_a_bank_s_question_whose_answer_was_lost_is_pending_and_then_declined",
        "a charge is given up while the bank may still wave it through",
    ),
    one(
        "stripe_future_delivery",
        "connectors/deliveries.py",
        "    if abs(age) > _TOLERANCE:",
        "    if age > _TOLERANCE:",
        f"{TESTS}/test_stripe_webhooks.py::test_an_old_and_a_future_delivery_are_refused",
        "a delivery from the future is kept and played later",
    ),
    one(
        "stripe_other_account",
        HOOKS,
        '    if body["livemode"] is not is_live or body.get("account") not in {None, account}:',
        "    if False:",
        f"{TESTS}/test_stripe_webhooks.py::test_the_other_mode_and_another_account_are_not_ours",
        "a test event wakes a live payment",
    ),
    one(
        "stripe_short_secret",
        CLIENT,
        "if not self.webhook_secrets or any(len(secret.strip()) < _SHORTEST_SECRET for secret in self.webhook_secrets):",
        "if False:",
        f"{TESTS}/test_stripe_webhooks.py::test_an_empty_or_short_secret_refuses_to_start",
        "with an empty secret anybody can sign",
    ),
    one(
        "stripe_kept_until_detached",
        PROVIDER,
        '            if kept is not None and kept.get("customer") is not None:',
        "            if False:",
        f"{KIT}::test_a_refused_detach_says_so_and_the_method_stays",
        "a method that could not be forgotten is shown as forgotten",
    ),
)
