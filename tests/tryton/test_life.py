"""A life of a customer in a real Tryton: what the connector tells is what the general ledger says, to the cent."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

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
from connectors.erp.ports import CreditApplicationDocument, CreditKind, ErpCredit, ErpInvoiceStatus, Page, PaymentLine
from connectors.errors import Rejected
from domain.money import Money
from tests.tryton.harness import TrytonHarness

pytestmark = pytest.mark.long

T = TypeVar("T")


def euro(minor: int) -> Money:
    return Money.of(minor, "EUR")


async def told(harness: TrytonHarness, customer: str) -> int:
    """What a customer owes by what the connector tells: open invoices, less what is left of credits. The rest of our own
    payments it does not tell: Duly's rows do.
    """
    invoices = await everything(harness.erp.invoices_since)
    credits_left = [each for each in await everything(harness.erp.credits_since) if not each.deleted]
    owed = sum((each.total - each.settled).minor for each in invoices if each.customer_erp_id == customer)
    return owed - sum((each.total - each.used).minor for each in credits_left if each.customer_erp_id == customer)


async def everything(read: Callable[..., Awaitable[Page[T]]]) -> list[T]:
    """All pages from the beginning."""
    found: list[T] = []
    cursor, more = "", True
    while more:
        page = await read(cursor, limit=100)
        found.extend(page.rows)
        cursor, more = page.cursor, page.more
    return found


async def credit(harness: TrytonHarness, erp_id: str) -> ErpCredit:
    (found,) = await harness.erp.credits_by_id([erp_id])
    return found


def applied(credit_erp_id: str, customer: str, invoice: str, amount: Money) -> CreditApplicationDocument:
    return CreditApplicationDocument(
        reference=fresh_reference().replace("pay_", "req_"),
        credit_erp_id=credit_erp_id,
        customer_erp_id=customer,
        lines=(PaymentLine(invoice_erp_id=invoice, amount=amount),),
        on=ON,
        memo="Asked for by the customer",
    )


async def test_what_the_connector_tells_is_what_the_general_ledger_says(harness: TrytonHarness) -> None:
    erp = harness.erp
    customer = await harness.make_customer(currency="EUR")
    first, second, third = [await harness.make_invoice(customer=customer, total=euro(each)) for each in (10_000, 5_000, 700)]

    # Many invoices in one payment, one of them in part, a rest on account.
    payment = payment_of(customer, {first: euro(10_000), second: euro(1_500)}, unapplied=euro(900))
    await erp.post_payment(payment)
    assert (await harness.read(first)).status is ErpInvoiceStatus.PAID
    assert await told(harness, customer) - 900 == harness.owed_minor(customer) == 10_000 + 5_000 + 700 - 12_400

    # The rest is applied, and taken off again; the first invoice is opened for a refund of a part of it.
    await erp.post_application(application_of(payment, {third: euro(700)}))
    assert (await harness.read(third)).status is ErpInvoiceStatus.PAID
    await erp.post_application(application_of(payment, {third: euro(-300)}))
    assert ((await harness.read(third)).settled, (await harness.read(third)).status) == (euro(400), ErpInvoiceStatus.OPEN)
    await erp.post_refund(refund_of(payment, {first: euro(2_000)}, unapplied=euro(100)))
    assert (await harness.read(first)).settled == euro(8_000)

    # A person pays behind our back, and enters money that is for nothing yet; a credit note is written.
    await harness.pay_by_hand(invoice=second, amount=euro(500))
    line = harness.receive(customer=customer, amount=euro(3_000))
    note = await harness.make_invoice(customer=customer, total=euro(-1_200))
    assert (await harness.read(second)).settled == euro(2_000)

    # Both are put on invoices, and one comes off again.
    by_hand, by_note = f"line-{line}", f"invoice-{note}"
    await erp.post_credit_application(applied(by_note, customer, second, euro(1_200)))
    await erp.post_credit_application(applied(by_hand, customer, first, euro(2_000)))
    used = await credit(harness, by_note)
    assert (used.kind, used.total, used.used) == (CreditKind.CREDIT_NOTE, euro(1_200), euro(1_200))
    assert [each.amount for each in used.applications] == [euro(1_200)]
    assert ((await credit(harness, by_hand)).used, (await harness.read(first)).settled) == (euro(2_000), euro(10_000))
    await raised(Rejected, erp.post_credit_application(applied(by_hand, customer, second, euro(1_001))))
    await erp.post_credit_application(applied(by_note, customer, second, euro(-200)))
    assert (await credit(harness, by_note)).used == euro(1_000)
    assert await told(harness, customer) - (900 - 700 + 300 - 100) == harness.owed_minor(customer)

    # The list of payment documents says the same of both, ours and the person's.
    listed = {each.erp_id: each for each in await everything(erp.payments_since) if each.customer_erp_id == customer}
    (ours,) = [each for each in listed.values() if each.reference == payment.reference]
    assert {each.invoice_erp_id: each.amount.minor for each in ours.lines} == {first: 8_000, second: 1_500, third: 400}
    assert (ours.amount, ours.unapplied, ours.stands) == (euro(12_400), euro(900 - 700 + 300 - 100), True)
    theirs = listed[by_hand]
    assert {each.invoice_erp_id: each.amount.minor for each in theirs.lines} == {first: 2_000}
    assert (theirs.amount, theirs.unapplied, theirs.author) == (euro(3_000), euro(1_000), "admin")
    assert len(listed) == 3, "refunds, applications and credit notes are no payments"

    # The bank takes the whole payment back: what is left of it comes off wherever it is by now.
    gone = replace(reversal_of(payment), amount=euro(12_400 - 2_100), lines=())
    await erp.post_reversal(gone)
    assert (await harness.read(first)).settled == euro(2_000)
    assert (await harness.read(second)).settled == euro(500 + 1_000)
    assert (await harness.read(third)).settled == euro(0)
    assert await told(harness, customer) == harness.owed_minor(customer) == 15_700 - 500 - 3_000 - 1_200
    assert not {each.reference: each for each in await everything(erp.payments_since)}[payment.reference].stands
