"""Families 11 and 13-19, 25: events that are lost, late, reordered, foreign or forged."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
from datetime import timedelta
from itertools import permutations

import pytest

from connectors.errors import Misconfigured
from connectors.payments.ports import ChargeStatus
from connectors.payments.sandbox import SandboxConfig, build
from tests import machine
from tests.incidents.scene import Scene, scene
from tests.naive import hubs
from tests.simulation.provider import Told
from tests.simulation.town import Rules

NEWS = (ChargeStatus.CAPTURED, ChargeStatus.SETTLED, ChargeStatus.RETURNED)


async def deliver(played: Scene, told: Told) -> None:
    """One delivery, from the door to the end of what it woke."""
    played.town.receive(told)
    await played.town.go_on()


async def paid(played: Scene) -> str:
    """A payment that was captured; the provider has told nothing of it yet."""
    request = await played.request(part=7)
    played.pay(request)
    await played.town.go_on()
    assert await played.state(request.payment_id) == "captured"
    return request.payment_id


async def test_a_late_return_is_booked_whatever_came_before(database: machine.Database) -> None:
    """adyen-magento2 607 and 2726: success after failure, failure after success; in every order, each of them twice."""
    async with scene(database) as played:
        for order in permutations(range(3)):
            payment_id = await paid(played)
            charge = played.charges(payment_id)[0]
            for status in NEWS[1:]:
                played.town.provider.move(charge, status)
            events = [each for each in played.town.provider.outgoing if each.our_ref.startswith(payment_id)]
            assert [each.claims for each in events] == list(NEWS)
            for index in (*order, *order):
                await deliver(played, events[index])
            assert await played.state(payment_id) == "returned", order
            assert await played.count("postings", "payment_id = :id AND kind = 'reversal'", id=payment_id) == 1


def test_whoever_believes_events_in_their_order_is_wrong_in_most_orders() -> None:
    ends = []
    for order in permutations(NEWS):
        naive = hubs.BelievesEvents()
        for status in order:
            naive.hear(status.value)
        ends.append(naive.state)
    with pytest.raises(AssertionError):
        assert set(ends) == {"returned"}


async def test_an_event_of_a_second_charge_is_never_what_is_known_already(database: machine.Database) -> None:
    """It says what is booked, of another charge: somebody sent the payment twice, and a person must give one back."""
    async with scene(database) as played:
        payment_id = await paid(played)
        (first,) = played.charges(payment_id)
        provider = played.town.provider
        second = dataclasses.replace(first, id="ch_second", status=ChargeStatus.PROCESSING)
        provider.charges[second.id] = second
        provider.outgoing.clear()
        for status in (ChargeStatus.CAPTURED, ChargeStatus.SETTLED):
            assert provider.move(second, status)
        for told in list(provider.outgoing):
            await deliver(played, told)
        assert await played.state(payment_id) == "captured"
        of_payment = "process_id = :id AND kind = 'charged_again' AND amount = :amount AND closed_at IS NULL"
        assert await played.count("differences", of_payment, id=payment_id, amount=first.amount.minor) == 1
        assert await played.count("inbox", "provider_id = 'ch_second' AND state = 'stale'") == 0


async def test_an_event_of_a_page_that_came_to_nothing_is_no_second_charge(database: machine.Database) -> None:
    async with scene(database) as played:
        payment_id = await paid(played)
        (first,) = played.charges(payment_id)
        provider = played.town.provider
        declined = dataclasses.replace(first, id="ch_declined", status=ChargeStatus.PROCESSING)
        provider.charges[declined.id] = declined
        assert provider.move(declined, ChargeStatus.DECLINED)
        await deliver(played, provider.outgoing[-1])
        assert await played.count("differences", "process_id = :id", id=payment_id) == 0


async def the_door_falls_shut(database: machine.Database, rules: Rules) -> None:
    async with scene(database, rules) as played:
        payment_id = await paid(played)
        played.town.provider.outgoing.clear()
        played.town.provider.move(played.charges(payment_id)[0], ChargeStatus.RETURNED)
        played.town.receive(played.town.provider.outgoing[0])
        await played.town.stage.kill((await played.until("webhook.stored", "transaction")).attempt)
        await played.town.come_to_rest()
        assert await played.state(payment_id) == "returned"


async def test_an_event_that_was_not_stored_was_not_acknowledged(database: machine.Database) -> None:
    """lago-api 2972, better-auth 10534: 200 answered, nothing kept."""
    await the_door_falls_shut(database, Rules())


async def test_an_event_acknowledged_first_is_lost(database: machine.Database) -> None:
    with pytest.raises(AssertionError):
        await the_door_falls_shut(database, Rules(acknowledges_before_storing=True))


async def stored_and_then_nothing(played: Scene, *, sweeps: bool) -> None:
    payment_id = await paid(played)
    played.town.provider.outgoing.clear()
    played.town.provider.move(played.charges(payment_id)[0], ChargeStatus.RETURNED)
    told = played.town.provider.outgoing[0]
    played.town.receive(told)
    await played.town.stage.let(await played.until("webhook.stored", "transaction"))
    await played.town.stage.kill((await played.until("deliver.read", "transaction")).attempt)
    await deliver(played, told)
    await played.later(timedelta(minutes=1))
    if sweeps:
        played.town.sweep()
        await played.town.go_on()
    assert await played.state(payment_id) == "returned"


async def test_an_event_that_was_stored_and_woke_nobody_is_swept_up(database: machine.Database) -> None:
    """dj-stripe 832: the row is saved before the handler, the retry is skipped, the handler never runs."""
    async with scene(database) as played:
        await stored_and_then_nothing(played, sweeps=True)


async def test_without_a_sweep_the_repeat_is_skipped_for_ever(database: machine.Database) -> None:
    async with scene(database) as played:
        with pytest.raises(AssertionError):
            await stored_and_then_nothing(played, sweeps=False)


async def its_process_is_lost(played: Scene, *, hears: bool) -> None:
    """Found by our own simulation, seed 119: the event woke a run that was terminated before it could ask."""
    payment_id = await paid(played)
    played.town.provider.outgoing.clear()
    request = played.requested[payment_id]
    played.pay(request)  # the form once more: a run that has nothing to do
    await played.until("open_payment", "transaction")
    played.town.provider.move(played.charges(payment_id)[0], ChargeStatus.RETURNED)
    played.town.receive(played.town.provider.outgoing[0])
    while await played.count("inbox", "state = 'delivered'") == 0:
        ticket = next(each for each in played.town.tickets() if each.attempt.name == "webhook")
        await played.town.stage.let(ticket)
    played.town.registry.forget(f"payment/{payment_id}")
    await played.later(timedelta(minutes=3))
    if not hears:
        async with played.town.database.begin("naive") as tx:
            await tx.run("UPDATE inbox SET state = 'handled'")
    played.town.sweep()
    await played.town.go_on()
    assert await played.state(payment_id) == "returned"
    assert await played.count("inbox", "state = 'delivered'") == 0


async def test_an_event_whose_process_was_lost_before_it_asked_is_swept_up(database: machine.Database) -> None:
    async with scene(database) as played:
        await its_process_is_lost(played, hears=True)


async def test_an_event_that_is_done_with_once_it_woke_somebody_is_lost_with_him(database: machine.Database) -> None:
    async with scene(database) as played:
        with pytest.raises(AssertionError):
            await its_process_is_lost(played, hears=False)


async def nobody_tells_us(played: Scene, *, asks: bool) -> None:
    request = await played.request(behaviour=None)
    process = played.pay(request)
    await played.town.go_on()
    played.town.provider.accept(played.charges(request.payment_id)[0])
    played.town.provider.outgoing.clear()
    if asks:
        await played.later(timedelta(seconds=25))
    assert await played.state(request.payment_id) == "captured"
    assert not process.is_running


async def test_a_payment_of_which_no_event_ever_comes_is_asked_about(database: machine.Database) -> None:
    """invoiceninja 12147, Paymenter 1260, medusa 13301: paid there, pending here."""
    async with scene(database) as played:
        await nobody_tells_us(played, asks=True)


async def test_whoever_only_waits_for_events_never_learns_of_it(database: machine.Database) -> None:
    async with scene(database) as played:
        with pytest.raises(AssertionError):
            await nobody_tells_us(played, asks=False)


async def test_a_strangers_event_is_kept_aside_and_no_mistake(database: machine.Database) -> None:
    """3scale porta 3086: answered with 404, until the provider switches the endpoint off."""
    async with scene(database) as played:
        told = Told(
            id="ev",
            our_ref="somebody else's",
            object_id="ch_x",
            kind="charge.captured",
            claims=None,
            at=played.town.stage.now,
        )
        await deliver(played, told)
        assert await played.count("inbox", "state = 'parked'") == 1


def test_an_empty_secret_verifies_nothing() -> None:
    """dj-stripe 1920, d-inference 710: an attacker signs with the empty secret."""
    forged = hmac.new(b"", b"{}", hashlib.sha256).hexdigest()
    with pytest.raises(Misconfigured, match="secret"):
        build(SandboxConfig(base_url="http://127.0.0.1:9", api_key="k", webhook_secrets=("",)))
    with pytest.raises(AssertionError):
        assert not hubs.is_genuine(b"{}", forged, [""])
