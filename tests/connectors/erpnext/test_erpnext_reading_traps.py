"""Traps of reading ERPNext: what the naive way misses is counted, then what the connector tells."""

import json
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from connectors.conformance.erp_harness import (
    application_of,
    fresh_reference,
    payment_of,
)
from connectors.erp.ports import CreditApplicationDocument, ErpInvoice, ErpInvoiceStatus, PaymentLine
from domain.money import Money
from tests.connectors.erpnext import naive
from tests.connectors.erpnext.harness import ErpNextHarness
from tests.connectors.traps import Trap, trap

pytestmark = pytest.mark.long

TEN: Final = Money.of(1_000, "EUR")
INVOICE: Final = "Sales Invoice"


async def _since(erpnext: ErpNextHarness, moment: str, operator: str = ">") -> list[str]:
    """The names of what changed since a moment, as somebody asks for it who does not look twice."""
    rows = await naive.listed(
        erpnext, INVOICE, filters=json.dumps([["modified", operator, moment]]), limit_page_length="500", fields='["name"]'
    )
    return [row["name"] for row in rows]


async def _read(erpnext: ErpNextHarness, cursor: str, *, limit: int = 50) -> tuple[list[ErpInvoice], str]:
    found: list[ErpInvoice] = []
    more = True
    while more:
        page = await erpnext.erp.invoices_since(cursor, limit=limit)
        found.extend(page.rows)
        cursor, more = page.cursor, page.more
    return found, cursor


async def _told(erpnext: ErpNextHarness, cursor: str, *, limit: int = 50) -> tuple[list[str], str]:
    rows, end = await _read(erpnext, cursor, limit=limit)
    return [row.erp_id for row in rows], end


async def _newest(erpnext: ErpNextHarness) -> dict[str, Any]:
    rows: list[dict[str, Any]] = await erpnext.act("rows", doctype=INVOICE)
    return max(rows, key=lambda row: str(row["modified"]))


@trap(Trap.DATE_ONLY_CURSOR)
async def test_a_cursor_is_in_the_site_s_own_time(erpnext: ErpNextHarness) -> None:
    await erpnext.act("turn", zone="America/Los_Angeles")
    customer = await erpnext.make_customer(currency="EUR")
    _, cursor = await _told(erpnext, "")
    moment = str(datetime.now(UTC).replace(tzinfo=None))
    made = await erpnext.make_invoice(customer=customer, total=TEN)
    assert await _since(erpnext, moment) == [], "in UTC nothing changes there for hours"
    assert (await _told(erpnext, cursor))[0] == [made]


@trap(Trap.SAME_SECOND)
async def test_rows_of_one_moment_are_all_told(erpnext: ErpNextHarness) -> None:
    customer = await erpnext.make_customer(currency="EUR")
    await erpnext.act("turn", moment="2026-03-16 10:00:00.000001")
    made = [await erpnext.make_invoice(customer=customer, total=TEN) for _ in range(3)]
    moment = (await _newest(erpnext))["modified"]
    assert await _since(erpnext, moment) == [], "behind the first, the others are lost"
    assert (await _told(erpnext, "", limit=1))[0] == made


@trap(Trap.LATE_COMMIT)
async def test_a_row_that_is_committed_late_is_told(erpnext: ErpNextHarness) -> None:
    customer = await erpnext.make_customer(currency="EUR")
    await erpnext.make_invoice(customer=customer, total=TEN)
    _, cursor = await _told(erpnext, "")
    moment = (await _newest(erpnext))["modified"]
    await erpnext.act("turn", committed_late=600)
    late = await erpnext.make_invoice(customer=customer, total=TEN)
    assert late not in await _since(erpnext, moment)
    assert (await _told(erpnext, cursor))[0] == [late]


@trap(Trap.UNTOUCHED_INVOICE, Trap.WRONG_OUTSTANDING)
async def test_an_invoice_whose_own_copy_stays_behind_is_told_by_its_ledger(erpnext: ErpNextHarness) -> None:
    customer = await erpnext.make_customer(currency="EUR")
    await erpnext.act("turn", moment="2026-03-16 10:00:00.000001")  # long before anything that is read again anyway
    invoice = await erpnext.make_invoice(customer=customer, total=TEN)
    await erpnext.act("turn", moment=None)
    payment = payment_of(customer, {}, unapplied=TEN)
    await erpnext.erp.post_payment(payment)
    _, cursor = await _told(erpnext, "")
    moment = (await _newest(erpnext))["modified"]
    await erpnext.act("turn", outstanding_stays=True)
    for sign in (1, -1):
        await erpnext.erp.post_application(application_of(payment, {invoice: Money.of(sign * 1_000, "EUR")}))
        row = await _newest(erpnext)
        assert await _since(erpnext, moment) == []
        assert row["outstanding_amount"] == 10, "asked for again, although it is paid"
        assert await erpnext.open_minor(invoice) == (0 if sign > 0 else 1_000)
        told, cursor = await _told(erpnext, cursor)
        assert told == [invoice]
        found = await erpnext.read(invoice)
        assert found.settled == (TEN if sign > 0 else Money.zero("EUR"))
        assert found.status is (ErpInvoiceStatus.PAID if sign > 0 else ErpInvoiceStatus.OPEN)


