"""Adyen's deliveries: signatures of every item, its own examples and vectors, and bodies that nobody should believe.

The examples and vectors lie beside the repository where tests are run for good (never in it: they are Adyen's).
"""

import base64
import copy
import hashlib
import hmac
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from connectors.errors import Misconfigured, WebhookRejected
from connectors.payments.adyen import signing, webhooks
from connectors.payments.adyen.webhooks import SUBJECTS, claim
from connectors.payments.ports import ChargeStatus, EventSubject, ProviderEvent

SPECS: Final = Path(os.environ.get("DULY_TEST_SPECS") or Path(__file__).parents[4] / "shared" / "specs")
NOW: Final = datetime(2026, 3, 16, 10, tzinfo=UTC)
SECRETS: Final = ("0f" * 32, "a1" * 32)
KEYS: Final = signing.keys_of(SECRETS)
ACCOUNT: Final = "YOUR_MERCHANT_ACCOUNT"
GENUINE: Final[Mapping[str, Any]] = {
    "pspReference": "QFQTPCQ8HXSKGK82",
    "merchantAccountCode": ACCOUNT,
    "merchantReference": "pay_1:1",
    "amount": {"currency": "EUR", "value": 1000},
    "eventCode": "AUTHORISATION",
    "eventDate": "2026-03-16T10:00:00+01:00",
    "paymentMethod": "visa",
    "success": "true",
}
TOKEN: Final[Mapping[str, Any]] = {
    "type": "recurring.token.created",
    "eventId": "QBQQ9DLNRHHKGK38",
    "createdAt": "2026-03-16T10:00:00+01:00",
    "environment": "test",
    "data": {"merchantAccount": ACCOUNT, "storedPaymentMethodId": "M5N7TQ4TG5PFWR50"},
}
needs_specs = pytest.mark.skipif(not SPECS.exists() and not os.environ.get("CI"), reason="Adyen's examples are not here")


def mark_of(signed: bytes, secret: str) -> str:
    return base64.b64encode(hmac.new(bytes.fromhex(secret), signed, hashlib.sha256).digest()).decode()


def signed_item(item: Mapping[str, Any], secret: str = SECRETS[0]) -> dict[str, Any]:
    """Our own writing of Adyen's rule, so that the connector is not held against itself."""
    amount = item.get("amount") or {}
    fields = [item.get(name) for name in ("pspReference", "originalReference", "merchantAccountCode", "merchantReference")]
    fields += [amount.get("value"), amount.get("currency"), item.get("eventCode"), item.get("success")]
    text = ":".join("" if each is None else str(each) for each in fields)
    extra = {**(item.get("additionalData") or {}), "hmacSignature": mark_of(text.encode(), secret)}
    return {**item, "additionalData": extra}


def batch(*items: Mapping[str, Any], live: str = "false") -> bytes:
    return json.dumps({"live": live, "notificationItems": [{"NotificationRequestItem": each} for each in items]}).encode()


def read(raw: bytes, headers: Mapping[str, str] | None = None) -> tuple[ProviderEvent, ...]:
    return webhooks.read(raw, headers or {}, keys=KEYS, is_live=False, account=ACCOUNT, now=NOW)


def read_sole(body: Mapping[str, Any]) -> tuple[ProviderEvent, ...]:
    raw = json.dumps(body).encode()
    return read(raw, {"HmacSignature": mark_of(raw, SECRETS[0])})


def refused(raw: bytes, headers: Mapping[str, str] | None = None) -> str:
    with pytest.raises(WebhookRejected) as rejected:
        read(raw, headers)
    return rejected.value.reason


def test_every_item_of_a_genuine_batch_is_read() -> None:
    refund = {**GENUINE, "eventCode": "REFUND", "originalReference": GENUINE["pspReference"], "pspReference": "REFUND1"}
    first, second = read(batch(signed_item(GENUINE), signed_item(refund, SECRETS[1])))
    assert (first.subject, first.our_ref, first.provider_id) == (EventSubject.CHARGE, "pay_1:1", "QFQTPCQ8HXSKGK82")
    assert (first.claims, first.dedupe_key) == (ChargeStatus.CAPTURED, "AUTHORISATION|QFQTPCQ8HXSKGK82|true")
    assert (second.subject, second.provider_id, second.claims) == (EventSubject.REFUND, "REFUND1", None)
    assert first.occurred_at == datetime(2026, 3, 16, 9, tzinfo=UTC)


