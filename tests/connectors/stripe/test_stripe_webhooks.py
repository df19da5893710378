"""Stripe's deliveries in its own scheme: header, secrets, age, mode, account, what each event is about.

Signatures are held against Stripe's own library and against vectors that are written down here.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
import stripe as official_library

from connectors.errors import Misconfigured, WebhookRejected
from connectors.payments.ports import ChargeStatus, EventSubject, ProviderEvent
from connectors.payments.stripe import StripeConfig, webhooks
from connectors.payments.stripe.webhooks import CLAIMS
from tests.connectors.stripe.harness import API_KEY, SECRETS

NOW: Final = datetime(2026, 3, 16, 10, tzinfo=UTC)
GENUINE: Final[Mapping[str, Any]] = {
    "id": "evt_1",
    "object": "event",
    "type": "payment_intent.succeeded",
    "created": 1_773_655_000,
    "livemode": False,
    "data": {"object": {"id": "pi_1", "object": "payment_intent", "metadata": {"our_ref": "pay_1:1"}}},
}
VECTOR_BODY: Final = json.dumps(GENUINE, separators=(",", ":")).encode()
VECTOR_AT: Final = 1_773_655_200
LOST_SHAPES: Final[Mapping[str, tuple[str, object]]] = {
    "no id": ("id", None),
    "id is empty": ("id", ""),
    "not an event": ("object", "payment_intent"),
    "type is a list": ("type", ["payment_intent.succeeded"]),
    "moment is words": ("created", "yesterday"),
    "moment is true": ("created", True),
    "moment is beyond all calendars": ("created", 10**18),
    "mode is absent": ("livemode", None),
    "mode is a word": ("livemode", "false"),
    "data is absent": ("data", None),
    "data is a list": ("data", [{"object": {}}]),
    "object is text": ("data", {"object": "pi_1"}),
    "object's id is a number": ("data", {"object": {"id": 7, "object": "payment_intent"}}),
    "object's id is very long": ("data", {"object": {"id": "x" * 201, "object": "payment_intent"}}),
    "a session without a mode": ("data", {"object": {"id": "cs_1", "object": "checkout.session"}}),
    "a dispute of a list": ("data", {"object": {"id": "dp_1", "object": "dispute", "payment_intent": ["pi_1"]}}),
    "reference is a number": ("data", {"object": {"id": "pi_1", "object": "payment_intent", "metadata": {"our_ref": 7}}}),
    "reference holds NUL": ("data", {"object": {"id": "pi_1", "metadata": {"our_ref": "pay\x00"}}}),
}


def signed(raw: bytes, *, at: datetime = NOW, secret: str = SECRETS[0]) -> Mapping[str, str]:
    moment = str(int(at.timestamp()))
    mark = hmac.new(secret.encode(), moment.encode() + b"." + raw, hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={moment},v1={mark}"}


def read(
    raw: bytes, headers: Mapping[str, str], *, is_live: bool = False, account: str | None = None, now: datetime = NOW
) -> tuple[ProviderEvent, ...]:
    return webhooks.read(raw, headers, secrets=SECRETS, is_live=is_live, account=account, now=now)


def refused(raw: bytes, headers: Mapping[str, str], **rest: Any) -> str:
    with pytest.raises(WebhookRejected) as rejected:
        read(raw, headers, **rest)
    return rejected.value.reason


def changed(**fields: object) -> bytes:
    body = {**GENUINE, **fields}
    return json.dumps({name: value for name, value in body.items() if value is not None}).encode()


def about(**fields: object) -> bytes:
    return changed(data={"object": fields})


def test_a_genuine_event_is_read() -> None:
    (event,) = read(VECTOR_BODY, signed(VECTOR_BODY))
    assert (event.event_id, event.dedupe_key, event.kind) == ("evt_1", "evt_1", "payment_intent.succeeded")
    assert (event.subject, event.our_ref, event.provider_id) == (EventSubject.CHARGE, "pay_1:1", "pi_1")
    assert event.claims is ChargeStatus.CAPTURED
    assert event.occurred_at == datetime(2026, 3, 16, 9, 56, 40, tzinfo=UTC)


def test_a_written_down_signature_is_believed() -> None:
    """A vector: whoever changes what is signed sees it here, whatever signs in the other tests."""
    mark = "82d6877e44850593a9147920d05d331e7b54c34f47f0d5f2b0a3d97f8f9fb147"
    header = {
        "stripe-signature": f"t={VECTOR_AT},v1={mark},v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39"
    }
    at = datetime.fromtimestamp(VECTOR_AT, UTC)
    assert read(VECTOR_BODY, header, now=at)
    assert refused(VECTOR_BODY, {"stripe-signature": f"t={VECTOR_AT + 1},v1={mark}"}, now=at) == "signature"
    assert refused(VECTOR_BODY, {"stripe-signature": f"t={VECTOR_AT},v0={mark}"}, now=at) == "signature"


@pytest.mark.parametrize("secret", [*SECRETS, "whsec_of_nobody_here_at_all"])
def test_stripe_s_own_library_agrees_about_a_signature(secret: str) -> None:
    headers = signed(VECTOR_BODY, secret=secret)
    header = headers["Stripe-Signature"]

    def theirs(ours: str) -> bool:
        try:
            return bool(official_library.WebhookSignature.verify_header(VECTOR_BODY.decode(), header, ours, tolerance=None))
        except official_library.SignatureVerificationError:
            return False

    try:
        is_believed = bool(read(VECTOR_BODY, headers))
    except WebhookRejected:
        is_believed = False
    assert is_believed is any(theirs(each) for each in SECRETS)


def test_both_secrets_of_a_rotation_are_believed_also_in_one_header() -> None:
    newest, older = (signed(VECTOR_BODY, secret=each)["Stripe-Signature"] for each in SECRETS)
    stranger = signed(VECTOR_BODY, secret="whsec_of_nobody_here_at_all")["Stripe-Signature"]
    assert read(VECTOR_BODY, {"Stripe-Signature": newest})
    assert read(VECTOR_BODY, {"Stripe-Signature": older})
    assert read(VECTOR_BODY, {"Stripe-Signature": f"{stranger},{older.partition(',')[2]}"})
    assert refused(VECTOR_BODY, {"Stripe-Signature": stranger}) == "signature"


@pytest.mark.parametrize("seconds", [-301, 301, -86_400, 86_400])
def test_an_old_and_a_future_delivery_are_refused(seconds: int) -> None:
    """The library believes a moment in the future; we do not: it could be kept and played later."""
    assert refused(VECTOR_BODY, signed(VECTOR_BODY, at=NOW + timedelta(seconds=seconds))) == "age"


@pytest.mark.parametrize("name", LOST_SHAPES)
def test_an_event_that_lost_its_shape_is_refused(name: str) -> None:
    field, value = LOST_SHAPES[name]
    raw = changed(**{field: value})
    assert refused(raw, signed(raw)) == "shape"


@pytest.mark.parametrize(
    "extra",
    [b'"id": "evt_2"', b'"x": NaN', b'"x": "a\\u0000b"', b'"x": ["\\udfff"]', b'"x": ' + b"[" * 24 + b"]" * 24],
    ids=lambda extra: extra[:24].decode(),
)
def test_a_genuine_event_with_something_hostile_beside_is_refused(extra: bytes) -> None:
    raw = VECTOR_BODY[:-1] + b", " + extra + b"}"
    assert refused(raw, signed(raw)) == "shape"


def test_the_other_mode_and_another_account_are_not_ours() -> None:
    live, foreign = changed(livemode=True), changed(account="acct_other")
    assert refused(live, signed(live)) == "account"
    assert refused(VECTOR_BODY, signed(VECTOR_BODY), is_live=True) == "account"
    assert refused(foreign, signed(foreign)) == "account"
    assert refused(foreign, signed(foreign), account="acct_mine") == "account"
    assert read(foreign, signed(foreign), account="acct_other")
    assert read(live, signed(live), is_live=True)


@pytest.mark.parametrize(
    ("fields", "subject", "provider_id"),
    [
        ({"object": "payment_intent", "id": "pi_1"}, EventSubject.CHARGE, "pi_1"),
        ({"object": "charge", "id": "ch_1", "payment_intent": "pi_1"}, EventSubject.CHARGE, "pi_1"),
        ({"object": "dispute", "id": "dp_1", "payment_intent": "pi_1"}, EventSubject.CHARGE, "pi_1"),
        ({"object": "dispute", "id": "dp_1", "payment_intent": {"id": "pi_1"}}, EventSubject.CHARGE, "pi_1"),
        ({"object": "dispute", "id": "dp_1", "payment_intent": None}, EventSubject.CHARGE, None),
        ({"object": "checkout.session", "id": "cs_1", "mode": "setup"}, EventSubject.SETUP, "cs_1"),
        ({"object": "checkout.session", "id": "cs_1", "mode": "payment"}, EventSubject.CHARGE, "cs_1"),
        ({"object": "checkout.session", "id": "cs_1", "mode": "subscription"}, EventSubject.OTHER, "cs_1"),
        ({"object": "setup_intent", "id": "seti_1"}, EventSubject.SETUP, None),
        ({"object": "refund", "id": "re_1"}, EventSubject.REFUND, "re_1"),
        ({"object": "payment_method", "id": "pm_1"}, EventSubject.METHOD, "pm_1"),
        ({"object": "weather", "id": "w_1"}, EventSubject.OTHER, "w_1"),
        ({"object": ["payment_intent"], "id": "x_1"}, EventSubject.OTHER, "x_1"),
    ],
)
def test_what_an_event_is_about(fields: Mapping[str, object], subject: EventSubject, provider_id: str | None) -> None:
    raw = about(**fields)
    (event,) = read(raw, signed(raw))
    assert (event.subject, event.provider_id) == (subject, provider_id)


def test_a_declined_card_on_a_page_claims_nothing() -> None:
    """Another card may follow on the same page: an event that claimed an end would be wrong a minute later."""
    raw = changed(type="payment_intent.payment_failed")
    assert read(raw, signed(raw))[0].claims is None
    assert len(CLAIMS) <= 20


@pytest.mark.parametrize(
    "secrets", [(), ("",), ("   ",), ("fifteen-letters",), (SECRETS[0], ""), ("x" * 15 + " ",)], ids=repr
)
def test_an_empty_or_short_secret_refuses_to_start(secrets: tuple[str, ...]) -> None:
    with pytest.raises(Misconfigured):
        StripeConfig(api_key=API_KEY, webhook_secrets=secrets, is_live=False)


@pytest.mark.parametrize(
    ("key", "is_live"),
    [("", False), ("sk_test_", False), ("pk_test_123", False), ("sk_live_123", False), ("sk_test_123", True)],
)
def test_a_key_of_another_kind_or_mode_refuses_to_start(key: str, is_live: bool) -> None:
    with pytest.raises(Misconfigured):
        StripeConfig(api_key=key, webhook_secrets=SECRETS, is_live=is_live)


@pytest.mark.parametrize("address", ["", "ftp://127.0.0.1", "http://", "127.0.0.1:80", "javascript:alert(1)"])
def test_an_address_that_is_none_refuses_to_start(address: str) -> None:
    with pytest.raises(Misconfigured):
        StripeConfig(api_key=API_KEY, webhook_secrets=SECRETS, is_live=False, base_url=address)


def test_a_live_key_is_not_sent_in_the_clear_and_nothing_prints_it() -> None:
    live = StripeConfig(api_key="rk_live_123456", webhook_secrets=SECRETS, is_live=True)
    with pytest.raises(Misconfigured):
        replace(live, base_url="http://api.example")
    assert "123456" not in f"{live!r} {live}"
    assert not any(secret in f"{live!r} {live}" for secret in SECRETS)
