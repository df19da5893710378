"""What Adyen's events prove, in whatever order they came: money only by what is signed."""

import itertools
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import pytest

from connectors.errors import OutcomeUnknown
from connectors.payments.adyen import folding, references, webhooks
from connectors.payments.adyen.references import Reference
from connectors.payments.ports import ChargeStatus, EventSubject, ProviderCharge, ProviderEvent, RefundStatus
from domain.methods import MethodKind
from domain.money import Money
from tests.connectors.adyen.test_adyen_webhooks import ACCOUNT, GENUINE, KEYS, batch, signed_item

NOW: Final = datetime(2026, 3, 16, 10, tzinfo=UTC)  # a Monday
OUR_REF: Final = "pay_1-1"
PSP: Final = "QFQTPCQ8HXSKGK82"
DAYS: Final = 7
CARD: Final = Reference(our_ref=OUR_REF, kind=MethodKind.CARD)
DEBIT: Final = Reference(our_ref=OUR_REF, kind=MethodKind.SEPA_DEBIT)
PAGE: Final = Reference(our_ref=OUR_REF, kind=MethodKind.CARD, is_page=True)


def told(code: str, ref: Reference = CARD, *, of: str | None = PSP, **changes: Any) -> ProviderEvent:
    """An event as the connector reads it from a signed delivery. `of`: the payment that it is about."""
    item: dict[str, Any] = {**GENUINE, "merchantReference": ref.written(), "eventCode": code, **changes}
    if code != "AUTHORISATION":
        item = {
            **item,
            "originalReference": of,
            "pspReference": changes.get("pspReference", f"OTHER{code}".replace("_", "")),
        }
    (event,) = webhooks.read(batch(signed_item(item)), {}, keys=KEYS, is_live=False, account=ACCOUNT, now=NOW)
    return event


def folded(events: Sequence[ProviderEvent], at: datetime = NOW) -> list[ProviderCharge]:
    return list(folding.charges(events, OUR_REF, now=at, days=DAYS))


def status(*events: ProviderEvent, at: datetime = NOW) -> ChargeStatus | None:
    """How the charge stands, which must be the same in every order of its events."""
    found = {next((each.status for each in folded(some, at)), None) for some in itertools.permutations(events)}
    assert len(found) == 1, found
    return found.pop()


AUTHORISED: Final = told("AUTHORISATION")
DEBITED: Final = told("AUTHORISATION", DEBIT)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ((), None),
        ((AUTHORISED,), ChargeStatus.CAPTURED),
        ((told("AUTHORISATION", success="false"),), ChargeStatus.DECLINED),
        ((told("AUTHORISATION", PAGE, success="false"),), None),
        ((told("AUTHORISATION", success="false"), AUTHORISED), ChargeStatus.CAPTURED),
        ((AUTHORISED, told("NOTIFICATION_OF_CHARGEBACK")), ChargeStatus.DISPUTED),
        ((AUTHORISED, told("CHARGEBACK")), ChargeStatus.DISPUTED),
        ((AUTHORISED, told("CHARGEBACK"), told("CHARGEBACK_REVERSED")), ChargeStatus.SETTLED),
        ((AUTHORISED, told("CHARGEBACK"), told("CHARGEBACK_REVERSED"), told("SECOND_CHARGEBACK")), ChargeStatus.RETURNED),
        ((AUTHORISED, told("REQUEST_FOR_INFORMATION")), ChargeStatus.CAPTURED),
        ((AUTHORISED, told("CAPTURE_FAILED")), ChargeStatus.RETURNED),
        ((AUTHORISED, told("CAPTURE", success="false")), ChargeStatus.RETURNED),
        ((AUTHORISED, told("CANCELLATION")), ChargeStatus.CANCELED),
        ((AUTHORISED, told("TECHNICAL_CANCEL", success="false")), ChargeStatus.CAPTURED),
        ((AUTHORISED, told("EXPIRE")), ChargeStatus.EXPIRED),
        ((DEBITED,), ChargeStatus.PROCESSING),
        ((DEBITED, told("CAPTURE", DEBIT)), ChargeStatus.PROCESSING),
        ((DEBITED, told("NOTIFICATION_OF_CHARGEBACK", DEBIT)), ChargeStatus.PROCESSING),
        ((DEBITED, told("CHARGEBACK", DEBIT)), ChargeStatus.RETURNED),
        ((told("CHARGEBACK", DEBIT),), ChargeStatus.RETURNED),
        ((told("AUTHORISATION", Reference(our_ref=OUR_REF)),), ChargeStatus.PENDING),
    ],
)
def test_every_order_of_events_has_one_end(events: tuple[ProviderEvent, ...], expected: ChargeStatus | None) -> None:
    assert status(*events) is expected


def test_what_pays_is_what_our_signed_reference_says_and_not_what_the_event_says_beside() -> None:
    """Whoever changes an event on its way cannot make a debit money by calling it a card."""
    forged = told("AUTHORISATION", DEBIT, paymentMethod="visa")
    assert (forged.claims, status(forged)) == (ChargeStatus.PROCESSING, ChargeStatus.PROCESSING)
    assert told("CHARGEBACK", DEBIT, paymentMethod="visa").claims is ChargeStatus.RETURNED


def test_a_debit_is_presumed_settled_only_after_so_many_business_days_by_our_clock() -> None:
    settles_at = datetime(2026, 3, 25, tzinfo=UTC)  # seven business days after Monday the 16th
    assert folding.settles_on(NOW, DAYS) == date(2026, 3, 25)
    assert status(DEBITED, at=settles_at - timedelta(seconds=1)) is ChargeStatus.PROCESSING
    assert status(DEBITED, at=settles_at) is ChargeStatus.SETTLED
    assert status(DEBITED, told("CHARGEBACK", DEBIT), at=settles_at) is ChargeStatus.RETURNED
    (charge,) = folded([DEBITED])
    assert charge.expected_on == "2026-03-25"