@needs_specs
def test_each_of_adyen_s_examples_is_a_canonical_event_or_ignored_by_name() -> None:
    examples = json.loads((SPECS / "adyen-webhook-examples.json").read_text())
    tokens = json.loads((SPECS / "adyen-tokenization-examples.json").read_text())
    assert (len(examples), len(tokens)) == (42, 4)
    for name, example in {**examples, **tokens}.items():
        if "notificationItems" in example:
            (wrapped,) = example["notificationItems"]
            item = signed_item(wrapped["NotificationRequestItem"])
            raw, headers = batch(item, live=example["live"]), {}
        else:
            raw = json.dumps(example).encode()
            headers = {"hmacsignature": mark_of(raw, SECRETS[1])}
        is_live = example.get("live") == "true"
        (event,) = webhooks.read(raw, headers, keys=KEYS, is_live=is_live, account=ACCOUNT, now=NOW)
        assert event.kind in SUBJECTS, name
        assert event.subject is SUBJECTS[event.kind], name


@needs_specs
def test_adyen_s_own_vectors_are_believed_and_nothing_else_with_their_signature() -> None:
    folder = SPECS / "adyen-hmac-vectors"
    written, files = json.loads((folder / "vectors.json").read_text())
    items = [(written["key"], {**written["item"], "additionalData": {"hmacSignature": written["signature"]}})]
    items += [(files["key"], json.loads((folder / name).read_text())) for name in files["files"]]
    assert len(items) >= 5
    for key, item in items:
        signing.check_item(item, signing.keys_of([key]))
        dearer = copy.deepcopy(item)
        dearer["amount"]["value"] += 1
        with pytest.raises(WebhookRejected):
            signing.check_item(dearer, signing.keys_of([key]))


def test_a_forged_second_item_takes_the_whole_batch_with_it() -> None:
    forged = {**signed_item(GENUINE), "pspReference": "FORGED"}
    assert refused(batch(signed_item(GENUINE), forged)) == "signature"
    assert refused(batch(signed_item(GENUINE), GENUINE)) == "signature"


def test_a_colon_cannot_move_from_a_field_to_the_next() -> None:
    item = signed_item({**GENUINE, "merchantReference": "A:B"})
    assert read(batch(item))
    for shifted in ({"merchantAccountCode": f"{ACCOUNT}:A", "merchantReference": "B"}, {"merchantReference": "A", "x": "B"}):
        assert refused(batch({**item, **shifted})) == "signature"
    shifted_value = {**item, "merchantReference": "A", "amount": {"value": "B:1000", "currency": "EUR"}}
    assert refused(batch(shifted_value)) == "signature"


@pytest.mark.parametrize(
    "secrets", [(), ("",), ("  ",), ("abcd",), ("not hexadecimal at all, but quite long",), ("0f" * 32, "")]
)
def test_an_empty_or_short_key_is_no_key(secrets: tuple[str, ...]) -> None:
    with pytest.raises(Misconfigured):
        signing.keys_of(secrets)


