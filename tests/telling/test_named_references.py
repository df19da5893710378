"""An event that bears no reference of ours: the provider is asked what it is about before anybody parks it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest_asyncio

from connectors.conformance.payment_harness import Enters
from connectors.payments.ports import EventSubject, ProviderCharge, ProviderEvent, RefundOrder
from domain.methods import MethodKind
from domain.money import Money
from store.identity import fresh_id
from tests import machine
from tests.connectors.stripe.harness import StripeHarness
from tests.telling.conftest import TimedSandbox
from tests.telling.ground import SUITE, Ground, ground_of, read

DAY = timedelta(days=1)


@pytest_asyncio.fixture
async def ground(database: machine.Database, stripe: StripeHarness) -> AsyncIterator[Ground]:
    async with ground_of(database, stripe) as made:
        yield made


async def returned_on_a_page(ground: Ground, stripe: StripeHarness, our_ref: str) -> ProviderCharge:
    """Paid on a page, which is known by its session; the bank takes it back, which is told of its payment intent only."""
    page = await SUITE.open_page(stripe, our_ref, kind=stripe.debit_kind, amount=Money.of(10_000, "USD"))
    await stripe.enter(page.action_url or "", Enters.RETURNING_DEBIT)
    await stripe.advance(10 * DAY)
    return page


async def dispute_of(stripe: StripeHarness) -> ProviderEvent:
    listed = (await stripe.provider.events_after(None, since=stripe.now() - 30 * DAY)).events
    return next(each for each in listed if each.kind == "charge.dispute.created")


async def told(ground: Ground) -> tuple[str, str | None, str | None]:
    row = await ground.books.one("SELECT state, our_ref, reason FROM inbox")
    return row.state, row.our_ref, row.reason


async def test_what_bears_no_reference_is_applied_to_what_the_provider_names(ground: Ground, stripe: StripeHarness) -> None:
    paid = await ground.opened(kind=MethodKind.US_BANK_ACCOUNT)
    page = await returned_on_a_page(ground, stripe, paid.our_ref)
    paid = await ground.answered(paid, page)
    event = await dispute_of(stripe)
    assert (event.subject, event.our_ref, event.provider_id != paid.charge_id) == (EventSubject.CHARGE, None, True)
    await ground.receive(event)
    assert (await ground.end(paid))["payment"] == ("returned", 10_000, 10_000)
    assert await told(ground) == ("handled", paid.our_ref, None)


async def test_what_the_provider_does_not_know_is_parked_and_asked_once(ground: Ground, stripe: StripeHarness) -> None:
    await returned_on_a_page(ground, stripe, fresh_id("pay"))
    event = replace(await dispute_of(stripe), provider_id="pi_of_nobody")
    await ground.receive(event)
    assert await told(ground) == ("parked", None, "nobody knows its reference")
    asked = len(await stripe.requests())
    for _ in range(3):
        await ground.sweep()
    assert await told(ground) == ("parked", None, "nobody knows its reference")
    assert len(await stripe.requests()) == asked


async def test_a_strangers_reference_is_kept_as_evidence_and_parked(ground: Ground, stripe: StripeHarness) -> None:
    await returned_on_a_page(ground, stripe, "order 77 of the shop")
    await ground.receive(await dispute_of(stripe))
    assert await told(ground) == ("parked", "order 77 of the shop", "nobody knows its reference")


async def test_a_parked_event_is_found_again_when_what_the_provider_named_appears(
    ground: Ground, stripe: StripeHarness
) -> None:
    """The books come back from yesterday's copy: what was named then is there only after somebody has mended them."""
    payment_id = fresh_id("pay")
    page = await returned_on_a_page(ground, stripe, f"{payment_id}-1")
    await ground.receive(await dispute_of(stripe))
    assert (await told(ground))[:2] == ("parked", f"{payment_id}-1")
    assert (await ground.sweep()).events == 0
    opened = await ground.opened(kind=MethodKind.US_BANK_ACCOUNT, payment_id=payment_id)
    assert (await ground.sweep()).events == 1
    assert (await ground.end(replace(opened, charge_id=page.provider_id)))["payment"] == ("returned", 10_000, 10_000)
    assert await told(ground) == ("handled", f"{payment_id}-1", None)


async def test_a_provider_that_is_away_is_asked_again_and_nothing_is_parked(ground: Ground, stripe: StripeHarness) -> None:
    paid = await ground.opened(kind=MethodKind.US_BANK_ACCOUNT)
    paid = await ground.answered(paid, await returned_on_a_page(ground, stripe, paid.our_ref))
    event = await dispute_of(stripe)
    away = Ground(ground.books, stripe, stripe.unreachable)
    (inbox_id,) = await away.receive(event)
    assert (away.processes.failed[inbox_id].type, away.processes.failed[inbox_id].non_retryable) == ("Unavailable", False)
    assert (await told(ground))[0] == "delivered"
    await away.sweep()
    assert (await told(ground))[0] == "delivered"
    await ground.sweep()
    assert (await ground.end(paid))["payment"] == ("returned", 10_000, 10_000)
    assert await told(ground) == ("handled", paid.our_ref, None)


async def test_where_nobody_can_name_it_the_payment_s_own_answer_finds_the_parked_event(
    database: machine.Database, sandbox: TimedSandbox
) -> None:
    """The event was faster than the answer that it is about, and tells the provider's own id only."""
    async with ground_of(database, sandbox) as ground:
        saved = await ground.saved(Enters.GOOD)
        opened = await ground.opened()
        charge = await sandbox.provider.charge(
            SUITE.charge_order(saved, opened.our_ref, Money.of(10_000, "USD")), key=opened.our_ref
        )
        (event,) = read(sandbox, await sandbox.deliveries(opened.our_ref, at_least=1))
        await ground.receive(replace(event, our_ref=None))
        assert (await told(ground))[0] == "parked"
        await ground.answered(opened, charge)
        await ground.sweep()
        assert (await told(ground))[0] in {"handled", "stale"}


async def test_a_refund_is_named_as_well(ground: Ground, stripe: StripeHarness) -> None:
    paid = await ground.paid(await ground.saved(Enters.GOOD))
    refund_ref = fresh_id("rfd")
    order = RefundOrder(our_ref=refund_ref, charge_id=paid.charge_id, amount=Money.of(5, "USD"))
    refund = await stripe.provider.refund(order, key=refund_ref)
    assert await stripe.provider.reference_of(refund.provider_id) == refund_ref
    assert await stripe.provider.reference_of("re_of_nobody") is None
    listed = (await stripe.provider.events_after(None, since=stripe.now() - DAY)).events
    event = replace(next(each for each in listed if each.kind == "refund.created"), our_ref=None)
    await ground.receive(event)
    assert await told(ground) == ("parked", refund_ref, "nobody knows its reference")
