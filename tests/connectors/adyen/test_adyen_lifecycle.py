"""What Adyen does in another way than the kit asks for: pages, sessions, debits and refunds that only events tell of."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

import pytest

from connectors.conformance.payment_harness import (
    CANCEL_URL,
    RETURN_URL,
    Enters,
    Fault,
    Operation,
    RefundPath,
    Saved,
    a_payer,
    fresh_ref,
    now,
)
from connectors.errors import KeyConflict, Misconfigured, OutcomeUnknown, Rejected, Unavailable, WebhookRejected
from connectors.payments.ports import (
    Capability,
    ChargeStatus,
    CountsCharges,
    EventSubject,
    LearnsFromEvents,
    PageOrder,
    ProviderCharge,
    ProviderRefund,
    RefundOrder,
    RefundStatus,
    SetupOrder,
    SetupStatus,
)
from domain.methods import MethodKind
from domain.money import Money
from tests.connectors.adyen.harness import ACCOUNT, KEYS, STRANGERS_KEY, AdyenHarness, again_signed, item_of
from tests.connectors.adyen.test_adyen_conformance import ByEvents

DAY: Final = timedelta(days=1)


@pytest.fixture
def kit() -> ByEvents:
    """The suite's helpers."""
    suite = ByEvents()
    suite.known = {}
    return suite


async def saved_with(kit: ByEvents, adyen: AdyenHarness, use: str) -> Saved:
    """A payer who saved this test method."""
    our_ref, payer = fresh_ref("set"), a_payer()
    page = await kit.start_setup(adyen, our_ref, payer=payer)
    await adyen.enter(page.url, Enters.GOOD, use)
    setup = await kit.setup_now(adyen, our_ref)
    assert setup.method is not None
    return Saved(payer=payer, method=setup.method)


async def heard_charge(adyen: AdyenHarness, our_ref: str, provider_id: str | None = None) -> ProviderCharge | None:
    heard = await adyen.heard(our_ref)
    return await adyen.provider.find_charge(our_ref, provider_id=provider_id, heard=heard)


def test_it_says_that_it_cannot_be_searched(adyen: AdyenHarness) -> None:
    assert isinstance(adyen.provider, LearnsFromEvents)
    assert isinstance(adyen.provider, CountsCharges)
    assert timedelta(days=1) < adyen.provider.keeps_answers_for < timedelta(days=31)
    assert Capability.SET_UP in adyen.provider.capabilities(adyen.debit_kind, adyen.debit_currency)
    assert adyen.provider.capabilities(MethodKind.BACS_DEBIT, "GBP") is Capability.NONE


async def test_a_card_is_captured_and_its_event_tells_the_same(kit: ByEvents, adyen: AdyenHarness) -> None:
    saved, our_ref = await kit.saved(adyen, Enters.GOOD), fresh_ref("pay")
    charge = await kit.charge(adyen, saved, our_ref)
    assert (charge.status, charge.our_ref) == (ChargeStatus.CAPTURED, our_ref)
    assert await heard_charge(adyen, our_ref) == charge
    assert await adyen.provider.find_charge(our_ref, provider_id=charge.provider_id) is None, "nothing was heard"
    assert await adyen.moving(our_ref) == 1


async def test_what_bears_a_reference_is_counted(kit: ByEvents, adyen: AdyenHarness) -> None:
    saved, our_ref = await kit.saved(adyen, Enters.GOOD), fresh_ref("pay")
    first = await kit.charge(adyen, saved, our_ref)
    second = await adyen.provider.charge(kit.charge_order(saved, our_ref), key=f"another key for {our_ref}")
    found = await adyen.provider.charges_of(our_ref, heard=await adyen.heard(our_ref))
    assert {each.provider_id for each in found} == {first.provider_id, second.provider_id}