def test_no_key_and_an_empty_key_believe_nobody() -> None:
    empty = base64.b64encode(hmac.new(b"", b"text", hashlib.sha256).digest()).decode()
    for keys in ((), (b"",)):
        with pytest.raises(WebhookRejected):
            signing.check(b"text", empty, keys)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"eventDate": "2026-03-16T10:06:00+00:00"}, "age"),
        ({"eventDate": "2026-03-16T10:00:00"}, "shape"),
        ({"eventDate": "yesterday"}, "shape"),
        ({"eventDate": None}, "shape"),
        ({"merchantAccountCode": "SOMEBODY_ELSE"}, "account"),
        ({"success": "maybe"}, "shape"),
        ({"pspReference": "x" * 201}, "shape"),
        ({"merchantReference": "pay\x00"}, "shape"),
    ],
)
def test_a_signed_item_that_is_not_what_adyen_sends_is_refused(changes: Mapping[str, Any], reason: str) -> None:
    assert refused(batch(signed_item({**GENUINE, **changes}))) == reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"createdAt": "2026-03-16T10:06:00+00:00"}, "age"),
        ({"environment": "live"}, "account"),
        ({"data": {"merchantAccount": "SOMEBODY_ELSE"}}, "account"),
        ({"data": []}, "shape"),
        ({"type": None}, "shape"),
    ],
)
def test_a_signed_token_event_that_is_not_ours_is_refused(changes: Mapping[str, Any], reason: str) -> None:
    (event,) = read_sole(TOKEN)
    assert (event.subject, event.provider_id) == (EventSubject.METHOD, "M5N7TQ4TG5PFWR50")
    with pytest.raises(WebhookRejected) as rejected:
        read_sole({**TOKEN, **changes})
    assert rejected.value.reason == reason


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b'{"a":' * 40_000 + b"1" + b"}" * 40_000, "shape"),
        (b"[" * 100_000 + b"]" * 100_000, "shape"),
        (b'{"notificationItems":' + b"[" * 30 + b"]" * 30 + b"}", "shape"),
        (b" " * 300_000, "size"),
        (b"", "shape"),
        (b"\xff\xfe", "shape"),
        (b"null", "shape"),
        (b"{}", "signature"),
        (b'{"live":"false","notificationItems":[]}', "shape"),
        (b'{"live":"false","notificationItems":[7]}', "shape"),
        (b'{"live":"false","notificationItems":{}}', "shape"),
        (b'{"live":"false","notificationItems":[],"live":"true"}', "shape"),
        (b'{"live":NaN,"notificationItems":[]}', "shape"),
        (b'{"live":"\\ud800","notificationItems":[]}', "shape"),
        (batch({**GENUINE, "amount": [1]}), "signature"),
        (batch({**signed_item(GENUINE), "success": True}), "signature"),
        (batch({**GENUINE, "additionalData": {"hmacSignature": "é"}}), "signature"),
        (batch(signed_item(GENUINE), live="true"), "account"),
        (batch(*[signed_item(GENUINE)] * 101), "shape"),
    ],
)
def test_a_hostile_body_is_refused_with_a_reason(raw: bytes, reason: str) -> None:
    assert refused(raw) == reason


@pytest.mark.parametrize(
    ("code", "paid_with", "said"),
    [
        ("AUTHORISATION", "visa", ChargeStatus.CAPTURED),
        ("AUTHORISATION", "ach", ChargeStatus.PROCESSING),
        ("AUTHORISATION", "sepadirectdebit", ChargeStatus.PROCESSING),
        ("AUTHORISATION", "something_new", None),
        ("AUTHORISATION", None, None),
        ("CAPTURE", "ach", None),
        ("CHARGEBACK", "ach", ChargeStatus.RETURNED),
        ("CHARGEBACK", "mc", ChargeStatus.DISPUTED),
        ("TECHNICAL_CANCEL", "visa", ChargeStatus.CANCELED),
    ],
)
def test_an_authorised_debit_is_under_way_and_its_chargeback_a_return(
    code: str, paid_with: str | None, said: ChargeStatus | None
) -> None:
    assert claim(code, paid_with) is said
    (event,) = read(batch(signed_item({**GENUINE, "eventCode": code, "paymentMethod": paid_with})))
    assert event.claims is said
    (failed,) = read(batch(signed_item({**GENUINE, "eventCode": code, "paymentMethod": paid_with, "success": "false"})))
    assert failed.claims is None


def test_an_authorisation_of_a_set_up_moves_no_money() -> None:
    (event,) = read(batch(signed_item({**GENUINE, "merchantReference": "set_1"})))
    assert (event.subject, event.claims) == (EventSubject.SETUP, None)
