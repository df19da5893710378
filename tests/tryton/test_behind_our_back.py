"""What people do in Tryton that touches no invoice, and that Duly must see all the same."""

from connectors.conformance.erp_harness import payment_of
from domain.money import Money
from tests.tryton.harness import TrytonHarness


async def everything_since(harness: TrytonHarness, cursor: str) -> tuple[dict[str, int], str]:
    """What is settled on each invoice that changed, and the cursor after it."""
    found: dict[str, int] = {}
    more = True
    while more:
        page = await harness.erp.invoices_since(cursor, limit=100)
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
    told, cursor = await everything_since(harness, "")
    assert told[invoice] == 400
    before = harness.changed_at(invoice)
    harness.cancel(reference=payment.reference)
    assert harness.changed_at(invoice) == before, "the invoice itself says nothing of it"
    told, cursor = await everything_since(harness, cursor)
    assert told == {invoice: 0}
    assert (await everything_since(harness, cursor))[0] == {}
    assert [each.stands for each in await harness.erp.find_document(payment.reference)] == [False]
    assert harness.owed_minor(customer) == 1_000
