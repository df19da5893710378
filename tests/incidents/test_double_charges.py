"""Families 1-8, 12, 20-23: money taken, booked or given back twice, called off too early, orphaned, or in the wrong unit.

Each incident is played against Duly, and against the naive variant that it happened to, which must fail.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from connectors.erp.ports import ErpInvoiceStatus
from connectors.payments.ports import ChargeStatus
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


async def test_money_for_an_invoice_that_was_voided_meanwhile_stays_the_customers(database: machine.Database) -> None:
    """woocommerce-gateway-stripe 5362: the order was cancelled, and the capture belonged to nobody."""
    async with scene(database) as played:
        invoice = (await played.invoices())[0]
        request = await played.request(behaviour=None, invoice=invoice)
        played.pay(request)
        await played.town.go_on()
        played.town.erp.change_status(invoice.erp_id, ErpInvoiceStatus.VOID)
        played.town.sync()
        await played.town.go_on()
        played.town.provider.accept(played.charges(request.payment_id)[0])
        await played.town.come_to_rest()
        assert (await played.state(request.payment_id), played.moving(request.payment_id)) == ("captured", 1)
        credited = await played.town.rows(
            """SELECT -sum(amount) AS minor FROM journal_lines
               WHERE customer_id = :id AND account IN ('receivable', 'unapplied')""",
            id=played.customer.id,
        )
        assert credited[0].minor == invoice.available
        # The ERP takes nothing on a void invoice: its own words wait for a person, and no other payment of it is written.
        refused = "payment_id = :id AND state = 'refused' AND error_code = 'INVOICE_NOT_OPEN'"
        assert await played.count("postings", refused, id=request.payment_id) == 1
        assert [each for each in played.town.erp.documents if each.reference is not None] == []


def test_a_capture_of_a_cancelled_order_is_in_nobodys_books() -> None:
    with pytest.raises(AssertionError):
        assert hubs.booked(10_000, order_is_cancelled=True) == 10_000


async def two_payers_of_one_invoice(played: Scene) -> None:
    invoice = (await played.invoices())[0]
    requests = [await played.request(invoice=invoice) for _ in range(2)]
    for each in requests:
        played.pay(each)
    await played.town.come_to_rest()
    assert sorted([await played.state(each.payment_id) for each in requests]) == ["captured", "refused"]
    assert sum(played.moving(each.payment_id) for each in requests) == 1


async def test_what_is_held_is_decided_where_it_is_locked(database: machine.Database) -> None:
    """hmis 23833: each call had its own transaction, so the lock was gone before anybody decided."""
    async with scene(database) as played:
        await two_payers_of_one_invoice(played)


async def test_a_lock_that_ends_before_the_decision_holds_twice_what_is_open(database: machine.Database) -> None:
    async with scene(database) as played:
        invoice, *others = await played.invoices()
        holders = [await played.request(behaviour=None, invoice=each) for each in others[:2]]
        for each in holders:
            played.pay(each)
        await played.town.go_on()
        naive = hubs.LocksThenForgets(played.town.database)
        seen = [await naive.look(invoice.id) for _ in holders]
        for holder, available in zip(holders, seen, strict=True):
            await naive.hold(holder.payment_id, invoice.id, available)
        held = (await played.town.rows("SELECT sum(amount) AS n FROM holds WHERE invoice_id = :id", id=invoice.id))[0].n
        with pytest.raises(AssertionError):
            assert held <= invoice.available


async def test_money_that_goes_back_is_booked_once_whoever_tells(database: machine.Database) -> None:
    """hyperswitch 13182, smartstore 1544: booked by the answer, and again by the event."""
    async with scene(database) as played:
        request = await played.request(part=7)
        played.pay(request)
        await played.town.go_on()
        played.town.provider.move(played.charges(request.payment_id)[0], ChargeStatus.RETURNED)
        for told in [each for each in played.town.provider.outgoing if each.claims is ChargeStatus.RETURNED] * 2:
            played.town.receive(told)
        # The form is sent again: its run asks the provider, and hears of it on its own.
        played.pay(request)
        await played.town.come_to_rest()
        assert await played.state(request.payment_id) == "returned"
        assert await played.count("postings", "payment_id = :id AND kind = 'reversal'", id=request.payment_id) == 1
        reversals = [each for each in played.town.erp.documents if each.kind == "reversal"]
        assert [each.amount.minor for each in reversals] == [request.lines[0].minor]


def test_whoever_books_what_each_tells_gives_back_twice() -> None:
    naive = hubs.BooksWhoeverTells()
    for _ in ("the answer", "the event"):
        naive.hear(10_000)
    with pytest.raises(AssertionError):
        assert naive.returned == 10_000


def test_yen_have_no_cents() -> None:
    """InvoicePlane 1677: charged a hundred times."""
    assert Money.of(1_000, "JPY").plain() == "1000"
    with pytest.raises(AssertionError):
        assert hubs.minor_units_of("1000", "JPY") == 1_000
