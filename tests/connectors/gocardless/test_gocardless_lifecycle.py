"""What GoCardless does that the kit does not tell of: keys that compare nothing, late failures, instant payments, sweeps."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from connectors.conformance.payment_harness import (
    CANCEL_URL,
    RETURN_URL,
    Enters,
    Fault,
    Operation,
    PaymentSuite,
    Saved,
    a_payer,
    fresh_ref,
    now,
)
from connectors.errors import KeyConflict, Misconfigured, OutcomeUnknown, Rejected, Throttled, Unavailable
from connectors.payments.gocardless import build
from connectors.payments.gocardless.client import VERSION
from connectors.payments.ports import Capability, ChargeStatus, PageOrder, ProviderCharge, SetupOrder, SetupStatus
from domain.methods import MethodKind
from domain.money import Money
from tests.connectors.gocardless.harness import ACCESS_TOKEN, GoCardlessHarness, start_gocardless
from tests.simulators.running import Program

SUITE = PaymentSuite()
KINDS = ((MethodKind.SEPA_DEBIT, "EUR"), (MethodKind.BACS_DEBIT, "GBP"), (MethodKind.US_BANK_ACCOUNT, "USD"))


def setup_order(kind: MethodKind, currency: str) -> SetupOrder:
    return SetupOrder(
        our_ref=fresh_ref("set"),
        payer=a_payer(),
        kinds=(kind,),
        currency=currency,
        return_url=RETURN_URL,
        cancel_url=CANCEL_URL,
    )


async def mandate(gocardless: GoCardlessHarness, use: str = "ok", kind: MethodKind = MethodKind.SEPA_DEBIT) -> Saved:
    order = setup_order(kind, dict(KINDS)[kind])
    page = await gocardless.provider.start_setup(order, key=order.our_ref)
    await gocardless.enter(page.url, Enters.GOOD_DEBIT, use)
    done = await gocardless.provider.find_setup(order.our_ref)
    assert done is not None
    assert done.method is not None
    return Saved(payer=replace(order.payer, provider_ref=done.payer_ref), method=done.method)


async def charged(gocardless: GoCardlessHarness, saved: Saved, our_ref: str, minor: int = 5_010) -> ProviderCharge:
    order = SUITE.charge_order(saved, our_ref, Money.of(minor, dict(KINDS)[saved.method.kind]))
    return await gocardless.provider.charge(order, key=our_ref)


async def page(gocardless: GoCardlessHarness, our_ref: str, currency: str = "GBP", *, save: bool = False) -> ProviderCharge:
    order = PageOrder(
        our_ref=our_ref,
        payer=a_payer(),
        kinds=(MethodKind.INSTANT_BANK,),
        amount=Money.of(12_345, currency),
        description="Invoices INV-1 and INV-2",
        return_url=RETURN_URL,
        cancel_url=CANCEL_URL,
        save_method=save,
        expires_at=now() + timedelta(days=1),
    )
    return await gocardless.provider.open_payment_page(order, key=our_ref)


@pytest.mark.parametrize(("kind", "currency"), KINDS, ids=lambda part: str(part))
async def test_a_mandate_of_each_scheme_is_set_up_and_charged(
    gocardless: GoCardlessHarness, kind: MethodKind, currency: str
) -> None:
    saved, our_ref = await mandate(gocardless, kind=kind), fresh_ref("pay")
    charge = await charged(gocardless, saved, our_ref)
    assert (saved.method.kind, saved.method.brand, len(saved.method.last4)) == (kind, "BARCLAYS BANK PLC", 4)
    assert (charge.status, charge.amount) == (ChargeStatus.PROCESSING, Money.of(5_010, currency))
    assert await gocardless.provider.find_charge(our_ref) == charge
    assert await gocardless.moving(our_ref) == 1


@pytest.mark.parametrize("fault", ["answer_lost", "no_answer", "broken_after", "proxy_after", "unreadable"])
async def test_a_lost_answer_is_unknown_then_found_and_the_same_key_gives_the_same_payment(
    gocardless: GoCardlessHarness, fault: str
) -> None:
    saved, our_ref = await mandate(gocardless), fresh_ref("pay")
    await gocardless.turn(fault=["charge", fault])
    with pytest.raises(OutcomeUnknown):
        await charged(gocardless, saved, our_ref)
    found = await gocardless.provider.find_charge(our_ref)
    assert found is not None
    assert await charged(gocardless, saved, our_ref) == found
    assert await gocardless.moving(our_ref) == 1


async def test_a_key_that_made_another_payment_is_never_success(gocardless: GoCardlessHarness) -> None:
    saved, other, our_ref = await mandate(gocardless), await mandate(gocardless), fresh_ref("pay")
    await charged(gocardless, saved, our_ref)
    with pytest.raises(KeyConflict):
        await charged(gocardless, saved, our_ref, 5_011)
    with pytest.raises(KeyConflict):
        await charged(gocardless, other, our_ref)
    with pytest.raises(KeyConflict):
        await gocardless.provider.charge(SUITE.charge_order(saved, fresh_ref("pay"), Money.of(5_010, "EUR")), key=our_ref)
    assert await gocardless.moving(our_ref) == 1


async def test_a_conflict_that_cannot_be_read_stays_unknown(gocardless: GoCardlessHarness) -> None:
    saved, our_ref = await mandate(gocardless), fresh_ref("pay")
    await charged(gocardless, saved, our_ref)
    for fault in (Fault.ANSWER_LOST, Fault.THROTTLED, Fault.BROKEN_AFTER):
        await gocardless.break_next(Operation.FIND_CHARGE, fault)
        with pytest.raises(OutcomeUnknown):
            await charged(gocardless, saved, our_ref)
    assert await gocardless.moving(our_ref) == 1


async def test_each_refusal_of_a_charge_says_what_the_caller_may_do(gocardless: GoCardlessHarness) -> None:
    saved, our_ref = await mandate(gocardless), fresh_ref("pay")
    for fault, error in (
        (Fault.THROTTLED, Throttled),
        (Fault.UNDER_WAY, Throttled),
        (Fault.KEY_REFUSED, Misconfigured),
        (Fault.REFUSED, Rejected),
    ):
        await gocardless.break_next(Operation.CHARGE, fault)
        with pytest.raises(error):
            await charged(gocardless, saved, our_ref)
    order = setup_order(MethodKind.SEPA_DEBIT, "EUR")
    with pytest.raises(Unavailable):
        await gocardless.unreachable.start_setup(order, key=order.our_ref)
    with pytest.raises(Unavailable):
        await gocardless.unreachable.check_configuration()
    assert list(await gocardless.provider.check_configuration()) == []
    assert await gocardless.moving(our_ref) == 0


async def test_a_failure_after_the_money_was_there_is_a_return(gocardless: GoCardlessHarness) -> None:
    early, late = fresh_ref("pay"), fresh_ref("pay")
    await charged(gocardless, await mandate(gocardless, "fails"), early)
    await charged(gocardless, await mandate(gocardless, "fails_late"), late)
    for _ in range(8):
        await gocardless.advance(timedelta(days=1))
    failed, returned = await gocardless.provider.find_charge(early), await gocardless.provider.find_charge(late)
    assert failed is not None
    assert (failed.status, failed.failure_code, failed.return_code) == (
        ChargeStatus.DECLINED,
        "insufficient_funds",
        None,
    )
    assert returned is not None
    assert (returned.status, returned.return_code) == (ChargeStatus.RETURNED, "insufficient_funds")


async def test_a_payment_is_canceled_until_it_is_with_the_bank(gocardless: GoCardlessHarness) -> None:
    saved = await mandate(gocardless)
    waits, gone = await charged(gocardless, saved, fresh_ref("pay")), await charged(gocardless, saved, fresh_ref("pay"))
    assert (await gocardless.provider.cancel_charge(waits.provider_id, key="1")).status is ChargeStatus.CANCELED
    assert (await gocardless.provider.cancel_charge(waits.provider_id, key="2")).status is ChargeStatus.CANCELED
    await gocardless.advance(timedelta(days=1))
    assert (await gocardless.provider.cancel_charge(gone.provider_id, key="3")).status is ChargeStatus.PROCESSING


@pytest.mark.parametrize("save", [False, True], ids=["once", "and_saved"])
async def test_an_instant_payment_is_captured_on_its_page(gocardless: GoCardlessHarness, save: bool) -> None:
    our_ref = fresh_ref("pay")
    opened = await page(gocardless, our_ref, save=save)
    assert opened.status is ChargeStatus.NEEDS_CUSTOMER
    assert opened.action_url is not None
    assert opened.action_url.startswith(f"{next(iter(gocardless.provider.page_origins))}/")
    assert await gocardless.provider.find_charge(our_ref) == opened
    assert await page(gocardless, our_ref, save=save) == opened
    await gocardless.enter(opened.action_url, Enters.GOOD_DEBIT)
    paid = await gocardless.provider.find_charge(our_ref)
    assert paid is not None
    assert (paid.status, paid.amount, paid.provider_id) == (ChargeStatus.CAPTURED, opened.amount, opened.provider_id)
    assert paid.masked is not None
    assert (paid.saved_method is not None) is save
    assert len(await gocardless.provider.charges_of(our_ref)) == 1
    assert await gocardless.moving(our_ref) == 1
    after = await gocardless.provider.cancel_charge(paid.provider_id, key=our_ref)
    assert after.status is ChargeStatus.CAPTURED


async def test_a_page_whose_answer_was_lost_is_found_with_a_link_to_it(gocardless: GoCardlessHarness) -> None:
    our_ref = fresh_ref("pay")
    await gocardless.break_next(Operation.PAGE, Fault.ANSWER_LOST)
    with pytest.raises(OutcomeUnknown):
        await page(gocardless, our_ref)
    found = await gocardless.provider.find_charge(our_ref)
    assert found is not None
    assert (found.status, found.action_url is not None) == (ChargeStatus.NEEDS_CUSTOMER, True)
    canceled = await gocardless.provider.cancel_charge(found.provider_id, key=our_ref)
    await gocardless.enter(found.action_url or "", Enters.GOOD_DEBIT)
    assert canceled.status is ChargeStatus.CANCELED
    assert await gocardless.moving(our_ref) == 0


async def test_a_page_takes_only_currencies_that_move_at_once(gocardless: GoCardlessHarness) -> None:
    mandates_only = build(replace(gocardless.config, instant_currencies=frozenset({"EUR"})))
    assert Capability.PAY_ONCE in gocardless.provider.capabilities(MethodKind.INSTANT_BANK, "GBP")
    assert mandates_only.capabilities(MethodKind.INSTANT_BANK, "GBP") is Capability.NONE
    assert Capability.PAY_ONCE not in gocardless.provider.capabilities(MethodKind.BACS_DEBIT, "GBP")
    assert Capability.PAY_ONCE not in gocardless.provider.capabilities(MethodKind.US_BANK_ACCOUNT, "USD")
    for kind, currency in ((MethodKind.CARD, "USD"), (MethodKind.SEPA_DEBIT, "GBP"), (MethodKind.BACS_DEBIT, "JPY")):
        assert gocardless.provider.capabilities(kind, currency) is Capability.NONE
    with pytest.raises(Rejected):
        await page(gocardless, fresh_ref("pay"), "USD")
    await mandates_only.aclose()


async def test_the_same_set_up_key_asks_for_one_mandate(gocardless: GoCardlessHarness) -> None:
    order = setup_order(MethodKind.SEPA_DEBIT, "EUR")
    first = await gocardless.provider.start_setup(order, key=order.our_ref)
    assert await gocardless.provider.start_setup(order, key=order.our_ref) == first
    with pytest.raises(KeyConflict):
        await gocardless.provider.start_setup(replace(order, our_ref=fresh_ref("set")), key=order.our_ref)
    await gocardless.advance(timedelta(days=30))
    waiting = await gocardless.provider.find_setup(order.our_ref)
    assert waiting is not None
    assert (waiting.status, waiting.page is not None) == (SetupStatus.OPEN, True)


async def test_lost_events_are_listed_from_the_last_one_on(gocardless: GoCardlessHarness) -> None:
    since, our_ref = datetime.now(UTC) - timedelta(minutes=1), fresh_ref("pay")
    saved = await mandate(gocardless)
    before = await gocardless.provider.events_after(None, since=since)
    charge = await charged(gocardless, saved, our_ref)
    await gocardless.advance(timedelta(days=6))
    after = await gocardless.provider.events_after(before.cursor, since=since)
    assert [each.kind for each in after.events] == [
        f"payments.{action}" for action in ("created", "submitted", "confirmed", "paid_out")
    ]
    assert {(each.our_ref, each.provider_id) for each in after.events} == {(our_ref, charge.provider_id)}
    assert list((await gocardless.provider.events_after(after.cursor, since=since)).events) == []
    assert len((await gocardless.provider.events_after("EVforgotten", since=since)).events) == len(before.events) + 4
    assert await gocardless.provider.reference_of(charge.provider_id) == our_ref
    assert await gocardless.provider.reference_of("PMnobody") is None


async def test_a_simulated_start_and_a_reset_repeat_no_id(gocardless_program: Program) -> None:
    """GoCardless's ids are nobody's twice, and an inbox takes an event whose id it knows for an old one."""
    restarted, seen = start_gocardless(), []
    headers = {"Authorization": f"Bearer {ACCESS_TOKEN}", "GoCardless-Version": VERSION}
    try:
        for url in (gocardless_program.url, restarted.url):
            async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=10) as desk:
                for _ in range(2):
                    seen += [each["id"] for each in (await desk.get("/creditors")).raise_for_status().json()["creditors"]]
                    (await desk.post("/_test/set", json={"reset": True})).raise_for_status()
    finally:
        restarted.stop()
    assert len(seen) == 4
    assert len(set(seen)) == 4
