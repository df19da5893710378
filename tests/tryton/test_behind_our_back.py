"""What people enter in Tryton, and what they do there that touches no invoice: Duly sees it all the same."""

import asyncio
from dataclasses import replace

import pytest

from connectors.conformance.erp_harness import payment_of
from connectors.conformance.erp_streams import everything_since as everything_of
from connectors.erp.ports import ErpCustomer
from connectors.erp.tryton import Tryton, build
from domain.money import Money
from tests.tryton.harness import TrytonHarness

pytestmark = pytest.mark.long


async def everything_since(erp: Tryton, cursor: str) -> tuple[dict[str, int], str]:
    """What is settled on each invoice that changed, and the cursor after it."""
    found: dict[str, int] = {}
    more = True
    while more:
        page = await erp.invoices_since(cursor, limit=100)
        found |= {each.erp_id: each.settled.minor for each in page.rows}
        cursor, more = page.cursor, page.more
    return found, cursor


async def test_a_payment_that_is_taken_back_without_a_word_to_its_invoice_pays_nothing_and_is_told(
    harness: TrytonHarness,
) -> None:
    customer = await harness.make_customer(currency="EUR")
    invoice = await harness.make_invoice(customer=customer, total=Money.of(1_000, "EUR"))
    payment = payment_of(customer, {invoice: Money.of(400, "EUR")})
    await harness.erp.post_payment(payment)
    # Without going back, for the payment itself must not be what brings the invoice back. Tryton tells whole seconds.
    erp = build(replace(harness.config, overlap_seconds=0))
    await asyncio.sleep(1.1)
    told, cursor = await everything_since(erp, "")
    assert told[invoice] == 400
    _, documents = await everything_of(erp.payments_since, "", limit=100)
    before = harness.changed_at(invoice)
    harness.cancel(reference=payment.reference)
    assert harness.changed_at(invoice) == before, "the invoice itself says nothing of it"
    told, cursor = await everything_since(erp, cursor)
    assert told == {invoice: 0}
    assert (await everything_since(erp, cursor))[0] == {}
    ((gone,), _) = await everything_of(erp.payments_since, documents, limit=10)
    assert (gone.reference, gone.stands, gone.lines) == (payment.reference, False, ())
    await erp.aclose()
    assert [each.stands for each in await harness.erp.find_document(payment.reference)] == [False]
    assert harness.owed_minor(customer) == 1_000


async def test_an_invoice_is_told_with_its_lines_and_taxes_and_a_customer_with_a_contact(harness: TrytonHarness) -> None:
    customer = await harness.make_customer(currency="EUR")
    invoice = await harness.make_invoice(customer=customer, total=Money.of(1_003, "EUR"), is_taxed=True)
    found = await harness.read(invoice)
    assert (found.total, found.terms) == (Money.of(1_194, "EUR"), "In ten years")
    (line,) = found.lines
    assert (line.amount, line.tax_rate, line.tax) == (Money.of(1_003, "EUR"), "19 %", Money.of(191, "EUR"))
    assert (line.quantity, line.unit_price) == ("1", Money.of(1_003, "EUR"))
    cursor, more = "", True
    customers: dict[str, ErpCustomer] = {}
    while more:
        page = await harness.erp.customers_since(cursor, limit=100)
        customers |= {each.erp_id: each for each in page.rows}
        cursor, more = page.cursor, page.more
    assert [each.name for each in customers[customer].contacts] == ["Office"]
    assert customers[customer].email == customers[customer].contacts[0].email
    assert "Brightwater Supplies" not in {each.name for each in customers.values()}, "the company is nobody's customer"


async def test_what_people_type_into_a_description_stops_nothing(harness: TrytonHarness) -> None:
    customer = await harness.make_customer(currency="EUR")
    page = await harness.erp.credits_since("", limit=100)
    for said in ("line-7 of the list", "invoice-x", "pay_me"):
        harness.receive(customer=customer, amount=Money.of(500, "EUR"), said=said)
    page = await harness.erp.credits_since(page.cursor, limit=100)
    assert [each.origin for each in page.rows] == ["line-7 of the list", "invoice-x", "pay_me"]