async def test_a_part_that_was_authorised_is_never_told_as_the_whole(kit: ByEvents, adyen: AdyenHarness) -> None:
    saved, our_ref = await saved_with(kit, adyen, "card_part"), fresh_ref("pay")
    charge = await kit.charge(adyen, saved, our_ref, Money.of(10_000, "USD"))
    assert (charge.status, charge.amount) == (ChargeStatus.CAPTURED, Money.of(5_000, "USD"))
    assert await heard_charge(adyen, our_ref) == charge


@pytest.mark.parametrize(("use", "code"), [("card_charge_declined", "declined"), ("card_broke", "insufficient_funds")])
async def test_a_decline_says_why_in_our_words(kit: ByEvents, adyen: AdyenHarness, use: str, code: str) -> None:
    saved, our_ref = await saved_with(kit, adyen, use), fresh_ref("pay")
    charge = await kit.charge(adyen, saved, our_ref)
    told = await heard_charge(adyen, our_ref)
    assert (charge.status, charge.failure_code) == (ChargeStatus.DECLINED, code)
    assert told == charge


@pytest.mark.parametrize("approve", [True, False])
async def test_a_bank_that_asks_is_answered_on_a_page(kit: ByEvents, adyen: AdyenHarness, approve: bool) -> None:
    """The saved card is refused, and a page for the same payment opens, once for the same key."""
    saved, our_ref = await kit.saved(adyen, Enters.BANK_ASKS), fresh_ref("pay")
    charge = await kit.charge(adyen, saved, our_ref)
    again = await kit.charge(adyen, saved, our_ref)
    assert (charge.status, charge.action_url is None, again) == (ChargeStatus.NEEDS_CUSTOMER, False, charge)
    assert await heard_charge(adyen, our_ref, charge.provider_id) == charge
    await adyen.enter(charge.action_url or "", Enters.BANK_ASKS)
    await adyen.answer_bank(charge.action_url or "", approve=approve)
    after = await heard_charge(adyen, our_ref, charge.provider_id)
    assert after is not None
    assert after.status is (ChargeStatus.CAPTURED if approve else ChargeStatus.NEEDS_CUSTOMER)
    assert await adyen.moving(our_ref) == int(approve)


async def test_a_page_that_is_closed_takes_nothing(kit: ByEvents, adyen: AdyenHarness) -> None:
    our_ref = fresh_ref("pay")
    page = await kit.open_page(adyen, our_ref)
    closed = await adyen.provider.cancel_charge(page.provider_id, key=f"cancel:{our_ref}")
    await adyen.enter(page.action_url or "", Enters.GOOD)
    assert (closed.status, closed.our_ref) == (ChargeStatus.CANCELED, our_ref)
    after = await heard_charge(adyen, our_ref, page.provider_id)
    assert after is not None
    assert (after.status, await adyen.moving(our_ref)) == (ChargeStatus.EXPIRED, 0)


async def test_closing_a_page_that_was_paid_does_not_say_that_it_was_closed(kit: ByEvents, adyen: AdyenHarness) -> None:
    our_ref = fresh_ref("pay")
    page = await kit.open_page(adyen, our_ref)
    await adyen.enter(page.action_url or "", Enters.GOOD)
    answered = await adyen.provider.cancel_charge(page.provider_id, key=f"cancel:{our_ref}")
    assert answered.status is ChargeStatus.PROCESSING, "its event names the payment"
    paid = await heard_charge(adyen, our_ref, page.provider_id)
    assert paid is not None
    assert (paid.status, paid.provider_id == page.provider_id) == (ChargeStatus.CAPTURED, False)


async def test_what_was_sent_is_not_canceled(kit: ByEvents, adyen: AdyenHarness) -> None:
    saved, our_ref = await kit.saved(adyen, Enters.GOOD), fresh_ref("pay")
    charge = await kit.charge(adyen, saved, our_ref)
    before = len(await adyen.requests())
    with pytest.raises(Rejected):
        await adyen.provider.cancel_charge(charge.provider_id, key=f"cancel:{our_ref}")
    assert (len(await adyen.requests()), await adyen.moving(our_ref)) == (before, 1)


