"""GoCardless's deliveries in its own scheme: its vector, its batches, organisations, shapes, amounts."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, Final

import pytest

from connectors.errors import Misconfigured, OutcomeUnknown, Rejected, WebhookRejected
from connectors.payments.gocardless import GoCardlessConfig, webhooks
from connectors.payments.gocardless.money import SERVED, from_gocardless, to_gocardless
from connectors.payments.ports import ChargeStatus, EventSubject, ProviderEvent
from domain.money import Money
from tests.connectors.gocardless import official
from tests.connectors.gocardless.harness import ACCESS_TOKEN, SECRETS

GENUINE: Final[Mapping[str, Any]] = {
    "id": "EV1",
    "created_at": "2026-03-16T10:00:00.000Z",
    "resource_type": "payments",
    "action": "confirmed",
    "links": {"payment": "PM1", "organisation": "OR1"},
    "resource_metadata": {"our_ref": "pay_1:1"},
}
LOST_SHAPES: Final[Mapping[str, tuple[str, object]]] = {
    "no id": ("id", None),
    "id is a number": ("id", 7),
    "id is long": ("id", "x" * 201),
    "moment is words": ("created_at", "yesterday"),
    "moment without a zone": ("created_at", "2026-03-16T10:00:00"),
    "action is a list": ("action", ["confirmed"]),
    "links are a list": ("links", []),
    "payment is an object": ("links", {"payment": {"id": "PM1"}}),
    "reference is a number": ("resource_metadata", {"our_ref": 7}),
}


def read(events: list[Any], *, organisation: str | None = None) -> tuple[ProviderEvent, ...]:
    raw = json.dumps({"events": events}).encode()
    mark = hmac.new(SECRETS[1].encode(), raw, hashlib.sha256).hexdigest()
    return webhooks.read(raw, {"Webhook-Signature": mark}, secrets=SECRETS, organisation=organisation)


@pytest.mark.skipif(not official.is_there(), reason="GoCardless's examples are not beside the repository")
def test_gocardless_s_own_vector_is_believed_and_read() -> None:
    vector = json.loads((official.EXAMPLES / "webhook_vector.json").read_text())
    raw = (official.EXAMPLES / "webhook_body.json").read_bytes().rstrip(b"\n")
    headers = {"webhook-signature": vector["signature"]}
    events = webhooks.read(raw, headers, secrets=("another-secret-of-ours", vector["key"]), organisation=None)
    assert [(each.event_id, each.kind, each.subject) for each in events] == [
        ("EV00BD05S5VM2T", "subscriptions.created", EventSubject.OTHER),
        ("EV00BD05TB8K63", "mandates.created", EventSubject.METHOD),
    ]
    with pytest.raises(WebhookRejected):
        webhooks.read(raw + b" ", headers, secrets=(vector["key"],), organisation=None)


def test_a_delivery_holds_up_to_250_events_and_no_more() -> None:
    many = [{**GENUINE, "id": f"EV{number}"} for number in range(250)]
    assert len({each.dedupe_key for each in read(many)}) == 250
    for wrong in ([*many, GENUINE], []):
        with pytest.raises(WebhookRejected, match="shape"):
            read(wrong)


def test_one_bad_event_refuses_the_whole_delivery() -> None:
    for name, value in LOST_SHAPES.values():
        with pytest.raises(WebhookRejected, match="shape"):
            read([GENUINE, {**GENUINE, name: value}])


def test_another_organisation_s_event_is_not_ours() -> None:
    (event,) = read([GENUINE], organisation="OR1")
    assert (event.our_ref, event.provider_id, event.claims) == ("pay_1:1", "PM1", ChargeStatus.CAPTURED)
    with pytest.raises(WebhookRejected, match="account"):
        read([GENUINE], organisation="OR2")


def test_a_failure_and_an_unknown_action_claim_nothing() -> None:
    for action in ("failed", "quantum_leap", "chargeback_cancelled"):
        (event,) = read([{**GENUINE, "action": action}])
        assert (event.subject, event.claims) == (EventSubject.CHARGE, None)


def test_a_short_secret_and_a_token_of_the_other_mode_refuse_to_start() -> None:
    for secrets in ((), ("",), ("short",), (SECRETS[0], " " * 20)):
        with pytest.raises(Misconfigured):
            GoCardlessConfig(access_token=ACCESS_TOKEN, webhook_secrets=secrets, is_live=False)
    for token, is_live in ((ACCESS_TOKEN, True), ("live_one", False), ("", False), ("sandbox_", False)):
        with pytest.raises(Misconfigured):
            GoCardlessConfig(access_token=token, webhook_secrets=SECRETS, is_live=is_live)
    with pytest.raises(Misconfigured):
        GoCardlessConfig(access_token="live_one", webhook_secrets=SECRETS, is_live=True, base_url="http://127.0.0.1:9")
    config = GoCardlessConfig(access_token=ACCESS_TOKEN, webhook_secrets=SECRETS, is_live=False)
    assert not any(secret in repr(config) for secret in (ACCESS_TOKEN, *SECRETS))


def test_amounts_are_exact_or_refused() -> None:
    for currency in SERVED:
        assert from_gocardless(to_gocardless(Money.of(12_345, currency)), currency) == Money.of(12_345, currency)
    for currency in ("JPY", "CHF", "KWD"):
        with pytest.raises(Rejected):
            to_gocardless(Money.of(100, currency))
    for units, told in ((1.5, "EUR"), ("100", "EUR"), (True, "EUR"), (-1, "EUR"), (100, "eur"), (100, "JPY"), (100, None)):
        with pytest.raises(OutcomeUnknown):
            from_gocardless(units, told)


@pytest.mark.skipif(not official.is_there(), reason="GoCardless's examples are not beside the repository")
def test_the_judge_sees_a_slip() -> None:
    good = {
        "method": "POST",
        "path": "/payments",
        "query": {},
        "version": "2015-07-06",
        "key": "k",
        "body": {"payments": {"amount": 1, "links": {"mandate": "MD1"}, "metadata": {"our_ref": "x"}}},
    }
    slips: list[Mapping[str, Any]] = [
        {"version": None},
        {"key": None},
        {"path": "/payments/PM1/actions/refund"},
        {"method": "PATCH"},
        {"query": {"our_ref": "x"}},
        {"body": {"payments": {"amount": "1"}}},
        {"body": {"payments": {"amount": 1, "mandate": "MD1"}}},
        {"body": {"payments": {"links": {"customers": "CU1"}}}},
        {"body": {"payment": {"amount": 1}}},
    ]
    assert official.violations(good) == []
    for slip in slips:
        assert official.violations({**good, **slip}), slip