def test_a_moment_that_is_not_signed_does_not_make_a_debit_old() -> None:
    """An old moment beside a fresh authorisation is no older than when Duly received it."""
    old = told("AUTHORISATION", DEBIT, eventDate="2025-01-01T00:00:00+00:00")
    received = ProviderEvent(
        **{name: getattr(old, name) for name in old.__slots__ if name != "received_at"}, received_at=NOW
    )
    assert status(received, at=NOW + timedelta(days=1)) is ChargeStatus.PROCESSING


def test_a_chargeback_of_a_part_is_told_with_its_own_amount() -> None:
    part = told("CHARGEBACK", amount={"currency": "EUR", "value": 400})
    assert folded([AUTHORISED, part])[0].amount == Money.of(400, "EUR")
    abroad = told("CHARGEBACK", amount={"currency": "USD", "value": 400})
    assert folded([AUTHORISED, abroad])[0].amount == Money.of(1_000, "EUR")


def test_a_second_payment_with_our_reference_is_seen_and_money_comes_first() -> None:
    other = told("AUTHORISATION", pspReference="SECOND0000000000")
    declined = told("AUTHORISATION", pspReference="THIRD00000000000", success="false")
    found = folded([declined, AUTHORISED, other])
    assert [each.provider_id for each in found[:2]] == [PSP, "SECOND0000000000"]
    assert [each.status for each in found] == [ChargeStatus.CAPTURED, ChargeStatus.CAPTURED, ChargeStatus.DECLINED]


@pytest.mark.parametrize(
    "facts", [{"value": "-5"}, {"value": ""}, {"value": "1e3"}, {"currency": "XXY"}, {"value": "9" * 30}]
)
def test_an_amount_that_cannot_be_read_is_no_amount(facts: Mapping[str, str]) -> None:
    broken = ProviderEvent(
        **{name: getattr(AUTHORISED, name) for name in AUTHORISED.__slots__ if name != "facts"},
        facts={**AUTHORISED.facts, **facts},
    )
    with pytest.raises(OutcomeUnknown):
        folded([broken])


REFUND: Final = Reference(our_ref="rfd_1")


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([told("REFUND", REFUND)], RefundStatus.SUCCEEDED),
        ([told("REFUND", REFUND, success="false")], RefundStatus.FAILED),
        ([told("REFUND", REFUND), told("REFUND_FAILED", REFUND, pspReference="OTHERREFUND")], RefundStatus.FAILED),
        ([told("REFUND", REFUND), told("REFUNDED_REVERSED", REFUND)], RefundStatus.FAILED),
        ([told("REFUND", REFUND), told("REFUND_FAILED", REFUND, success="false")], RefundStatus.SUCCEEDED),
    ],
)
def test_a_refund_that_came_back_has_failed(events: list[ProviderEvent], expected: RefundStatus) -> None:
    for some in itertools.permutations(events):
        (refund,) = folding.refunds(some, "rfd_1")
        assert (refund.status, refund.charge_id, refund.provider_id) == (expected, PSP, "OTHERREFUND")
        assert refund.amount == Money.of(1_000, "EUR")
    assert folding.refunds([AUTHORISED], "rfd_1") == ()


@pytest.mark.parametrize("our_ref", ["pay_01jd-1", "pay_01jd:1", "set_1", "a.b", "100%", "rfd_1.card", "x.page"])
@pytest.mark.parametrize("kind", [None, *MethodKind])
@pytest.mark.parametrize("is_page", [False, True])
def test_a_reference_is_read_as_it_was_written(our_ref: str, kind: MethodKind | None, is_page: bool) -> None:
    reference = Reference(our_ref=our_ref, kind=kind, is_page=is_page and kind is not None)
    assert references.read(reference.written()) == reference
    assert ":" not in reference.written()
    assert len(Reference(our_ref=f"pay_{'0' * 26}-99", kind=MethodKind.US_BANK_ACCOUNT, is_page=True).written()) <= 80


@pytest.mark.parametrize(
    "text", ["INV-1", "pay_1-1.visa", "pay_1-1.card.page.page", "a%00b", "a%0ab.card", "", "%", "é.card"]
)
def test_a_stranger_s_reference_is_taken_as_it_is(text: str) -> None:
    assert references.read(text) == Reference(our_ref=text)


def test_facts_are_signed_or_called_unsigned_and_tell_nothing_about_a_card() -> None:
    extra = {
        "tokenization.storedPaymentMethodId": "M5N7TQ4TG5PFWR50",
        "tokenization.shopperReference": "cus_1",
        "cardSummary": "1142",
        "expiryDate": "03/2030",
        "shopperEmail": "z@example.com",
    }
    event = told("AUTHORISATION", PAGE, reason="123456:1142:03/2030", additionalData=extra)
    assert dict(event.facts) == {
        "value": "1000",
        "currency": "EUR",
        "success": "true",
        "psp": PSP,
        "kind": "card",
        "is_page": "yes",
        "unsigned_token": "M5N7TQ4TG5PFWR50",
        "unsigned_shopper": "cus_1",
    }
    assert (event.our_ref, event.subject) == (OUR_REF, EventSubject.CHARGE)
    assert "1142" not in json.dumps(dict(event.facts))
    assert told("AUTHORISATION", success="false", reason="Expired Card").facts["unsigned_failure"] == "card_expired"