async def test_a_page_whose_answer_was_lost_is_opened_once_by_its_key(kit: ByEvents, adyen: AdyenHarness) -> None:
    our_ref, order = fresh_ref("pay"), {"lasts": timedelta(hours=1)}
    await adyen.break_next(Operation.PAGE, Fault.ANSWER_LOST)
    with pytest.raises(OutcomeUnknown):
        await kit.open_page(adyen, our_ref, **order)
    first, again = [await kit.open_page(adyen, our_ref, **order) for _ in range(2)]
    assert first == again


@pytest.mark.parametrize(("fault", "status"), [(Fault.REQUEST_LOST, "needs_customer"), (Fault.ANSWER_LOST, "expired")])
async def test_a_page_that_is_asked_about_after_its_time_can_still_be_closed(
    kit: ByEvents, adyen: AdyenHarness, fault: Fault, status: str
) -> None:
    """Adyen was away for longer than the page should have lived: what it holds does not stay held for ever."""
    our_ref = fresh_ref("pay")
    order = PageOrder(
        our_ref=our_ref,
        payer=a_payer(),
        kinds=(MethodKind.CARD,),
        amount=Money.of(12_345, "USD"),
        description="Invoices INV-1 and INV-2",
        return_url=RETURN_URL,
        cancel_url=CANCEL_URL,
        save_method=False,
        expires_at=adyen.now() + timedelta(hours=1),
    )
    await adyen.break_next(Operation.PAGE, fault)
    with pytest.raises(OutcomeUnknown):
        await adyen.provider.open_payment_page(order, key=our_ref)
    await adyen.advance(2 * DAY)
    page = await adyen.provider.open_payment_page(order, key=our_ref)
    found = await adyen.provider.find_charge(our_ref, provider_id=page.provider_id)
    assert found is not None
    assert found.status.value == status
    closed = await adyen.provider.cancel_charge(page.provider_id, key=f"cancel:{our_ref}")
    assert closed.status in {ChargeStatus.CANCELED, ChargeStatus.EXPIRED}


@pytest.mark.parametrize("fault", [Fault.ANSWER_LOST, Fault.UNREADABLE, Fault.BROKEN_AFTER])
async def test_a_page_that_could_not_be_read_is_never_none(kit: ByEvents, adyen: AdyenHarness, fault: Fault) -> None:
    our_ref = fresh_ref("pay")
    page = await kit.open_page(adyen, our_ref)
    await adyen.break_next(Operation.FIND_CHARGE, fault)
    with pytest.raises(Unavailable):
        await adyen.provider.find_charge(our_ref, provider_id=page.provider_id)
    assert await adyen.provider.find_charge(fresh_ref("pay"), provider_id=page.provider_id) is None, "another's page"
    await adyen.break_next(Operation.FIND_CHARGE, Fault.UNKNOWN_STATUS)
    found = await adyen.provider.find_charge(our_ref, provider_id=page.provider_id)
    assert found is not None
    assert found.status is ChargeStatus.PENDING


async def test_another_page_under_the_same_key_is_an_alarm(kit: ByEvents, adyen: AdyenHarness) -> None:
    our_ref = fresh_ref("pay")
    await kit.open_page(adyen, our_ref, amount=Money.of(100, "USD"))
    with pytest.raises(KeyConflict):
        await kit.open_page(adyen, our_ref, amount=Money.of(101, "USD"))


