"""Documents of several requests: whichever answer is lost, the next try ends where no loss would have, and once."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import pytest

from connectors.conformance.erp_harness import (
    ON,
    application_of,
    fresh_reference,
    payment_of,
    raised,
    refund_of,
    reversal_of,
)
from connectors.erp.erpnext import build
from connectors.erp.erpnext.client import CLOSED_PERIOD
from connectors.erp.ports import CreditApplicationDocument, PaymentLine, PostedDocument, RefundReversalDocument
from connectors.errors import Misconfigured, OutcomeUnknown, Rejected, Unavailable
from domain.money import Money
from tests.connectors.erpnext.harness import ErpNextHarness

STEPS_MAX: Final = 8


def euros(cents: int) -> Money:
    return Money.of(cents, "EUR")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A call that can be made again, what bears its reference, and what then is open of the invoice."""

    call: Callable[[], Awaitable[PostedDocument]]
    reference: str
    invoice: str
    customer: str
    opens: int
    owes: int


async def _paid(erpnext: ErpNextHarness) -> tuple[str, str, Any]:
    """An invoice of 10.00, of which our payment of 9.00 paid 6.00."""
    customer = await erpnext.make_customer(currency="EUR")
    invoice = await erpnext.make_invoice(customer=customer, total=euros(1_000))
    payment = payment_of(customer, {invoice: euros(600)}, unapplied=euros(300))
    await erpnext.erp.post_payment(payment)
    return customer, invoice, payment


async def _refund(erpnext: ErpNextHarness) -> Case:
    customer, invoice, payment = await _paid(erpnext)
    refund = refund_of(payment, {invoice: euros(200)}, unapplied=euros(100))
    call = lambda: erpnext.erp.post_refund(refund)  # noqa: E731 - made again and again
    return Case(call=call, reference=refund.reference, invoice=invoice, customer=customer, opens=600, owes=400)


async def _reversal(erpnext: ErpNextHarness) -> Case:
    customer, invoice, payment = await _paid(erpnext)
    reversal = reversal_of(payment)
    call = lambda: erpnext.erp.post_reversal(reversal)  # noqa: E731 - made again and again
    return Case(call=call, reference=reversal.reference, invoice=invoice, customer=customer, opens=1_000, owes=1_000)


async def _came_back(erpnext: ErpNextHarness) -> Case:
    customer, invoice, payment = await _paid(erpnext)
    refund = refund_of(payment, {invoice: euros(600)})
    await erpnext.erp.post_refund(refund)
    came_back = RefundReversalDocument(
        reference=fresh_reference(),
        refund_reference=refund.reference,
        payment_reference=payment.reference,
        customer_erp_id=customer,
        amount=refund.amount,
        reversed_on=ON,
        lines=(PaymentLine(invoice_erp_id=invoice, amount=euros(500)),),
        memo="The bank did not take it",
    )
    call = lambda: erpnext.erp.post_refund_reversal(came_back)  # noqa: E731 - made again and again
    return Case(call=call, reference=came_back.reference, invoice=invoice, customer=customer, opens=500, owes=100)


async def _moved(erpnext: ErpNextHarness) -> Case:
    customer, invoice, payment = await _paid(erpnext)
    other = await erpnext.make_invoice(customer=customer, total=euros(1_000))
    moved = application_of(payment, {invoice: euros(-400), other: euros(700)})
    call = lambda: erpnext.erp.post_application(moved)  # noqa: E731 - made again and again
    return Case(call=call, reference=moved.reference, invoice=invoice, customer=customer, opens=800, owes=1_100)


async def _credited(erpnext: ErpNextHarness) -> Case:
    customer, invoice, _ = await _paid(erpnext)
    note = await erpnext.make_invoice(customer=customer, total=euros(-300))
    credited = CreditApplicationDocument(
        reference=fresh_reference(),
        credit_erp_id=f"note:{note}",
        customer_erp_id=customer,
        lines=(PaymentLine(invoice_erp_id=invoice, amount=euros(300)),),
        on=ON,
        memo="Applied by staff",
    )
    call = lambda: erpnext.erp.post_credit_application(credited)  # noqa: E731 - made again and again
    return Case(call=call, reference=credited.reference, invoice=invoice, customer=customer, opens=100, owes=-200)


@pytest.mark.long
@pytest.mark.parametrize("case", [_refund, _reversal, _came_back, _moved, _credited], ids=lambda case: case.__name__[1:])
async def test_whichever_answer_is_lost_the_next_try_ends_as_if_none_had_been(
    erpnext: ErpNextHarness, case: Callable[[ErpNextHarness], Awaitable[Case]]
) -> None:
    lost = 0
    for step in range(1, STEPS_MAX + 1):
        one = await case(erpnext)
        await erpnext.act("turn", lose_after=step)
        try:
            await one.call()
        except OutcomeUnknown:
            lost += 1
        else:
            await erpnext.come_back()
            break
        assert len(await erpnext.erp.find_document(one.reference)) == 1
        posted = await one.call()
        assert posted.is_finished
        assert await erpnext.count_documents(reference=one.reference) == 1
        assert await erpnext.open_minor(one.invoice) == one.opens
        assert await erpnext.owed_minor(one.customer) == one.owes
        again = await one.call()
        assert (again.erp_id, await erpnext.owed_minor(one.customer)) == (posted.erp_id, one.owes)
    assert 2 <= lost < STEPS_MAX


async def test_what_is_refused_half_way_is_taken_back_to_where_it_was(erpnext: ErpNextHarness) -> None:
    customer, invoice, payment = await _paid(erpnext)
    await erpnext.act("turn", closed_until=ON.isoformat())
    refund = refund_of(payment, {invoice: euros(200)}, unapplied=euros(100))
    refused = await raised(Rejected, erpnext.erp.post_refund(refund))
    assert refused.code == CLOSED_PERIOD
    assert await erpnext.count_documents(reference=refund.reference) == 0
    assert await erpnext.open_minor(invoice) == 400
    assert await erpnext.owed_minor(customer) == 100


async def test_a_payment_that_bears_our_reference_and_is_another_is_never_taken_for_ours(erpnext: ErpNextHarness) -> None:
    customer, invoice, payment = await _paid(erpnext)
    other = payment_of(customer, {invoice: euros(100)}, reference=payment.reference)
    refused = await raised(Rejected, erpnext.erp.post_payment(other))
    assert refused.code == "REFERENCE_CONFLICT"
    assert await erpnext.open_minor(invoice) == 400


async def test_a_wrong_key_and_a_missing_account_wake_a_person(erpnext: ErpNextHarness) -> None:
    strange = build(replace(erpnext.config, api_secret="wrong"))
    await raised(Misconfigured, strange.ping())
    without = build(replace(erpnext.config, deposit_accounts=("Bank - NW",)))
    await raised(Misconfigured, without.ping())
    elsewhere = build(replace(erpnext.config, base_url="http://127.0.0.1:9"))
    await raised(Unavailable, elsewhere.ping())
    assert "wrong" not in repr(replace(erpnext.config, api_secret="wrong"))
    for each in (strange, without, elsewhere):
        await each.aclose()


async def test_an_invoice_kept_in_another_currency_is_shown_to_a_person(erpnext: ErpNextHarness) -> None:
    customer = await erpnext.make_customer(currency="EUR")
    invoice = await erpnext.make_invoice(customer=customer, total=euros(1_000), kept_in="USD")
    found = await erpnext.read(invoice)
    assert (found.status.value, found.status_word, found.settled) == ("unknown", "Unpaid, kept in USD", euros(0))
