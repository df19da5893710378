"""What only Stripe does: pages known by their sessions, disputes of bank debits, a late search, events listed again."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from connectors.conformance.payment_harness import Enters, Fault, Operation, PaymentSuite, fresh_ref, now
from connectors.errors import OutcomeUnknown, Rejected
from connectors.payments.ports import (
    Capability,
    ChargeStatus,
    EventSubject,
    ListsEvents,
    NamesReferences,
    RefundOrder,
    RefundStatus,
)
from connectors.payments.stripe import finding, translate, webhooks
from connectors.payments.stripe.client import Client
from domain.methods import MethodKind
from domain.money import Money
from tests.connectors.stripe.harness import StripeHarness

DAY: Final = timedelta(days=1)
AT: Final = datetime(2026, 3, 16, 10, tzinfo=UTC)
SUITE: Final = PaymentSuite()


def intent(kind: str = "card", *, disputed: bool = False, **changes: Any) -> dict[str, Any]:
    """A payment intent that succeeded."""
    taken = {
        "id": "ch_1",
        "disputed": disputed,
        "payment_method_details": {"type": kind, kind: {"last4": "4242", "brand": "visa", "bank_name": "A Bank"}},
    }
    made = {
        "id": "pi_1",
        "object": "payment_intent",
        "status": "succeeded",
        "created": int(AT.timestamp()),
        "amount": 100,
        "amount_received": 100,
        "currency": "usd",
        "metadata": {"our_ref": "pay_1"},
        "latest_charge": taken,
    }
    return {**made, **changes}


@pytest.mark.parametrize(
    ("kind", "disputes", "status"),
    [
        ("card", ["needs_response"], ChargeStatus.DISPUTED),
        ("card", ["under_review"], ChargeStatus.DISPUTED),
        ("card", ["lost"], ChargeStatus.RETURNED),
        ("card", ["lost", "needs_response"], ChargeStatus.DISPUTED),
        ("card", ["something new"], ChargeStatus.DISPUTED),
        ("card", ["won"], ChargeStatus.CAPTURED),
        ("card", ["won", "lost"], ChargeStatus.RETURNED),
        ("card", ["warning_needs_response"], ChargeStatus.CAPTURED),
        ("us_bank_account", ["lost"], ChargeStatus.RETURNED),
        ("us_bank_account", ["needs_response"], ChargeStatus.RETURNED),
        ("us_bank_account", ["won"], ChargeStatus.CAPTURED),
        ("sepa_debit", ["lost"], ChargeStatus.RETURNED),
    ],
)
def test_a_dispute_of_a_card_is_one_and_of_a_bank_debit_is_a_return(
    kind: str, disputes: list[str], status: ChargeStatus
) -> None:
    told = tuple({"id": "dp", "status": each, "reason": "insufficient_funds"} for each in disputes)
    charge = translate.charge(intent(kind, disputed=True), now=AT, disputes=told)
    assert charge.status is status
    assert (charge.return_code is not None) is (status is ChargeStatus.RETURNED)


@pytest.mark.parametrize(
    ("lost", "refunded", "status"),
    [
        ([100], 0, ChargeStatus.RETURNED),
        ([99], 0, ChargeStatus.DISPUTED),
        ([70], 30, ChargeStatus.RETURNED),
        ([69], 30, ChargeStatus.DISPUTED),
        ([60, 40], 0, ChargeStatus.RETURNED),
        (["all"], 0, ChargeStatus.DISPUTED),
    ],
)
def test_a_dispute_that_is_lost_about_a_part_is_for_a_person(
    lost: list[object], refunded: int, status: ChargeStatus
) -> None:
    told = tuple({"id": "dp", "status": "lost", "reason": "fraudulent", "amount": each} for each in lost)
    disputed = intent("card", disputed=True)
    disputed["latest_charge"] |= {"amount_refunded": refunded}
    assert disputed["amount_received"] == 100
    assert translate.charge(disputed, now=AT, disputes=told).status is status


@pytest.mark.parametrize("status", ["requires_capture", "requires_confirmation", "quantum"])
def test_a_status_that_is_none_of_those_we_know_is_pending(status: str) -> None:
    assert translate.charge(intent(status=status), now=AT).status is ChargeStatus.PENDING


def test_a_part_that_was_taken_is_never_booked_as_the_whole() -> None:
    assert translate.charge(intent(amount_received=40), now=AT).amount == Money.of(40, "USD")


@pytest.mark.parametrize(
    ("error", "word"),
    [
        ({"code": "card_declined", "decline_code": "insufficient_funds"}, "insufficient_funds"),
        ({"code": "expired_card", "decline_code": "expired_card"}, "card_expired"),
        ({"code": "card_declined", "decline_code": "lost_card"}, "declined"),
        ({"code": "card_declined", "decline_code": "stolen_card"}, "declined"),
        ({"code": "card_declined", "decline_code": "a_new_one"}, "declined"),
        ({"code": "processing_error"}, "processing_error"),
        ({"code": "payment_intent_authentication_failure"}, "authentication_failed"),
        ({}, "declined"),
    ],
)
def test_a_decline_has_a_word_of_ours_and_never_says_that_a_card_was_stolen(error: dict[str, str], word: str) -> None:
    declined = intent(status="requires_payment_method", last_payment_error=error, latest_charge=None)
    charge = translate.charge(declined, now=AT)
    assert (charge.status, charge.failure_code) == (ChargeStatus.DECLINED, word)


async def test_a_debit_that_comes_back_on_a_page_is_found_by_the_event_s_own_id(stripe: StripeHarness) -> None:
    """A dispute carries no reference of ours, and the page is known by its session: the reference is asked for."""
    our_ref = fresh_ref("pay")
    page = await SUITE.open_page(stripe, our_ref, kind=stripe.debit_kind)
    await stripe.enter(page.action_url or "", Enters.RETURNING_DEBIT)
    await stripe.advance(10 * DAY)
    returned = await stripe.provider.find_charge(our_ref, provider_id=page.provider_id)
    assert returned is not None
    assert (returned.status, returned.provider_id) == (ChargeStatus.RETURNED, page.provider_id)
    assert returned.return_code == "insufficient_funds"
    listed = (await stripe.provider.events_after(None, since=stripe.now() - 30 * DAY)).events
    dispute = next(each for each in listed if each.kind == "charge.dispute.created")
    assert (dispute.subject, dispute.our_ref) == (EventSubject.CHARGE, None)
    assert await stripe.provider.reference_of(dispute.provider_id or "") == our_ref
    assert await stripe.provider.reference_of("pi_of_nobody") is None
    assert await stripe.provider.reference_of("../accounts") is None


async def test_an_old_charge_is_found_by_the_search_and_a_young_one_by_the_list(stripe: StripeHarness) -> None:
    saved, our_ref = await SUITE.saved(stripe, Enters.GOOD), fresh_ref("pay")
    charge = await SUITE.charge(stripe, saved, our_ref)
    young = len(await stripe.requests())
    assert await stripe.provider.find_charge(our_ref) == charge
    await stripe.advance(timedelta(days=40))
    found = await stripe.provider.find_charge(our_ref)
    assert found is not None
    assert (found.provider_id, found.status) == (charge.provider_id, ChargeStatus.SETTLED)
    assert any("search" in each["path"] for each in (await stripe.requests())[young:])


async def test_a_page_that_was_paid_long_ago_is_still_the_page(stripe: StripeHarness) -> None:
    our_ref = fresh_ref("pay")
    page = await SUITE.open_page(stripe, our_ref)
    await stripe.enter(page.action_url or "", Enters.GOOD)
    await stripe.advance(40 * DAY)
    (found,) = await stripe.provider.charges_of(our_ref)
    assert (found.provider_id, found.status) == (page.provider_id, ChargeStatus.SETTLED)


async def test_what_was_paid_on_a_page_is_given_back_by_the_page_s_id(stripe: StripeHarness) -> None:
    our_ref, refund_ref = fresh_ref("pay"), fresh_ref("rfd")
    page = await SUITE.open_page(stripe, our_ref)
    order = RefundOrder(our_ref=refund_ref, charge_id=page.provider_id, amount=Money.of(5, "USD"))
    with pytest.raises(Rejected):
        await stripe.provider.refund(order, key=refund_ref)
    await stripe.enter(page.action_url or "", Enters.GOOD)
    refund = await stripe.provider.refund(order, key=f"{refund_ref}/2")
    assert (refund.status, refund.charge_id) == (RefundStatus.SUCCEEDED, page.provider_id)
    assert await stripe.provider.find_refund(refund_ref) == refund


@pytest.mark.parametrize("minutes", [-20, 1, 29, 30])
async def test_a_page_that_stripe_finds_too_short_is_longer_and_the_same_at_each_try(
    stripe: StripeHarness, minutes: int
) -> None:
    our_ref, ends_at = fresh_ref("pay"), now() + timedelta(minutes=minutes)
    if minutes < 0:
        with pytest.raises(Rejected):
            await SUITE.open_page(stripe, our_ref, lasts=timedelta(minutes=minutes))
        return
    page = await SUITE.open_page(stripe, our_ref, lasts=timedelta(minutes=minutes))
    assert page.action_expires_at is not None
    assert timedelta(0) <= page.action_expires_at - (ends_at + timedelta(minutes=30)) + timedelta(seconds=1)
    assert page.action_expires_at - ends_at < timedelta(minutes=31)


async def test_a_bank_s_question_whose_answer_was_lost_is_pending_and_then_declined(stripe: StripeHarness) -> None:
    """The request to ask may still be under way, and a bank may wave it through: it is not a decline yet."""
    saved, our_ref = await SUITE.saved(stripe, Enters.BANK_ASKS), fresh_ref("pay")
    await stripe.turn(fault=["confirm", "request_lost"])
    with pytest.raises(OutcomeUnknown):
        await SUITE.charge(stripe, saved, our_ref)
    first = await SUITE.charge_now(stripe, our_ref)
    await stripe.advance(timedelta(minutes=5))
    later = await SUITE.charge_now(stripe, our_ref)
    assert first.status is ChargeStatus.PENDING
    assert (later.status, later.failure_code) == (ChargeStatus.DECLINED, "authentication_required")


async def test_a_bank_s_question_whose_answer_was_lost_is_asked_again_by_the_same_key(stripe: StripeHarness) -> None:
    saved, our_ref = await SUITE.saved(stripe, Enters.BANK_ASKS), fresh_ref("pay")
    await stripe.turn(fault=["confirm", "answer_lost"])
    with pytest.raises(OutcomeUnknown):
        await SUITE.charge(stripe, saved, our_ref)
    again = await SUITE.charge(stripe, saved, our_ref)
    assert again.status is ChargeStatus.NEEDS_CUSTOMER
    await stripe.answer_bank(again.action_url or "", approve=True)
    assert (await SUITE.charge_now(stripe, our_ref)).status is ChargeStatus.CAPTURED
    assert await stripe.moving(our_ref) == 1


async def test_a_forgotten_key_charges_again_so_the_reference_is_asked_first(stripe: StripeHarness) -> None:
    """After 24 hours Stripe forgets a key: what is sent again then is a second charge. Only a look can tell."""
    saved, our_ref = await SUITE.saved(stripe, Enters.GOOD), fresh_ref("pay")
    await stripe.break_next(Operation.CHARGE, Fault.ANSWER_LOST)
    with pytest.raises(OutcomeUnknown):
        await SUITE.charge(stripe, saved, our_ref)
    await stripe.advance(timedelta(hours=25))
    assert (await SUITE.charge_now(stripe, our_ref)).status is ChargeStatus.CAPTURED
    assert await stripe.moving(our_ref) == 1
    await SUITE.charge(stripe, saved, our_ref)
    assert await stripe.moving(our_ref) == 2
    assert stripe.provider.search_lag_seconds < timedelta(hours=23).total_seconds()


async def test_events_are_listed_again_from_where_one_stopped(stripe: StripeHarness) -> None:
    assert isinstance(stripe.provider, ListsEvents)
    assert isinstance(stripe.provider, NamesReferences)
    saved, since = await SUITE.saved(stripe, Enters.GOOD), stripe.now() - DAY
    first = await stripe.provider.events_after(None, since=since)
    nothing = await stripe.provider.events_after(first.cursor, since=since)
    references = [fresh_ref("pay") for _ in range(3)]
    for each in references:
        await SUITE.charge(stripe, saved, each)
    then = await stripe.provider.events_after(nothing.cursor, since=since)
    forgotten = await stripe.provider.events_after("evt_that_is_gone", since=since)
    assert first.events
    assert (list(nothing.events), nothing.cursor) == ([], first.cursor)
    assert [each.our_ref for each in then.events] == references
    assert [each.event_id for each in forgotten.events] == [each.event_id for each in (*first.events, *then.events)]
    delivered = (await stripe.deliveries(references[0], at_least=1))[0]
    (told,) = stripe.provider.read_webhook(delivered.raw, delivered.headers, now=now())
    assert told == then.events[0]


async def test_more_events_than_a_page_holds_are_all_listed(stripe: StripeHarness) -> None:
    since = stripe.now() - timedelta(minutes=10)
    for number in range(110):
        page = await SUITE.start_setup(stripe, fresh_ref("set"))
        await stripe.enter(page.url, Enters.DECLINED)
        if number == 59:
            await stripe.advance(timedelta(hours=1))
    listed = await stripe.provider.events_after(None, since=since)
    assert len({each.event_id for each in listed.events}) == len(listed.events) == 110
    after = await stripe.provider.events_after(listed.events[0].event_id, since=stripe.now())
    assert (after.events, after.cursor, after.has_more) == (listed.events[1:], listed.cursor, False)
    # A list begins at its newest end: one that is too long for a look is read from its oldest end all the same.
    client = Client(stripe.config)
    finder = finding.Finder(client, stripe.now, most_pages=1)
    query = {"types": list(webhooks.CLAIMS)}
    first, has_more = await finder.oldest("/v1/events", query, since)
    assert ([each["id"] for each in first], has_more) == ([each.event_id for each in listed.events[:60]], True)
    rest = await finder.newer("/v1/events", query, first[-1]["id"])
    assert rest is not None
    assert [each["id"] for each in rest[0]] == [each.event_id for each in listed.events[60:]]
    await client.aclose()


def test_the_moment_of_a_reference_is_read_from_it() -> None:
    made = finding.made_at(fresh_ref("pay"))
    assert made is not None
    assert abs(now() - made) < timedelta(seconds=5)
    assert finding.made_at("order-17") is None
    assert finding.made_at("pay_" + "u" * 26) is None


def test_a_kind_that_the_connection_has_not_is_not_offered(stripe: StripeHarness) -> None:
    assert stripe.provider.capabilities(MethodKind.BACS_DEBIT, "GBP") is Capability.NONE
    assert stripe.provider.capabilities(MethodKind.CARD, "UGX") is Capability.NONE
    assert Capability.REFUND in stripe.provider.capabilities(MethodKind.SEPA_DEBIT, "EUR")