async def story(kit: ByEvents, adyen: AdyenHarness, what: Enters) -> Sequence[ChargeStatus]:
    """How a debit goes, day by day."""
    saved, our_ref = await kit.saved(adyen, what), fresh_ref("pay")
    charge = await kit.charge(adyen, saved, our_ref, Money.of(12_345, adyen.debit_currency))
    assert charge.expected_on is not None
    seen, latest = [charge.status], charge
    for _ in range(20):
        await adyen.advance(DAY)
        latest = await kit.charge_now(adyen, our_ref)
        if latest.status is not seen[-1]:
            seen.append(latest.status)
    assert (latest.return_code == "AM04") is (latest.status is ChargeStatus.RETURNED)
    return seen


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        (Enters.GOOD_DEBIT, [ChargeStatus.PROCESSING, ChargeStatus.SETTLED]),
        (Enters.FAILING_DEBIT, [ChargeStatus.PROCESSING, ChargeStatus.RETURNED]),
        (Enters.RETURNING_DEBIT, [ChargeStatus.PROCESSING, ChargeStatus.SETTLED, ChargeStatus.RETURNED]),
    ],
)
async def test_a_debit_is_presumed_settled_and_may_come_back(
    kit: ByEvents, adyen: AdyenHarness, adyen_in_europe: AdyenHarness, what: Enters, expected: list[ChargeStatus]
) -> None:
    assert await story(kit, adyen, what) == expected
    await adyen_in_europe.first_day()
    assert await story(kit, adyen_in_europe, what) == expected


async def captured(kit: ByEvents, adyen: AdyenHarness) -> ProviderCharge:
    """A charge of 123.45."""
    return await kit.charge(adyen, await kit.saved(adyen, Enters.GOOD), fresh_ref("pay"))


async def heard_refund(adyen: AdyenHarness, our_ref: str) -> ProviderRefund | None:
    return await adyen.provider.find_refund(our_ref, heard=await adyen.heard(our_ref))


async def test_a_refund_is_under_way_until_its_event_says_that_it_went(kit: ByEvents, adyen: AdyenHarness) -> None:
    charge, our_ref = await captured(kit, adyen), fresh_ref("rfd")
    refund = await kit.refund(adyen, charge, our_ref, 345)
    assert (refund.status, refund.charge_id) == (RefundStatus.PROCESSING, charge.provider_id)
    went = await heard_refund(adyen, our_ref)
    assert went == replace(refund, status=RefundStatus.SUCCEEDED)
    assert list(await adyen.provider.refunds_of(our_ref, heard=await adyen.heard(our_ref))) == [went]
    assert await adyen.given_back(our_ref) == 345


async def test_ten_refunds_at_once_never_give_back_more_than_was_captured(kit: ByEvents, adyen: AdyenHarness) -> None:
    charge, references = await captured(kit, adyen), [fresh_ref("rfd") for _ in range(10)]
    sixty_percent = charge.amount.minor * 6 // 10
    await asyncio.gather(*(kit.refund(adyen, charge, each, sixty_percent) for each in references))
    told = [await heard_refund(adyen, each) for each in references]
    statuses = [each.status for each in told if each is not None]
    assert (len(statuses), statuses.count(RefundStatus.SUCCEEDED)) == (10, 1)
    assert sum([await adyen.given_back(each) for each in references]) == sixty_percent


async def test_what_was_not_captured_is_not_given_back(kit: ByEvents, adyen: AdyenHarness) -> None:
    declined = await kit.charge(adyen, await kit.saved(adyen, Enters.DECLINED_LATER), fresh_ref("pay"))
    our_ref, page = fresh_ref("rfd"), await kit.open_page(adyen, fresh_ref("pay"))
    await kit.refund(adyen, declined, our_ref)
    told = await heard_refund(adyen, our_ref)
    assert told is not None
    assert (told.status, await adyen.given_back(our_ref)) == (RefundStatus.FAILED, 0)
    with pytest.raises(Rejected):
        await kit.refund(adyen, page, fresh_ref("rfd"))


async def test_a_payment_whose_id_begins_as_a_pages_does_is_no_page(adyen: AdyenHarness) -> None:
    """One in thirteen hundred does. Adyen is asked, and knows none of this id: it is not refused unasked."""
    order = RefundOrder(our_ref=fresh_ref("rfd"), charge_id="PL6HT9CRT65ZGN82", amount=Money.of(345, "USD"))
    with pytest.raises(Rejected) as refused:
        await adyen.provider.refund(order, key=order.our_ref)
    assert refused.value.code != "nothing_captured"


