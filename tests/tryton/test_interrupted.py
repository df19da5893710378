"""Every write of a document may be the last one: the next try goes on from there, and the books hold it once."""

from dataclasses import replace

import pytest

from connectors.conformance.erp_harness import application_of, payment_of, raised
from connectors.erp.ports import ErpInvoiceStatus
from connectors.erp.tryton import build
from connectors.errors import Misconfigured, OutcomeUnknown, Rejected
from domain.money import Money
from tests.tryton.harness import TrytonHarness

pytestmark = pytest.mark.long

WRITES_OF_A_PAYMENT = 5


ANSWERS = [pytest.param(write, True, id=f"answer {write}") for write in range(WRITES_OF_A_PAYMENT - 1)]
REQUESTS = [pytest.param(write, False, id=f"request {write}") for write in range(4)]
LATER = [pytest.param(*each.values, id=each.id) for each in ANSWERS[1:]]


# The last write makes a wizard forget, which changes nothing: its loss is not even noticed.
@pytest.mark.parametrize(("write", "is_carried_out"), [*ANSWERS[:1], *LATER, *REQUESTS])
async def test_whichever_write_is_lost_the_payment_is_there_once_and_whole(
    harness: TrytonHarness, write: int, is_carried_out: bool
) -> None:
    customer = await harness.make_customer(currency="EUR")
    invoice = await harness.make_invoice(customer=customer, total=Money.of(100, "EUR"))
    payment = payment_of(customer, {invoice: Money.of(100, "EUR")}, unapplied=Money.of(7, "EUR"))
    if is_carried_out:
        harness.proxy.lose_answer(skip=write)
    else:
        harness.proxy.lose_request(skip=write)
    await raised(OutcomeUnknown, harness.erp.post_payment(payment))
    told = await harness.erp.find_document(payment.reference)
    assert all(each.amount == payment.amount for each in told)
    assert not any(each.is_finished for each in told) or (write, is_carried_out) == (3, True)
    again = await harness.erp.post_payment(payment)
    assert (again.amount, again.is_finished) == (payment.amount, True)
    assert await harness.count_documents(reference=payment.reference) == 1
    found = await harness.read(invoice)
    assert (found.settled, found.status) == (Money.of(100, "EUR"), ErpInvoiceStatus.PAID)
    assert harness.owed_minor(customer) == -7


async def test_a_payment_takes_as_many_writes_as_are_lost_here(harness: TrytonHarness) -> None:
    customer = await harness.make_customer(currency="EUR")
    invoice = await harness.make_invoice(customer=customer, total=Money.of(100, "EUR"))
    harness.proxy.writes.clear()
    await harness.erp.post_payment(payment_of(customer, {invoice: Money.of(100, "EUR")}))
    assert len(harness.proxy.writes) == WRITES_OF_A_PAYMENT
    assert harness.proxy.writes[:2] == ["model.account.move.create", "model.account.move.post"]


async def test_an_invoice_whose_mark_was_taken_off_for_nothing_gets_it_back(harness: TrytonHarness) -> None:
    customer = await harness.make_customer(currency="EUR")
    invoice = await harness.make_invoice(customer=customer, total=Money.of(100, "EUR"))
    payment = payment_of(customer, {invoice: Money.of(100, "EUR")})
    await harness.erp.post_payment(payment)
    off = application_of(payment, {invoice: Money.of(-40, "EUR")})
    harness.proxy.lose_request(skip=3)  # after the three of the wizard that takes the mark off
    await raised(OutcomeUnknown, harness.erp.post_application(off))
    assert (await harness.read(invoice)).settled == Money.of(100, "EUR")
    await harness.erp.post_application(off)
    assert (await harness.read(invoice)).settled == Money.of(60, "EUR")
    assert await harness.count_documents(reference=off.reference) == 1


async def test_a_wrong_password_wakes_a_person_and_an_ended_session_does_not(harness: TrytonHarness) -> None:
    stranger = build(replace(harness.config, password="wrong"))
    with pytest.raises(Misconfigured):
        await stranger.ping()
    await stranger.aclose()
    nowhere = build(replace(harness.config, payment_method="Nobody's"))
    with pytest.raises(Misconfigured, match='0 payment methods named "Nobody\'s"'):
        await nowhere.ping()
    await nowhere.aclose()
    await harness.erp.ping()
    await harness.proxy.end_session(f"/{harness.config.database}/rpc/")
    await harness.erp.ping()


async def test_an_invoice_that_is_not_there_is_a_refusal(harness: TrytonHarness) -> None:
    customer = await harness.make_customer(currency="EUR")
    with pytest.raises(Rejected) as refused:
        await harness.erp.post_payment(payment_of(customer, {"99999": Money.of(1, "EUR")}))
    assert refused.value.code == "INVOICE_NOT_FOUND"