@trap(Trap.DELETED_ROW)
async def test_an_invoice_that_is_cancelled_is_told_as_void(erpnext: ErpNextHarness) -> None:
    customer = await erpnext.make_customer(currency="EUR")
    invoice = await erpnext.make_invoice(customer=customer, total=TEN)
    _, cursor = await _told(erpnext, "")
    moment = (await _newest(erpnext))["modified"]
    await erpnext.act("cancel", doctype=INVOICE, name=invoice)
    open_ones = [["docstatus", "=", 1], ["modified", ">", moment]]
    assert await naive.listed(erpnext, INVOICE, filters=json.dumps(open_ones)) == [], "it stays open for ever"
    (found,), _ = await _read(erpnext, cursor)
    assert (found.erp_id, found.status, found.settled) == (invoice, ErpInvoiceStatus.VOID, Money.zero("EUR"))


@trap(Trap.CUT_LIST)
async def test_a_list_is_read_to_its_end(erpnext: ErpNextHarness) -> None:
    customer = await erpnext.make_customer(currency="EUR")
    made = [await erpnext.make_invoice(customer=customer, total=TEN) for _ in range(23)]
    assert len(await naive.listed(erpnext, INVOICE)) == 20, "and nothing says that there are more"
    assert sorted((await _told(erpnext, "", limit=100))[0]) == made
    lines = {name: Money.of(10, "EUR") for name in made}
    payment = payment_of(customer, lines)
    await erpnext.erp.post_payment(payment)
    found = await erpnext.erp.invoices_by_id(made)
    assert [each.settled.minor for each in found] == [10] * 23


@trap(Trap.SHIFTING_PAGES)
async def test_a_row_that_changes_between_two_pages_lets_none_slip(erpnext: ErpNextHarness) -> None:
    customer = await erpnext.make_customer(currency="EUR")
    made = [await erpnext.make_invoice(customer=customer, total=TEN) for _ in range(6)]
    page = await erpnext.erp.invoices_since("", limit=3)
    query = {"order_by": "modified asc", "limit_page_length": "3", "fields": '["name"]'}
    naively = {row["name"] for row in await naive.listed(erpnext, INVOICE, limit_start="0", **query)}
    await erpnext.act("change", doctype=INVOICE, name=made[0], values={"po_no": "PO 7"})
    naively |= {row["name"] for row in await naive.listed(erpnext, INVOICE, limit_start="3", **query)}
    assert set(made) - naively == {made[3]}
    rest, _ = await _told(erpnext, page.cursor, limit=3)
    assert {row.erp_id for row in page.rows} | set(rest) == set(made)


@trap(Trap.PAID_WORD)
async def test_partly_paid_is_open_and_what_a_credit_note_closed_is_not_paid(erpnext: ErpNextHarness) -> None:
    customer = await erpnext.make_customer(currency="EUR")
    partly, credited = [await erpnext.make_invoice(customer=customer, total=TEN) for _ in (1, 2)]
    note = await erpnext.make_invoice(customer=customer, total=-TEN)
    await erpnext.pay_by_hand(invoice=partly, amount=Money.of(1, "EUR"))
    credit = CreditApplicationDocument(
        reference=fresh_reference(),
        credit_erp_id=f"note:{note}",
        customer_erp_id=customer,
        lines=(PaymentLine(invoice_erp_id=credited, amount=TEN),),
        on=(await erpnext.read(credited)).issued_on,
        memo="Applied by staff",
    )
    await erpnext.erp.post_credit_application(credit)
    words = {row["name"]: row["status"] for row in await erpnext.act("rows", doctype=INVOICE)}
    naively = {name for name in (partly, credited) if "Paid" in words[name]}
    assert naively == {partly, credited}, "20.00 that nobody paid but 0.01"
    found = {each.erp_id: each for each in await erpnext.erp.invoices_by_id([partly, credited])}
    assert (found[partly].status, found[partly].settled.minor) == (ErpInvoiceStatus.OPEN, 1)
    assert (found[credited].status, found[credited].paid_on) == (ErpInvoiceStatus.CLOSED, None)
