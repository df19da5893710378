"""Reading from QuickBooks: the naive way first and what it misses; then ours, which misses nothing."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.conformance.erp_harness import ON, application_of, fresh_reference, payment_of
from connectors.erp.ports import CreditApplicationDocument, CreditKind, ErpInvoiceStatus, PaymentLine, QuoteStatus
from connectors.erp.quickbooks.cursors import Cursor
from domain.money import Money
from domain.receivables import SettlementKind
from tests.connectors.quickbooks.harness import QuickBooksHarness
from tests.connectors.traps import Trap, trap


def usd(minor: int) -> Money:
    return Money.of(minor, "USD")


def ids(rows: list[dict[str, Any]]) -> set[str]:
    return {each["Id"] for each in rows}


async def read_all(harness: QuickBooksHarness) -> str:
    """Everything was read: the cursor after it."""
    return (await harness.changed("", limit=500))[1]


@trap(Trap.DATE_ONLY_CURSOR)
async def test_a_time_is_asked_with_its_offset(harness: QuickBooksHarness) -> None:
    customer = await harness.make_customer(currency="USD")
    cursor = await read_all(harness)
    asked_since = datetime.now(UTC) - timedelta(minutes=1)
    invoice = await harness.make_invoice(customer=customer, total=usd(100))
    cut = asked_since.replace(tzinfo=None).isoformat(timespec="seconds")
    naive = await harness.queried(f"select * from Invoice where MetaData.LastUpdatedTime >= '{cut}'")
    assert ids(naive) == set(), "read in the company's zone, eight hours later"

    rows, _ = await harness.changed(cursor, limit=10)
    assert [each.erp_id for each in rows] == [invoice]


@trap(Trap.SAME_SECOND, Trap.LATE_COMMIT)
async def test_rows_of_the_same_second_and_of_an_earlier_one_are_read(harness: QuickBooksHarness) -> None:
    customer = await harness.make_customer(currency="USD")
    at = datetime.now(UTC).replace(microsecond=0)
    first = await harness.make_invoice(customer=customer, total=usd(100), at=at.isoformat())
    rows, cursor = await harness.changed("", limit=10)
    assert [each.erp_id for each in rows] == [first]
    second = await harness.make_invoice(customer=customer, total=usd(100), at=at.isoformat())
    late = await harness.make_invoice(customer=customer, total=usd(100), at=(at - timedelta(minutes=5)).isoformat())
    naive = await harness.queried(f"select * from Invoice where MetaData.LastUpdatedTime > '{at.isoformat()}'")
    assert ids(naive) == set()

    rows, cursor = await harness.changed(cursor, limit=10)
    assert {each.erp_id for each in rows} == {second, late}
    assert await harness.changed(cursor, limit=10) == ([], cursor)


@trap(Trap.UNTOUCHED_INVOICE)
async def test_a_payment_that_leaves_its_invoice_s_time_alone_brings_the_invoice(harness: QuickBooksHarness) -> None:
    customer = await harness.make_customer(currency="USD")
    long_ago = (datetime.now(UTC) - timedelta(days=3)).isoformat()
    invoice = await harness.make_invoice(customer=customer, total=usd(10_000), at=long_ago)
    cursor = await read_all(harness)
    await harness.turn(touches_invoices=False)
    payment = await harness.act("pay", invoice=invoice, amount="30.00", on=ON.isoformat())
    since = (datetime.now(UTC) - timedelta(hours=1)).isoformat(timespec="seconds")
    assert await harness.queried(f"select * from Invoice where MetaData.LastUpdatedTime >= '{since}'") == []

    rows, cursor = await harness.changed(cursor, limit=10)
    assert [(each.erp_id, each.settled) for each in rows] == [(invoice, usd(3_000))]
    await harness.act("link", id=payment, lines={})
    rows, cursor = await harness.changed(cursor, limit=10)
    assert [(each.erp_id, each.settled) for each in rows] == [(invoice, usd(0))], "taken off again, which no line says"


@trap(Trap.DELETED_ROW)
async def test_what_was_deleted_is_told_as_deleted(harness: QuickBooksHarness) -> None:
    customer = await harness.make_customer(currency="USD")
    invoice, kept = await harness.make_invoices(customer=customer, total=usd(100), count=2)
    payment = await harness.act("pay", customer=customer, amount="30.00", on=ON.isoformat())
    cursor = await read_all(harness)
    paid = await harness.erp.payments_since("", limit=10)
    left = await harness.erp.credits_since("", limit=10)
    await harness.act("delete", entity="Invoice", id=invoice)
    await harness.act("delete", entity="Payment", id=payment)
    assert ids(await harness.queried("select * from Invoice")) == {kept}, "who knew the other shows it for ever"

    rows, _ = await harness.changed(cursor, limit=10)
    assert [(each.erp_id, each.deleted) for each in rows] == [(invoice, True)]
    rest = await harness.erp.credits_since(left.cursor, limit=10)
    assert [(each.erp_id, each.deleted) for each in rest.rows] == [(f"payment-{payment}", True)]
    gone = await harness.erp.payments_since(paid.cursor, limit=10)
    assert [(each.erp_id, each.stands) for each in gone.rows] == [(f"payment-{payment}", False)]


@trap(Trap.CUT_LIST)
async def test_lists_are_read_to_their_end(harness: QuickBooksHarness) -> None:
    customer = await harness.make_customer(currency="USD")
    made = await harness.make_invoices(customer=customer, total=usd(100), count=120)
    assert len(await harness.queried("select * from Invoice")) == 100

    rows, _ = await harness.changed("", limit=500)
    assert {each.erp_id for each in rows} == set(made)
    assert {each.erp_id for each in await harness.erp.invoices_by_id(made)} == set(made)
    totals = await harness.erp.open_totals("", limit=10)
    assert [(each.customer_erp_id, each.count, each.open) for each in totals.rows] == [(customer, 120, usd(12_000))]


@trap(Trap.SHIFTING_PAGES)
async def test_no_row_slips_through_while_another_changes(harness: QuickBooksHarness) -> None:
    customer = await harness.make_customer(currency="USD")
    at = datetime.now(UTC) - timedelta(hours=2)
    made = [
        await harness.make_invoice(customer=customer, total=usd(100), at=(at + timedelta(seconds=n)).isoformat())
        for n in range(6)
    ]
    words = "select * from Invoice where Balance > '0' orderby MetaData.LastUpdatedTime startposition {} maxresults 3"
    seen = ids(await harness.queried(words.format(1)))
    ours = await harness.erp.invoices_since("", limit=3)
    await harness.act("pay", invoice=made[0], amount="1.00", on=ON.isoformat())
    seen |= ids(await harness.queried(words.format(4)))
    assert set(made) - seen == {made[3]}

    rest, _ = await harness.changed(ours.cursor, limit=3)
    assert {each.erp_id for each in (*ours.rows, *rest)} == set(made)
    assert {each.erp_id: each.settled for each in (*ours.rows, *rest)}[made[0]] == usd(100)


@pytest.mark.long
@trap(Trap.CUT_LIST)
async def test_more_than_a_thousand_changes_are_read_though_the_capture_holds_no_more(harness: QuickBooksHarness) -> None:
    customer = await harness.make_customer(currency="USD")
    cursor = await read_all(harness)
    earlier = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
    made = await harness.make_invoices(customer=customer, total=usd(100), count=1_003, at=earlier)
    (gone,) = await harness.make_invoices(customer=customer, total=usd(100), count=1)
    await harness.act("delete", entity="Invoice", id=gone)
    told = await harness.naive(
        "GET", "cdc", params={"entities": "Invoice", "changedSince": earlier[:10] + "T00:00:00+00:00"}
    )
    naive = told.json()["CDCResponse"][0]["QueryResponse"][0]["Invoice"]
    assert len(naive) == 1_000
    assert gone not in ids(naive)

    rows, _ = await harness.changed(cursor, limit=2_000)
    assert {each.erp_id for each in rows if not each.deleted} == set(made)
    assert [each.erp_id for each in rows if each.deleted] == [gone]


async def test_a_cursor_that_the_capture_no_longer_reaches_begins_again(harness: QuickBooksHarness) -> None:
    customer = await harness.make_customer(currency="USD")
    long_ago = (datetime.now(UTC) - timedelta(days=40)).isoformat(timespec="seconds")
    invoice = await harness.make_invoice(customer=customer, total=usd(100), at=long_ago)
    rows, _ = await harness.changed(Cursor(began=long_ago).text(), limit=10)
    assert [each.erp_id for each in rows] == [invoice]


@trap(Trap.NESTED_CREDITS)
async def test_a_credit_on_an_invoice_comes_with_its_amount(harness: QuickBooksHarness) -> None:
    customer = await harness.make_customer(currency="USD")
    invoice = await harness.make_invoice(customer=customer, total=usd(10_000))
    memo = await harness.make_memo(customer=customer, total=usd(5_000))
    lines = (PaymentLine(invoice_erp_id=invoice, amount=usd(3_000)),)
    await harness.erp.post_credit_application(
        CreditApplicationDocument(
            reference=fresh_reference(),
            credit_erp_id=f"memo-{memo}",
            customer_erp_id=customer,
            lines=lines,
            on=ON,
            memo="Applied",
        )
    )
    (linked,) = (await harness.shown("Invoice", invoice))["LinkedTxn"]
    assert (linked["TxnType"], (await harness.shown("Payment", linked["TxnId"]))["TotalAmt"]) == ("Payment", 0)

    found = await harness.read(invoice)
    assert [(each.kind, each.amount) for each in found.settlements] == [(SettlementKind.CREDIT_NOTE, usd(3_000))]
    page = await harness.erp.credits_since("", limit=10)
    assert [(each.erp_id, each.kind, each.total, each.used) for each in page.rows] == [
        (f"memo-{memo}", CreditKind.CREDIT_NOTE, usd(5_000), usd(3_000))
    ]
    assert [each.amount for each in page.rows[0].applications] == [usd(3_000)]


@trap(Trap.WRONG_OUTSTANDING)
async def test_a_balance_that_is_late_does_not_open_an_invoice_that_is_paid(harness: QuickBooksHarness) -> None:
    customer = await harness.make_customer(currency="USD")
    invoice = await harness.make_invoice(customer=customer, total=usd(10_000))
    await harness.turn(stale_balances={invoice: "100.00"})
    await harness.act("pay", invoice=invoice, amount="100.00", on=ON.isoformat())
    assert (await harness.shown("Invoice", invoice))["Balance"] == 100, "who believes it lets the customer pay again"

    found = await harness.read(invoice)
    assert (found.settled, found.status) == (usd(10_000), ErpInvoiceStatus.PAID)


@trap(Trap.PAID_WORD)
async def test_an_invoice_of_nothing_that_was_voided_is_not_paid(harness: QuickBooksHarness) -> None:
    customer = await harness.make_customer(currency="USD")
    invoice = await harness.make_invoice(customer=customer, total=usd(10_000))
    await harness.act("edit", entity="Invoice", id=invoice, fields={"TotalAmt": 0, "Line": [], "PrivateNote": "Voided"})
    assert (await harness.shown("Invoice", invoice))["Balance"] == 0, "it sounds like paid"

    assert (await harness.read(invoice)).status is ErpInvoiceStatus.VOID


async def test_a_deposit_made_on_the_invoice_itself_settles_it_without_a_link(harness: QuickBooksHarness) -> None:
    customer = await harness.make_customer(currency="USD")
    invoice = await harness.make_invoice(customer=customer, total=usd(10_000))
    await harness.turn(stale_balances={invoice: "60.00"})
    found = await harness.read(invoice)
    assert [(each.kind, each.amount) for each in found.settlements] == [(SettlementKind.OTHER, usd(4_000))]


async def test_a_job_billed_with_its_parent_is_a_site_and_the_parent_pays_for_it(harness: QuickBooksHarness) -> None:
    parent = await harness.make_customer(currency="USD")
    job = await harness.make_customer(currency="USD", parent=parent)
    alone = await harness.make_customer(currency="USD", parent=parent, billed_with_parent=False)
    invoice = await harness.make_invoice(customer=job, total=usd(1_000))
    own = await harness.make_invoice(customer=alone, total=usd(1_000))
    found, theirs = await harness.read(invoice), await harness.read(own)
    assert (found.customer_erp_id, found.site) == (parent, f"Customer {job}")
    assert (theirs.customer_erp_id, theirs.site) == (alone, None)
    page = await harness.erp.customers_since("", limit=10)
    assert {each.erp_id: each.parent_erp_id for each in page.rows} == {parent: None, job: parent, alone: parent}
    await harness.erp.post_payment(payment_of(parent, {invoice: usd(1_000)}))
    assert (await harness.read(invoice)).status is ErpInvoiceStatus.PAID


async def test_a_customer_who_is_inactive_and_owes_is_read_and_told_as_deleted(harness: QuickBooksHarness) -> None:
    customer = await harness.make_customer(currency="USD")
    invoice = await harness.make_invoice(customer=customer, total=usd(100))
    await harness.act("edit", entity="Customer", id=customer, fields={"Active": False})
    assert await harness.queried("select * from Customer") == [], "its invoice would be nobody's"
    page = await harness.erp.customers_since("", limit=10)
    assert [(each.erp_id, each.deleted) for each in page.rows] == [(customer, True)]
    assert (await harness.read(invoice)).customer_erp_id == customer


async def test_payments_quotes_templates_and_documents_are_read(harness: QuickBooksHarness) -> None:
    customer = await harness.make_customer(currency="USD")
    invoice = await harness.make_invoice(customer=customer, total=usd(1_000))
    payment = payment_of(customer, {invoice: usd(600)}, unapplied=usd(100))
    await harness.erp.post_payment(payment)
    await harness.erp.post_application(application_of(payment, {invoice: usd(100)}))
    page = await harness.erp.payments_since("", limit=10)
    assert [(each.reference, each.amount, each.unapplied, each.stands) for each in page.rows] == [
        (payment.reference, usd(700), usd(0), True)
    ]
    await harness.act("void", reference=payment.reference)
    page = await harness.erp.payments_since(page.cursor, limit=10)
    assert [(each.reference, each.stands) for each in page.rows] == [(payment.reference, False)]
    (found,) = await harness.erp.find_document(payment.reference)
    assert not found.stands

    fields = {"TxnStatus": "Accepted", "ExpirationDate": "2026-04-30"}
    await harness.act("estimate", customer=customer, total="50.00", on=ON.isoformat(), fields=fields)
    (quote,) = (await harness.erp.quotes_since("", limit=10)).rows
    assert (quote.total, quote.status, quote.expires_on and quote.expires_on.isoformat()) == (
        usd(5_000),
        QuoteStatus.ACCEPTED,
        "2026-04-30",
    )
    given = {"title": "Hosting", "amount": "12.00", "starts": "2026-01-01", "next": "2026-04-01"}
    await harness.act("template", customer=customer, **given)
    first = await harness.erp.recurring_since("", limit=10)
    assert [(each.title, each.frequency, each.amount) for each in first.rows] == [("Hosting", "Monthly", usd(1_200))]
    assert (await harness.erp.recurring_since(first.cursor, limit=10)).rows == ()

    memo = await harness.make_memo(customer=customer, total=usd(100))
    assert (await harness.erp.invoice_pdf(invoice)).startswith(b"%PDF")
    assert (await harness.erp.credit_note_pdf(f"memo-{memo}")).startswith(b"%PDF")


async def test_what_was_just_read_to_its_end_is_not_asked_for_again(harness: QuickBooksHarness) -> None:
    await harness.make_customer(currency="USD")
    patient = harness.connected(read_every_seconds=120)
    cursor = (await patient.customers_since("", limit=10)).cursor
    templates = (await patient.recurring_since("", limit=10)).cursor
    count = len(await harness.requests())
    assert (await patient.customers_since(cursor, limit=10)).cursor == cursor
    assert (await patient.recurring_since(templates, limit=10)).cursor == templates
    assert len(await harness.requests()) == count, "a month has only so many reads"
    await patient.aclose()
