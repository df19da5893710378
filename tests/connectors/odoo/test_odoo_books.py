"""What the connector tells is what the ledger over there says: credits, sums, other currencies, errors of either way in."""

from dataclasses import replace
from datetime import date

import pytest

from connectors.conformance.erp_harness import ON, fresh_reference, payment_of, raised
from connectors.erp.odoo import build, wire
from connectors.erp.odoo.declared import connector
from connectors.erp.ports import CreditApplicationDocument, PaymentLine, QuoteStatus
from connectors.errors import Misconfigured, Rejected, Unavailable
from domain.money import Money
from tests.connectors.odoo.harness import OdooHarness

USD = "USD"


def credit_applied(credit: str, customer: str, lines: dict[str, Money]) -> CreditApplicationDocument:
    """A credit put on invoices, or taken off where negative."""
    return CreditApplicationDocument(
        reference=fresh_reference().replace("pay_", "req_"),
        credit_erp_id=credit,
        customer_erp_id=customer,
        lines=tuple(PaymentLine(invoice_erp_id=each, amount=amount) for each, amount in lines.items()),
        on=ON,
        memo="A credit is used",
    )


@pytest.mark.long
async def test_a_credit_note_and_money_by_hand_are_used_to_the_cent_and_taken_off_again(harness: OdooHarness) -> None:
    customer = await harness.make_customer(currency=USD)
    invoice = await harness.make_invoice(customer=customer, total=Money.of(1000, USD))
    other = await harness.make_invoice(customer=customer, total=Money.of(500, USD))
    note = await harness.make_invoice(customer=customer, total=Money.of(300, USD), is_note=True)
    line = await harness.act("pay", invoice=int(other), amount="2.00", on=ON.isoformat(), is_assigned=False)
    for credit, whole in ((f"invoice-{note}", 300), (f"line-{line}", 200)):
        used = credit_applied(credit, customer, {invoice: Money.of(150, USD)})
        await harness.erp.post_credit_application(used)
        (found,) = await harness.erp.credits_by_id([credit])
        assert (found.total, found.used) == (Money.of(whole, USD), Money.of(150, USD))
        assert [each.amount for each in found.applications] == [Money.of(150, USD)]
        too_much = credit_applied(credit, customer, {invoice: Money.of(whole - 149, USD)})
        assert (await raised(Rejected, harness.erp.post_credit_application(too_much))).code == "NOT_UNAPPLIED"
        assert await harness.count_documents(reference=too_much.reference) == 0
        await harness.erp.post_credit_application(credit_applied(credit, customer, {invoice: Money.of(-100, USD)}))
        (found,) = await harness.erp.credits_by_id([credit])
        assert found.used == Money.of(50, USD)
    assert (await harness.read(invoice)).settled == Money.of(100, USD)
    assert (await harness.books(invoice=int(invoice)))["open"] == "9.00"
    every = await harness.erp.credits_since("", limit=10)
    assert {each.erp_id for each in every.rows} == {f"invoice-{note}", f"line-{line}"}


async def test_a_stranger_cannot_use_a_customers_credit(harness: OdooHarness) -> None:
    customer, stranger = [await harness.make_customer(currency=USD) for _ in range(2)]
    invoice = await harness.make_invoice(customer=stranger, total=Money.of(1000, USD))
    note = await harness.make_invoice(customer=customer, total=Money.of(300, USD), is_note=True)
    used = credit_applied(f"invoice-{note}", stranger, {invoice: Money.of(150, USD)})
    assert (await raised(Rejected, harness.erp.post_credit_application(used))).code == "CREDIT_NOT_FOUND"


async def test_odoos_own_sums_are_told_page_by_page(harness: OdooHarness) -> None:
    customers = [await harness.make_customer(currency=USD) for _ in range(3)]
    for number, customer in enumerate(customers, start=1):
        for _ in range(number):
            await harness.make_invoice(customer=customer, total=Money.of(1000, USD))
    first = await harness.erp.open_totals("", limit=2)
    rest = await harness.erp.open_totals(first.cursor, limit=2)
    told = [(each.customer_erp_id, each.count, each.open.minor) for each in (*first.rows, *rest.rows)]
    assert told == [(customer, number, 1000 * number) for number, customer in enumerate(customers, start=1)]
    assert (first.more, rest.more) == (True, False)
    assert list(await harness.erp.receivable_balances()) == [Money.of(4800, "EUR")]