async def test_a_refund_that_never_arrived_is_sent_again_under_its_key(kit: ByEvents, adyen: AdyenHarness) -> None:
    charge, our_ref = await captured(kit, adyen), fresh_ref("rfd")
    await adyen.break_next(Operation.REFUND, Fault.REQUEST_LOST)
    with pytest.raises(OutcomeUnknown):
        await kit.refund(adyen, charge, our_ref, 345)
    assert await heard_refund(adyen, our_ref) is None
    for _ in range(2):
        await kit.refund(adyen, charge, our_ref, 345)
    assert await adyen.given_back(our_ref) == 345


async def test_a_refund_may_take_days_fail_and_come_back_after_it_went(kit: ByEvents, adyen: AdyenHarness) -> None:
    charge, slow, failing = await captured(kit, adyen), fresh_ref("rfd"), fresh_ref("rfd")
    await adyen.refund_path(RefundPath.STAYS_PENDING)
    await kit.refund(adyen, charge, slow)
    assert await heard_refund(adyen, slow) is None
    for succeeded, status in ((True, RefundStatus.SUCCEEDED), (False, RefundStatus.FAILED)):
        await adyen.bank_says(slow, succeeded=succeeded)
        told = await heard_refund(adyen, slow)
        assert told is not None
        assert told.status is status
    await adyen.refund_path(RefundPath.FAILS)
    await kit.refund(adyen, charge, failing)
    failed = await heard_refund(adyen, failing)
    assert failed is not None
    assert (failed.status, failed.failure_code) == (RefundStatus.FAILED, "refund")


async def test_a_set_up_s_page_is_closed_by_adyen_alone(kit: ByEvents, adyen: AdyenHarness) -> None:
    our_ref = fresh_ref("set")
    page = await kit.start_setup(adyen, our_ref)
    with pytest.raises(OutcomeUnknown):
        await adyen.provider.cancel_setup(page.session_id, key=f"cancel:{our_ref}")
    assert (await kit.setup_now(adyen, our_ref)).status is SetupStatus.OPEN
    await adyen.advance(timedelta(hours=1, minutes=1))
    await adyen.enter(page.url, Enters.GOOD)
    assert (await kit.setup_now(adyen, our_ref)).status is SetupStatus.EXPIRED
    assert await adyen.kept_methods(our_ref) == 0


async def test_a_set_up_that_ended_late_is_completed_all_the_same(kit: ByEvents, adyen: AdyenHarness) -> None:
    our_ref = fresh_ref("set")
    page = await kit.start_setup(adyen, our_ref)
    await adyen.enter(page.url, Enters.GOOD)
    await adyen.advance(2 * DAY)
    assert (await kit.setup_now(adyen, our_ref)).status is SetupStatus.COMPLETED


async def test_a_set_up_whose_answer_was_lost_is_opened_once_by_its_key(kit: ByEvents, adyen: AdyenHarness) -> None:
    our_ref = fresh_ref("set")
    order = SetupOrder(
        our_ref=our_ref,
        payer=a_payer(),
        kinds=(MethodKind.CARD,),
        currency="USD",
        return_url=RETURN_URL,
        cancel_url=CANCEL_URL,
    )
    await adyen.break_next(Operation.SETUP, Fault.ANSWER_LOST)
    with pytest.raises(OutcomeUnknown):
        await adyen.provider.start_setup(order, key=our_ref)
    assert await adyen.provider.find_setup(our_ref, heard=await adyen.heard(our_ref)) is None
    first, again = [await adyen.provider.start_setup(order, key=our_ref) for _ in range(2)]
    assert first == again


