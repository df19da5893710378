"""NetSuite's own sums: page by page each customer once, and nothing that is not booked."""

from connectors.conformance.erp_streams import everything_since
from domain.money import Money
from tests.connectors.netsuite.harness import NetSuiteHarness


def usd(minor: int) -> Money:
    return Money.of(minor, "USD")


async def test_sums_come_page_by_page_and_each_customer_once(harness: NetSuiteHarness) -> None:
    customers = [await harness.make_customer(currency="USD") for _ in range(3)]
    for each in customers:
        for minor in (10, 20):  # 0.1 and 0.2 come to 0.3
            await harness.make_invoice(customer=each, total=usd(minor))
    found, _ = await everything_since(harness.erp.open_totals, "", limit=1)
    assert [(each.customer_erp_id, each.count, each.open) for each in found] == [(each, 2, usd(30)) for each in customers]


async def test_an_estimate_is_owed_by_nobody(harness: NetSuiteHarness) -> None:
    customer = await harness.make_customer(currency="USD")
    await harness.make_invoice(customer=customer, total=usd(500))
    await harness.make_quote(customer=customer, total=usd(700))
    assert await harness.erp.receivable_balances() == [usd(500)]
    ((owed,), _) = await everything_since(harness.erp.open_totals, "", limit=10)
    assert owed.open == usd(500)
