"""Traps of reading Business Central: what the naive way misses is counted, then what the connector tells."""

from typing import Final

import pytest

from connectors.conformance.erp_harness import ON, payment_of
from connectors.erp.ports import ErpInvoice, ErpInvoiceStatus, SettlementKind
from domain.money import Money
from tests.connectors.business_central import naive
from tests.connectors.business_central.harness import BusinessCentralHarness
from tests.connectors.traps import Trap, trap

pytestmark = pytest.mark.long

TEN: Final = Money.of(1_000, "EUR")
INVOICES: Final = "salesInvoices"


async def _read(central: BusinessCentralHarness, cursor: str, *, limit: int = 50) -> tuple[list[ErpInvoice], str]:
    found: list[ErpInvoice] = []
    more = True
    while more:
        page = await central.erp.invoices_since(cursor, limit=limit)
        assert len(page.rows) <= limit
        found.extend(page.rows)
        cursor, more = page.cursor, page.more
    return found, cursor


async def _told(central: BusinessCentralHarness, cursor: str, *, limit: int = 50) -> tuple[list[str], str]:
    rows, end = await _read(central, cursor, limit=limit)
    return [row.erp_id for row in rows], end


async def _moment(central: BusinessCentralHarness, invoice: str) -> str:
    moment: str = (await central.act("record", table=INVOICES, id=invoice))["lastModifiedDateTime"]
    return moment


async def _since(central: BusinessCentralHarness, moment: str) -> list[str]:
    return [row["id"] for row in await naive.listed(central, INVOICES, filter=f"lastModifiedDateTime gt {moment}")]


@trap(Trap.DATE_ONLY_CURSOR)
async def test_an_invoice_of_an_earlier_day_is_told_when_it_is_posted(central: BusinessCentralHarness) -> None:
    customer = await central.make_customer(currency="EUR")
    _, cursor = await _told(central, "")
    made = await central.make_invoice(customer=customer, total=TEN)
    assert await naive.listed(central, INVOICES, filter=f"postingDate ge {ON.isoformat()}") == []
    assert (await _told(central, cursor))[0] == [made]


@trap(Trap.SAME_SECOND)
async def test_rows_of_one_moment_are_all_told(central: BusinessCentralHarness) -> None:
    customer = await central.make_customer(currency="EUR")
    await central.act("turn", moment="2026-03-16T10:00:00.001Z")
    made = [await central.make_invoice(customer=customer, total=TEN) for _ in range(3)]
    assert await _since(central, await _moment(central, made[0])) == [], "behind the first, the others are lost"
    assert sorted((await _told(central, "", limit=1))[0]) == sorted(made)


@trap(Trap.LATE_COMMIT)
async def test_a_row_that_is_committed_late_is_told(central: BusinessCentralHarness) -> None:
    customer = await central.make_customer(currency="EUR")
    first = await central.make_invoice(customer=customer, total=TEN)
    _, cursor = await _told(central, "")
    await central.act("turn", committed_late=500)
    late = await central.make_invoice(customer=customer, total=TEN)
    assert late not in await _since(central, await _moment(central, first))
    assert (await _told(central, cursor))[0] == [late]


@trap(Trap.UNTOUCHED_INVOICE)
async def test_a_part_that_leaves_no_time_on_the_invoice_is_told(central: BusinessCentralHarness) -> None:
    customer = await central.make_customer(currency="EUR")
    await central.act("turn", moment="2026-03-16T10:00:00.001Z")  # long before anything that is read again anyway
    invoice = await central.make_invoice(customer=customer, total=TEN)
    _, cursor = await _told(central, "")
    moment = await _moment(central, invoice)
    await central.pay_by_hand(invoice=invoice, amount=Money.of(400, "EUR"))
    await central.erp.post_payment(payment_of(customer, {invoice: Money.of(100, "EUR")}))
    assert await _since(central, moment) == [], "4.00 are asked for a second time"
    (found,), cursor = await _read(central, cursor)
    assert (found.erp_id, found.settled) == (invoice, Money.of(500, "EUR"))
    await central.pay_by_hand(invoice=invoice, amount=Money.of(500, "EUR"))
    (found,), cursor = await _read(central, cursor)
    assert (found.settled, found.status) == (TEN, ErpInvoiceStatus.PAID)
    assert await _read(central, cursor) == ([], cursor)


@trap(Trap.DELETED_ROW)
async def test_an_invoice_that_is_canceled_is_told_as_void(central: BusinessCentralHarness) -> None:
    customer = await central.make_customer(currency="EUR")
    invoice = await central.make_invoice(customer=customer, total=TEN)
    _, cursor = await _told(central, "")
    await central.act("change", table=INVOICES, id=invoice, values={"status": "Canceled"})
    assert await naive.listed(central, INVOICES, filter="status eq 'Open'") == [], "it stays open for ever"
    (found,), _ = await _read(central, cursor)
    assert (found.erp_id, found.status, found.settled) == (invoice, ErpInvoiceStatus.VOID, Money.zero("EUR"))


@trap(Trap.CUT_LIST)
async def test_a_list_is_read_to_its_end(central: BusinessCentralHarness) -> None:
    customer = await central.make_customer(currency="EUR")
    made = [await central.make_invoice(customer=customer, total=TEN) for _ in range(7)]
    await central.act("turn", page_max=3)
    assert len(await naive.listed(central, INVOICES)) == 3, "the rest is behind a link"
    assert sorted((await _told(central, ""))[0]) == sorted(made)
    payment = payment_of(customer, {name: Money.of(10, "EUR") for name in made})
    await central.erp.post_payment(payment)
    assert [each.settled.minor for each in await central.erp.invoices_by_id(made)] == [10] * 7


@trap(Trap.SHIFTING_PAGES)
async def test_a_row_that_changes_between_two_pages_lets_none_slip(central: BusinessCentralHarness) -> None:
    customer = await central.make_customer(currency="EUR")
    made = [await central.make_invoice(customer=customer, total=TEN) for _ in range(6)]
    page = await central.erp.invoices_since("", limit=3)
    order = {"orderby": "lastModifiedDateTime", "top": "3"}
    naively = {row["id"] for row in await naive.listed(central, INVOICES, **order)}
    await central.act("change", table=INVOICES, id=made[0], values={"externalDocumentNumber": "PO 7"})
    naively |= {row["id"] for row in await naive.listed(central, INVOICES, skip="3", **order)}
    assert set(made) - naively == {made[3]}
    rest, _ = await _told(central, page.cursor, limit=3)
    assert {row.erp_id for row in page.rows} | set(rest) == set(made)


@trap(Trap.PAID_WORD)
async def test_what_closed_an_invoice_is_said_to_be_cash_only_where_it_is_ours(central: BusinessCentralHarness) -> None:
    customer = await central.make_customer(currency="EUR")
    by_us, by_others = [await central.make_invoice(customer=customer, total=TEN) for _ in (1, 2)]
    await central.erp.post_payment(payment_of(customer, {by_us: TEN}))
    await central.pay_by_hand(invoice=by_others, amount=TEN)
    words = [(await central.act("record", table=INVOICES, id=each))["status"] for each in (by_us, by_others)]
    assert words == ["Paid", "Paid"], "a credit memo closes an invoice with the same word"
    found = {each.erp_id: each for each in await central.erp.invoices_by_id([by_us, by_others])}
    kinds = [[each.kind for each in found[name].settlements] for name in (by_us, by_others)]
    assert kinds == [[SettlementKind.PAYMENT], [SettlementKind.OTHER]]
