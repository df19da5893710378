"""What else Xero is read for: where the money of a payment is by now, people's payments, quotes, templates and sums."""

from collections.abc import Awaitable, Callable
from typing import Any

from connectors.conformance.erp_harness import ON, fresh_reference, payment_of, refund_of
from connectors.conformance.erp_streams import everything_since
from connectors.erp.ports import ErpPayment, Page, PaymentLine, RefundReversalDocument
from domain.money import Money
from tests.connectors.xero.harness import XeroHarness


def euro(minor: int) -> Money:
    return Money.of(minor, "EUR")


async def payments(harness: XeroHarness, cursor: str = "", *, limit: int = 10) -> tuple[list[ErpPayment], str]:
    return await everything_since(harness.erp.payments_since, cursor, limit=limit)


async def test_a_payment_has_the_money_of_a_refund_that_came_back(harness: XeroHarness) -> None:
    customer = await harness.make_customer(currency="EUR")
    invoice = await harness.make_invoice(customer=customer, total=euro(1_000))
    payment = payment_of(customer, {invoice: euro(1_000)})
    await harness.erp.post_payment(payment)
    refund = refund_of(payment, {invoice: euro(300)})
    await harness.erp.post_refund(refund)
    # Without going back: what came back is then read without the payment that it came back to.
    erp = harness.another(overlap_seconds=0)
    ((told,), cursor) = await everything_since(erp.payments_since, "", limit=10)
    await harness.do("date_back", room="Overpayments", row=told.erp_id, seconds=60)
    assert ([each.amount for each in told.lines], told.unapplied, told.stands) == ([euro(700)], euro(0), True)
    came_back = RefundReversalDocument(
        reference=fresh_reference(),
        refund_reference=refund.reference,
        payment_reference=payment.reference,
        customer_erp_id=customer,
        amount=refund.amount,
        reversed_on=ON,
        lines=(PaymentLine(invoice_erp_id=invoice, amount=euro(250)),),
        memo="It came back",
    )
    await harness.erp.post_refund_reversal(came_back)
    ((again,), _) = await everything_since(erp.payments_since, cursor, limit=10)
    assert (again.erp_id, again.amount, again.reference) == (told.erp_id, euro(1_000), payment.reference)
    assert ([each.amount for each in again.lines], again.unapplied) == ([euro(950)], euro(50))
    ((whole,), _) = await payments(harness)
    assert whole == again, "read from the beginning it is the same one payment"


async def test_what_people_enter_and_take_back_is_told_as_theirs(harness: XeroHarness) -> None:
    customer = await harness.make_customer(currency="EUR")
    invoice = await harness.make_invoice(customer=customer, total=euro(1_000))
    given = {"contact": customer, "currency": "EUR", "on": ON.isoformat()}
    over = await harness.do("make_source", room="Overpayments", total="5.00", **given)
    await harness.do("make_source", room="CreditNotes", total="4.00", **given)
    paid = await harness.do("pay", invoice=invoice, amount="2.00", on=ON.isoformat())
    await harness.do("apply", room="Overpayments", source=over, invoice=invoice, amount="3.00", on=ON.isoformat())
    found, cursor = await payments(harness)
    told = {each.erp_id: (each.amount, [line.amount for line in each.lines], each.unapplied) for each in found}
    assert told == {
        f"Payment-{paid}": (euro(200), [euro(200)], euro(0)),
        f"Overpayment-{over}": (euro(500), [euro(300)], euro(200)),
    }
    assert {each.reference for each in found} == {None}
    await harness.do("unpay", payment=paid)
    ((gone,), _) = await payments(harness, cursor)
    assert (gone.erp_id, gone.stands, gone.lines) == (f"Payment-{paid}", False, ())


async def test_repeating_bills_are_no_templates_of_invoices(harness: XeroHarness) -> None:
    customer = await harness.make_customer(currency="EUR")
    given = {"contact": customer, "currency": "EUR", "total": "9.00", "on": ON.isoformat()}
    template = await harness.do("make_template", **given)
    await harness.do("make_template", **given, kind="ACCPAY")
    found, _ = await everything_since(harness.erp.recurring_since, "", limit=1)
    assert [(each.erp_id, each.frequency, each.remaining) for each in found] == [(template, "every 2 months", None)]


async def test_sums_over_several_pages_are_of_one_reading(harness: XeroHarness) -> None:
    customers = [await harness.make_customer(currency="EUR") for _ in range(3)]
    for each in customers:
        await harness.make_invoice(customer=each, total=euro(700))
    before = len(await harness.requests())
    found, _ = await everything_since(harness.erp.open_totals, "", limit=1)
    assert sorted(each.customer_erp_id for each in found) == sorted(customers)
    assert len(await harness.requests()) == before + 1
    await harness.do(
        "pay", invoice=await harness.make_invoice(customer=customers[0], total=euro(5)), amount="0.05", on=str(ON)
    )
    again, _ = await everything_since(harness.erp.open_totals, "", limit=10)
    assert {(each.count, each.open) for each in again} == {(1, euro(700))}, "the next time they are read anew"


async def test_what_says_nothing_of_what_is_open_is_read_seldomer(harness: XeroHarness) -> None:
    erp = harness.another(read_every_seconds=1_000)
    streams: list[Callable[..., Awaitable[Page[Any]]]] = [erp.payments_since, erp.quotes_since, erp.recurring_since]
    for read in streams:
        _, cursor = await everything_since(read, "", limit=10)
        seen = len(await harness.requests())
        assert await everything_since(read, cursor, limit=10) == ([], cursor)
        assert len(await harness.requests()) == seen
