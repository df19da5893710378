"""Stripe's words as its official description and its own examples have them, read by our translation."""

from datetime import UTC, datetime
from typing import Any, Final

import pytest

from connectors.payments.ports import ChargeStatus, RefundStatus, SetupStatus
from connectors.payments.stripe import translate
from connectors.payments.stripe.webhooks import CLAIMS
from domain.methods import MethodKind
from domain.money import Money
from tests.connectors.stripe import official

pytestmark = [
    pytest.mark.may_skip("Stripe's description is not in this repository"),
    pytest.mark.skipif(not official.is_there(), reason="Stripe's official description is not beside this repository"),
]

AT: Final = datetime(2026, 3, 16, 10, tzinfo=UTC)
READ: Final = {
    "payment_intent": "id status amount amount_received currency created customer metadata latest_charge last_payment_error"
    " next_action payment_method setup_future_usage",
    "checkout.session": "id status mode url expires_at amount_total currency customer metadata payment_intent setup_intent",
    "setup_intent": "status payment_method last_setup_error",
    "charge": "balance_transaction disputed payment_method_details amount_refunded",
    "balance_transaction": "status",
    "dispute": "status reason payment_intent amount",
    "refund": "id status amount currency payment_intent metadata failure_reason",
    "payment_method": "id type customer card us_bank_account sepa_debit bacs_debit",
    "payment_method_card": "brand last4 exp_month exp_year",
    "payment_method_us_bank_account": "bank_name last4",
    "payment_method_sepa_debit": "bank_code last4",
    "payment_method_details_card": "brand last4 exp_month exp_year",
    "payment_method_details_us_bank_account": "bank_name last4 expected_debit_date",
    "payment_method_details_sepa_debit": "bank_code last4 expected_debit_date",
    "api_errors": "type code decline_code message payment_intent payment_method",
    "payment_intent_next_action": "redirect_to_url verify_with_microdeposits",
    "payment_intent_next_action_redirect_to_url": "url",
    "payment_intent_next_action_verify_with_microdeposits": "hosted_verification_url",
    "event": "id object type created livemode account data",
    "account": "id charges_enabled capabilities",
    "webhook_endpoint": "status enabled_events",
}


def words_of(name: str) -> list[str]:
    found: list[str] = official.schema_of(name)["properties"]["status"]["enum"]
    return found


@pytest.mark.parametrize("name", READ)
def test_what_the_translation_reads_is_what_stripe_writes(name: str) -> None:
    assert set(READ[name].split()) - set(official.schema_of(name)["properties"]) == set()


def intent(**changes: Any) -> dict[str, Any]:
    made = {**official.fixture("payment_intent"), "metadata": {"our_ref": "pay_1"}, "customer": "cus_1"}
    return {**made, "latest_charge": official.fixture("charge"), "next_action": None, "last_payment_error": None, **changes}


def test_every_status_of_a_payment_has_one_of_ours_and_only_money_is_captured() -> None:
    became = {word: translate.charge(intent(status=word), now=AT).status for word in words_of("payment_intent")}
    assert became == {
        "canceled": ChargeStatus.CANCELED,
        "processing": ChargeStatus.PROCESSING,
        "requires_action": ChargeStatus.PENDING,  # without an address there is nothing that the customer could do
        "requires_capture": ChargeStatus.PENDING,
        "requires_confirmation": ChargeStatus.PENDING,
        "requires_payment_method": ChargeStatus.DECLINED,
        "succeeded": ChargeStatus.CAPTURED,
    }


def test_every_status_of_a_dispute_has_taken_the_money_or_not() -> None:
    disputed = {**official.fixture("charge"), "disputed": True}
    taken = set()
    for word in words_of("dispute"):
        told = ({**official.fixture("dispute"), "status": word},)
        charge = translate.charge(intent(status="succeeded", latest_charge=disputed), now=AT, disputes=told)
        if charge.status in {ChargeStatus.DISPUTED, ChargeStatus.RETURNED}:
            taken.add(word)
        assert (charge.status is ChargeStatus.RETURNED) is (word == "lost")
    assert taken == {"needs_response", "under_review", "lost"}


def test_every_status_of_a_page_has_one_of_ours() -> None:
    session = {**official.fixture("checkout.session"), "amount_total": 100, "currency": "jpy", "metadata": {"our_ref": "p"}}
    session |= {"expires_at": int(AT.timestamp()) + 60, "url": "https://checkout.example/c", "payment_intent": None}
    became = {word: translate.page({**session, "status": word}, now=AT).status for word in words_of("checkout.session")}
    assert became == {
        "open": ChargeStatus.NEEDS_CUSTOMER,
        "expired": ChargeStatus.CANCELED,
        "complete": ChargeStatus.PENDING,  # until its payment intent is shown
    }
    assert translate.page({**session, "status": "expired", "expires_at": 1}, now=AT).status is ChargeStatus.EXPIRED
    assert translate.page({**session, "status": "open"}, now=AT).amount == Money.of(100, "JPY")


def test_every_status_of_a_set_up_has_one_of_ours() -> None:
    session = {**official.fixture("checkout.session"), "status": "complete", "metadata": {"our_ref": "set_1"}}
    method = {**official.fixture("payment_method"), "type": "card"}
    became = {}
    for word in words_of("setup_intent"):
        whole = {**official.fixture("setup_intent"), "status": word, "payment_method": method, "last_setup_error": None}
        became[word] = translate.setup({**session, "setup_intent": whole}, now=AT).status
    assert became == {
        "canceled": SetupStatus.FAILED,
        "processing": SetupStatus.VERIFYING,
        "requires_action": SetupStatus.VERIFYING,
        "requires_confirmation": SetupStatus.VERIFYING,
        "requires_payment_method": SetupStatus.FAILED,
        "succeeded": SetupStatus.COMPLETED,
    }


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("pending", RefundStatus.PROCESSING),
        ("requires_action", RefundStatus.PROCESSING),
        ("succeeded", RefundStatus.SUCCEEDED),
        ("failed", RefundStatus.FAILED),
        ("canceled", RefundStatus.FAILED),
        ("something new", RefundStatus.PENDING),
    ],
)
def test_stripe_s_own_example_of_a_refund_is_read(word: str, status: RefundStatus) -> None:
    told = {**official.fixture("refund"), "status": word, "payment_intent": "pi_1", "metadata": {"our_ref": "rfd_1"}}
    refund = translate.refund(told)
    assert (refund.status, refund.amount, refund.our_ref, refund.charge_id) == (
        status,
        Money.of(100, "USD"),
        "rfd_1",
        "pi_1",
    )


def test_stripe_s_own_example_of_a_method_is_read() -> None:
    method = translate.method({**official.fixture("payment_method"), "type": "card"})
    assert method is not None
    assert (method.kind, len(method.last4)) == (MethodKind.CARD, 4)
    assert translate.method({**official.fixture("payment_method"), "type": "link"}) is None


def test_every_event_that_is_asked_for_exists() -> None:
    body = official.description()["paths"]["/v1/webhook_endpoints"]["post"]["requestBody"]["content"][official.FORM]
    assert set(CLAIMS) - set(body["schema"]["properties"]["enabled_events"]["items"]["enum"]) == set()