async def test_only_what_adyen_lists_for_the_customer_is_kept(kit: ByEvents, adyen: AdyenHarness) -> None:
    """An event's token is not signed: whoever changed it on the way cannot give a customer somebody else's card."""
    victim, our_ref = await kit.saved(adyen, Enters.GOOD), fresh_ref("set")
    page = await kit.start_setup(adyen, our_ref)
    _, _, stored = victim.method.token.rpartition("~")
    await adyen.enter(page.url, Enters.GOOD)
    (event,) = await adyen.heard(our_ref)
    forged = replace(
        event,
        facts={**event.facts, "psp": "ANOTHER", "unsigned_token": stored, "unsigned_shopper": victim.payer.customer_id},
    )
    setup = await adyen.provider.find_setup(our_ref, session_id=page.session_id, heard=[forged])
    assert setup is not None
    assert (setup.status, setup.method) == (SetupStatus.OPEN, None)


async def test_a_page_s_method_is_kept_only_where_its_own_payment_stored_it(kit: ByEvents, adyen: AdyenHarness) -> None:
    victim, our_ref = await kit.saved(adyen, Enters.GOOD), fresh_ref("pay")
    page = await kit.open_page(adyen, our_ref)
    await adyen.enter(page.action_url or "", Enters.GOOD)
    (event,) = await adyen.heard(our_ref)
    forged = replace(event, facts={**event.facts, "unsigned_shopper": victim.payer.customer_id, "unsigned_token": "x"})
    found = await adyen.provider.find_charge(our_ref, heard=[forged])
    assert found is not None
    assert (found.status, found.saved_method) == (ChargeStatus.CAPTURED, None)


async def test_a_delivery_is_believed_by_each_of_our_keys_and_no_other(kit: ByEvents, adyen: AdyenHarness) -> None:
    saved, our_ref = await kit.saved(adyen, Enters.GOOD), fresh_ref("pay")
    charge = await kit.charge(adyen, saved, our_ref)
    raw = (await adyen.deliveries(our_ref, at_least=1))[0].raw
    for key in KEYS:
        (event,) = adyen.provider.read_webhook(again_signed(raw, key), {}, now=now())
        assert (event.subject, event.our_ref, event.provider_id) == (EventSubject.CHARGE, our_ref, charge.provider_id)
    item = item_of(raw)
    dearer = raw.replace(str(item["amount"]["value"]).encode(), b"99999")
    for forged in (again_signed(raw, STRANGERS_KEY), raw.replace(our_ref[:10].encode(), b"pay_000000"), dearer):
        with pytest.raises(WebhookRejected, match="signature"):
            adyen.provider.read_webhook(forged, {}, now=now())
    with pytest.raises(WebhookRejected, match="account"):
        adyen.provider.read_webhook(again_signed(raw, KEYS[0], merchantAccountCode=f"{ACCOUNT}2"), {}, now=now())


async def test_a_wrong_key_and_a_wrong_account_are_told_in_a_sentence(adyen: AdyenHarness) -> None:
    assert list(await adyen.provider.check_configuration()) == []
    for change in ({"api_key": "AQE_wrong"}, {"merchant_account": "Nobody"}):
        async with adyen.elsewhere(**change) as provider:
            (problem,) = await provider.check_configuration()
            assert problem.code == "api_key"
            with pytest.raises(Misconfigured):
                await provider.list_methods("cus_1")


async def test_who_opens_a_page_sees_what_it_is_and_can_use_it_without_scripts(kit: ByEvents, adyen: AdyenHarness) -> None:
    page = await kit.open_page(adyen, fresh_ref("pay"), lasts=timedelta(hours=1))
    html = (await adyen.browser.get(page.action_url or "")).text
    assert '<html lang="en">' in html
    assert "<legend>Test method</legend>" in html
    assert html.count("<label>") == html.count('type="radio"') > 3
    assert "<script" not in html
    await adyen.enter(page.action_url or "", Enters.GOOD)
    assert RETURN_URL.replace("&", "&amp;") in (await adyen.browser.get(page.action_url or "")).text
    assert (await adyen.browser.get(f"{page.action_url}x")).status_code == 404
