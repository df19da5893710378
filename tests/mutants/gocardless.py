"""Guards at one provider's edge: a key that compares nothing, a late failure, a total, a signature."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import one

ROOM: Final = "connectors/payments/gocardless"
TESTS: Final = "tests/connectors/gocardless"
LIFE: Final = f"{TESTS}/test_gocardless_lifecycle.py"

GOCARDLESS: Final = (
    one(
        "gocardless_conflict_compared",
        f"{ROOM}/provider.py",
        '            if theirs != (units, body["currency"], order.method_token, order.our_ref):',
        "            if False:",
        f"{LIFE}::test_a_key_that_made_another_payment_is_never_success",
        "a payment of another amount is taken for the one that was asked for",
    ),
    one(
        "gocardless_unread_answer",
        f"{ROOM}/client.py",
        '            raise OutcomeUnknown(f"GoCardless\'s answer was not read ({type(unread).__name__}).") from unread',
        '            raise Unavailable(f"GoCardless\'s answer was not read ({type(unread).__name__}).") from unread',
        f"{LIFE}::test_a_lost_answer_is_unknown_then_found_and_the_same_key_gives_the_same_payment",
        "a charge whose answer was lost is sent again as if nothing had happened",
    ),
    one(
        "gocardless_late_failure",
        f"{ROOM}/translate.py",
        '        elif any(each.get("action") in _HAD_MONEY for each in history):',
        "        elif False:",
        f"{LIFE}::test_a_failure_after_the_money_was_there_is_a_return",
        "a debit that came back after success is told as if it had never been paid",
    ),
    one(
        "gocardless_early_money",
        f"{ROOM}/translate.py",
        '"submitted": ChargeStatus.PROCESSING',
        '"submitted": ChargeStatus.CAPTURED',
        f"{TESTS}/test_gocardless_conformance.py::TestGoCardless::test_a_debit_takes_days",
        "a debit that is only with the bank counts as paid, and fails afterwards",
    ),
    one(
        "gocardless_stranger_s_mandate",
        f"{ROOM}/provider.py",
        'if mandate is None or translate.part(mandate, "links").get("customer") != order.payer.provider_ref:',
        "if mandate is None:",
        f"{TESTS}/test_gocardless_conformance.py::TestGoCardless::test_a_detached_method_and_a_stranger_s_method_are_rejected",
        "another customer's account is debited",
    ),
    one(
        "gocardless_most_events",
        f"{ROOM}/webhooks.py",
        "not 0 < len(listed) <= MOST_EVENTS",
        "not 0 < len(listed)",
        f"{TESTS}/test_gocardless_webhooks.py::test_a_delivery_holds_up_to_250_events_and_no_more",
        "a delivery of any length is worked on",
    ),
    one(
        "gocardless_other_organisation",
        f"{ROOM}/webhooks.py",
        '    if organisation is not None and links.get("organisation") not in {None, organisation}:',
        "    if False:",
        f"{TESTS}/test_gocardless_webhooks.py::test_another_organisation_s_event_is_not_ours",
        "another organisation's event wakes a payment",
    ),
    one(
        "gocardless_short_secret",
        f"{ROOM}/client.py",
        "if not self.webhook_secrets or any(len(each.strip()) < _SHORTEST_SECRET for each in self.webhook_secrets):",
        "if False:",
        f"{TESTS}/test_gocardless_webhooks.py::test_a_short_secret_and_a_token_of_the_other_mode_refuse_to_start",
        "with an empty secret anybody can sign",
    ),
)