async def test_a_payment_over_many_invoices_in_another_currency_balances_at_home(harness: OdooHarness) -> None:
    customer = await harness.make_customer(currency="JPY")
    invoices = [await harness.make_invoice(customer=customer, total=Money.of(1000 + each, "JPY")) for each in range(3)]
    payment = payment_of(customer, {each: Money.of(333, "JPY") for each in invoices}, unapplied=Money.of(1, "JPY"))
    await harness.erp.post_payment(payment)
    assert (await harness.books(reference=payment.reference))["received"] == "1000.00"
    assert [(await harness.read(each)).settled.minor for each in invoices] == [333, 333, 333]


class TestJsonRpc:
    """What only the older way in has: errors with 200, and a sign-in."""

    series = 17

    async def test_a_refusal_with_200_is_a_refusal_and_a_wrong_key_wakes_a_person(self, harness: OdooHarness) -> None:
        customer = await harness.make_customer(currency=USD)
        sentence = await harness.refuse_customer(customer=customer)
        payment = payment_of(customer, {}, unapplied=Money.of(100, USD))
        assert (await raised(Rejected, harness.erp.post_payment(payment))).sentence == sentence
        for wrong in (replace(harness.config, api_key="another"), replace(harness.config, user="nobody")):
            stranger = build(wrong)
            await raised(Misconfigured, stranger.ping())
            await stranger.aclose()


async def test_a_wrong_key_journal_or_database_wakes_a_person(harness: OdooHarness) -> None:
    for wrong in (
        replace(harness.config, api_key="another"),
        replace(harness.config, journal="NONE"),
        replace(harness.config, entry_journal="NONE"),
        replace(harness.config, database="elsewhere"),
        replace(harness.config, base_url="books.example.com"),
    ):
        stranger = build(wrong)
        await raised(Misconfigured, stranger.ping())
        await stranger.aclose()
    assert "key" not in repr(harness.config).replace("api_key", "")


async def test_an_address_where_nobody_listens_is_unavailable(harness: OdooHarness) -> None:
    alone = build(replace(harness.config, base_url="http://127.0.0.1:1"))
    await raised(Unavailable, alone.ping())
    await alone.aclose()


def test_amounts_are_numbers_with_all_their_decimals_and_noise_is_no_cent() -> None:
    body = wire.dumped({"amount": wire.number(Money.of(110, USD)), "memo": "1.10"})
    assert body == '{"amount": 1.10, "memo": "1.10"}'
    assert wire.amount("0.30000000000000004", USD) == Money.of(30, USD)
    assert wire.amount(False, USD) == Money.zero(USD)
    with pytest.raises(ValueError):
        wire.amount("0.305", USD)


def test_the_form_asks_for_what_a_connection_needs() -> None:
    asked = {each.name for each in connector.settings if not each.is_optional}
    assert asked == {"address", "version", "database", "user", "api_key"}


async def test_a_quotation_is_told_with_what_it_offers_and_whom_it_is_billed_to(harness: OdooHarness) -> None:
    customer = await harness.make_customer(currency="EUR")
    person = await harness.act("customer", name="Somebody", parent=int(customer))
    await harness.make_quote(customer=str(person), total=Money.of(4_200, "EUR"))
    (told,) = (await harness.erp.quotes_since("", limit=10)).rows
    assert (told.customer_erp_id, told.status, told.expires_on) == (customer, QuoteStatus.OPEN, date(2026, 12, 31))
    assert [(each.description, each.amount) for each in told.lines] == [("Consulting", Money.of(4_200, "EUR"))]


async def test_an_odoo_without_sales_has_no_quotations_and_is_not_asked_for_any(harness: OdooHarness) -> None:
    await harness.act("remove_sales")
    page = await harness.erp.quotes_since("", limit=10)
    assert (page.rows, page.more) == ((), False)
    assert await harness.erp.quotes_since(page.cursor, limit=10) == page
    assert not [each for each in await harness.requests() if each["model"].startswith("sale.")]
