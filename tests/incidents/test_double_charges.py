"""Families 1-8, 12, 20, 22 and 23: money taken twice, called off too early, or in the wrong unit.

Each incident is played against Duly, and against the naive variant that it happened to, which must fail.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.money import Money
from tests import machine
from tests.incidents.scene import Scene, scene
from tests.naive import hubs
from tests.naive.far_sides import KeyOfEachRequest, SilenceIsNo
from tests.simulation.town import Rules


async def a_worker_dies_while_sending(database: machine.Database, rules: Rules) -> None:
    async with scene(database, rules) as played:
        request = await played.request()
        played.pay(request)
        await played.meets("provider.write", "die, executed late")
        await played.later(timedelta(seconds=2))
        await played.later(timedelta(seconds=40))
        await played.town.come_to_rest()
        assert played.moving(request.payment_id) == 1
        assert await played.state(request.payment_id) == "captured"


async def test_a_worker_that_died_while_sending_charges_once(database: machine.Database) -> None:
    await a_worker_dies_while_sending(database, Rules())


async def test_a_key_of_each_request_charges_twice(database: machine.Database) -> None:
    with pytest.raises(AssertionError):
        await a_worker_dies_while_sending(database, Rules(provider=KeyOfEachRequest))


async def the_provider_does_not_show_it_yet(database: machine.Database, rules: Rules) -> None:
    async with scene(database, rules) as played:
        request = await played.request()
        played.pay(request)
        await played.meets("provider.write", "execute late")
        await played.town.go_on()
        await played.later(timedelta(seconds=3))
        assert await played.state(request.payment_id) == "unknown"
        assert await played.count("holds", "holder_id = :id", id=request.payment_id) == 1
        await played.town.come_to_rest()
        assert await played.state(request.payment_id) == "captured"


async def test_a_charge_that_is_not_found_yet_keeps_its_hold(database: machine.Database) -> None:
    await the_provider_does_not_show_it_yet(database, Rules())


async def test_silence_taken_for_a_no_loses_the_hold(database: machine.Database) -> None:
    with pytest.raises(AssertionError):
        await the_provider_does_not_show_it_yet(database, Rules(provider=SilenceIsNo))


async def a_page_lives_while_another_tab_pays(played: Scene, *, frees_by_the_clock: bool) -> None:
    invoice = (await played.invoices())[0]
    page = await played.request(behaviour=None, invoice=invoice)
    played.pay(page)
    await played.town.go_on()
    await played.later(timedelta(minutes=20))
    if frees_by_the_clock:
        async with played.town.database.begin("naive") as tx:
            await tx.run("DELETE FROM holds")
    other = await played.request(invoice=invoice)
    played.pay(other)
    await played.town.go_on()
    played.town.provider.accept(played.charges(page.payment_id)[0])
    await played.town.come_to_rest()
    assert played.moving(page.payment_id) + played.moving(other.payment_id) == 1, "the invoice was paid twice"
    assert await played.state(other.payment_id) == "refused"


async def test_while_a_page_can_be_paid_nobody_else_pays_its_invoice(database: machine.Database) -> None:
    """lago-api 5708, Umbraco.Commerce 895: the superseded session stays payable."""
    async with scene(database) as played:
        await a_page_lives_while_another_tab_pays(played, frees_by_the_clock=False)


async def test_a_hold_that_ends_by_the_clock_is_paid_twice(database: machine.Database) -> None:
    async with scene(database) as played:
        with pytest.raises(AssertionError):
            await a_page_lives_while_another_tab_pays(played, frees_by_the_clock=True)


@pytest.mark.parametrize("order", ["die before commit", "die after commit"])
async def test_a_transaction_that_is_run_again_charges_nobody_again(database: machine.Database, order: str) -> None:
    """odoo 150102, 268268: the provider is never called inside a transaction."""
    async with scene(database) as played:
        request = await played.request()
        played.pay(request)
        ticket = await played.until("record_outcome", "transaction")
        await played.town.stage.let(ticket, "die before commit" if order == "die before commit" else "die after commit")
        await played.town.come_to_rest()
        assert played.moving(request.payment_id) == 1
        assert await played.count("journal_entries", "process_id = :id", id=request.payment_id) == 1


async def test_a_charge_inside_a_repeated_transaction_is_made_again() -> None:
    charged: list[int] = []

    async def charge() -> None:
        charged.append(1)

    await hubs.charge_inside_the_transaction(charge, conflicts=2)
    with pytest.raises(AssertionError):
        assert len(charged) == 1


async def test_a_form_that_is_sent_three_times_is_one_payment(database: machine.Database) -> None:
    """invoiceninja 6491, frappe payments 238, saleor 19220."""
    async with scene(database) as played:
        request = await played.request()
        for _ in range(3):
            played.pay(request)
        await played.town.come_to_rest()
        played.pay(request)
        await played.town.come_to_rest()
        assert (await played.count("payments"), played.moving(request.payment_id)) == (1, 1)


def test_a_payment_of_each_submission_is_three() -> None:
    naive = hubs.NewPaymentForEachPost()
    for _ in range(3):
        naive.submit("the same form")
    with pytest.raises(AssertionError):
        assert len(naive.made) == 1


def test_yen_have_no_cents() -> None:
    """InvoicePlane 1677: charged a hundred times."""
    assert Money.of(1_000, "JPY").plain() == "1000"
    with pytest.raises(AssertionError):
        assert hubs.minor_units_of("1000", "JPY") == 1_000
