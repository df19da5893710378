"""Traps of reading Xero: first the naive way, and what it misses; then the connector's."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.conformance.erp_harness import ON, payment_of, raised
from connectors.conformance.erp_streams import everything_since
from connectors.erp.ports import CreditKind, ErpInvoiceStatus, SettlementKind
from connectors.erp.xero import wire
from connectors.errors import Misconfigured
from domain.money import Money
from tests.connectors.traps import Trap, trap
from tests.connectors.xero import official
from tests.connectors.xero.harness import ISSUED, XeroHarness

WHOLE = 1_000


async def asked(harness: XeroHarness, room: str, *, since: datetime | None = None, **query: Any) -> list[dict[str, Any]]:
    """A list as anybody would ask for it."""
    assert harness.config.tokens is not None
    headers = {
        "Authorization": f"Bearer {(await harness.config.tokens.current()).access}",
        "xero-tenant-id": harness.tenant,
        **({} if since is None else {"If-Modified-Since": since.strftime("%Y-%m-%dT%H:%M:%S")}),
    }
    answer = await harness.browser.get(f"{harness.url}/api.xro/2.0/{room}", params=query, headers=headers)
    told: list[dict[str, Any]] = answer.json()[room]
    return told


async def ground(harness: XeroHarness) -> tuple[str, str]:
    """A customer with an invoice over 10.00."""
    customer = await harness.make_customer(currency="EUR")
    return customer, await harness.make_invoice(customer=customer, total=Money.of(WHOLE, "EUR"))


async def ids_since(harness: XeroHarness, cursor: str, *, limit: int = 100) -> tuple[list[str], str]:
    rows, cursor = await everything_since(harness.erp.invoices_since, cursor, limit=limit)
    return [each.erp_id for each in rows], cursor


@trap(Trap.DATE_ONLY_CURSOR)
async def test_a_cursor_is_a_second_of_xeros_own_clock(harness: XeroHarness) -> None:
    customer, first = await ground(harness)
    found, cursor = await ids_since(harness, "")
    later = await harness.make_invoice(customer=customer, total=Money.of(WHOLE, "EUR"))
    day_in_auckland = (datetime.now(UTC) + timedelta(hours=36)).replace(hour=0, minute=0, second=0, microsecond=0)
    assert await asked(harness, "Invoices", since=day_in_auckland) == []
    assert found == [first]
    assert (await ids_since(harness, cursor))[0] == [later]


@trap(Trap.SAME_SECOND)
async def test_rows_of_one_moment_all_come(harness: XeroHarness) -> None:
    customer, first = await ground(harness)
    made = [first, *[await harness.make_invoice(customer=customer, total=Money.of(WHOLE, "EUR")) for _ in range(3)]]
    for each in made:
        await harness.do("date_back", room="Invoices", row=each, at_ms=5)
    rows = await asked(harness, "Invoices", order="UpdatedDateUTC ASC", pageSize=1)
    naive = {rows[0]["InvoiceID"]}
    last = wire.moment(rows[0]["UpdatedDateUTC"])
    later = [each for each in await asked(harness, "Invoices") if wire.moment(each["UpdatedDateUTC"]) > last]
    assert len(naive | {each["InvoiceID"] for each in later}) < len(made)
    assert sorted((await ids_since(harness, "", limit=1))[0]) == sorted(made)


@trap(Trap.LATE_COMMIT)
async def test_a_row_that_appears_late_with_an_early_time_is_read(harness: XeroHarness) -> None:
    customer, _ = await ground(harness)
    _, cursor = await ids_since(harness, "")
    high = datetime.now(UTC)
    late = await harness.make_invoice(customer=customer, total=Money.of(WHOLE, "EUR"))
    await harness.do("date_back", room="Invoices", row=late, seconds=300)
    assert late not in {each["InvoiceID"] for each in await asked(harness, "Invoices", since=high)}
    assert (await ids_since(harness, cursor))[0] == [late]


@trap(Trap.UNTOUCHED_INVOICE)
async def test_an_allocation_that_leaves_the_invoices_time_alone_is_seen(harness: XeroHarness) -> None:
    await harness.do("settle", touches_invoices=False)
    customer, invoice = await ground(harness)
    credit = await harness.do("make_source", room="CreditNotes", contact=customer, currency="EUR", total="4.00", on=str(ON))
    _, cursor = await ids_since(harness, "")
    (before,) = await asked(harness, "Invoices")
    await harness.do("apply", room="CreditNotes", source=credit, invoice=invoice, amount="4.00", on=str(ON))
    (after,) = await asked(harness, "Invoices")
    assert after["UpdatedDateUTC"] == before["UpdatedDateUTC"], "whoever asks what changed is not told"
    rows, cursor = await everything_since(harness.erp.invoices_since, cursor, limit=10)
    assert [(each.erp_id, each.settled) for each in rows] == [(invoice, Money.of(400, "EUR"))]
    assert (await ids_since(harness, cursor))[0] == []


@trap(Trap.DELETED_ROW)
async def test_what_is_voided_or_archived_comes_once_more(harness: XeroHarness) -> None:
    customer, invoice = await ground(harness)
    _, cursor = await ids_since(harness, "")
    _, people = await everything_since(harness.erp.customers_since, "", limit=10)
    await harness.do("void", invoice=invoice)
    await harness.do("archive", contact=customer)
    assert await asked(harness, "Invoices", where='Status=="AUTHORISED"') == []
    assert await asked(harness, "Contacts") == [], "neither says that it is gone"
    ((found,), _) = await everything_since(harness.erp.invoices_since, cursor, limit=10)
    assert found.status is ErpInvoiceStatus.VOID
    ((archived,), _) = await everything_since(harness.erp.customers_since, people, limit=10)
    assert (archived.erp_id, archived.deleted) == (customer, True)


@trap(Trap.CUT_LIST, Trap.SHIFTING_PAGES)
async def test_a_list_is_read_to_its_end_though_its_rows_move(harness: XeroHarness) -> None:
    customer = await harness.make_customer(currency="EUR")
    made = await harness.do("make_invoices", contact=customer, currency="EUR", count=105, on=ISSUED)
    assert len(await asked(harness, "Invoices")) == 100, "the rest is not even mentioned"
    moves = {"path": "/Invoices", "deed": "edit", "given": {"invoice": made[0]}}
    await harness.faults(after_read=moves)
    pages = [await asked(harness, "Invoices", order="UpdatedDateUTC ASC", page=each) for each in (1, 2)]
    assert set(made) - {row["InvoiceID"] for page in pages for row in page} == {made[100]}, "it slipped to the page before"
    await harness.faults(after_read={**moves, "given": {"invoice": made[1]}})
    assert set((await ids_since(harness, "", limit=500))[0]) == set(made)
    assert len(await harness.erp.invoices_by_id(made)) == 105


@trap(Trap.NESTED_CREDITS)
async def test_allocations_are_read_from_the_credit_note_itself(harness: XeroHarness) -> None:
    customer, invoice = await ground(harness)
    credit = await harness.do("make_source", room="CreditNotes", contact=customer, currency="EUR", total="4.00", on=str(ON))
    for amount in ("1.00", "2.50"):
        await harness.do("apply", room="CreditNotes", source=credit, invoice=invoice, amount=amount, on=str(ON))
    (row,) = await asked(harness, "Invoices")
    assert [each.get("Allocations") for each in row["CreditNotes"]] == [None, None]
    found = await harness.read(invoice)
    told = [(each.kind, each.amount.minor, each.on) for each in found.settlements]
    assert told == [(SettlementKind.CREDIT_NOTE, 100, ON), (SettlementKind.CREDIT_NOTE, 250, ON)]
    page = await harness.erp.credits_since("", limit=10)
    assert [(each.kind, each.used.minor) for each in page.rows] == [(CreditKind.CREDIT_NOTE, 350)]


@trap(Trap.WRONG_OUTSTANDING)
async def test_what_is_told_of_an_invoice_is_of_one_moment(harness: XeroHarness) -> None:
    customer, invoice = await ground(harness)
    credit = await harness.do("make_source", room="CreditNotes", contact=customer, currency="EUR", total="10.00", on=str(ON))
    given = {"room": "CreditNotes", "source": credit, "invoice": invoice, "on": str(ON)}
    await harness.do("apply", amount="1.00", **given)
    (row,) = await asked(harness, "Invoices")
    await harness.do("apply", amount="2.00", **given)
    (note,) = await asked(harness, "CreditNotes")
    assert row["AmountCredited"] != sum(each["Amount"] for each in note["Allocations"]), "one half is of before"
    await harness.faults(before_read={"path": "/CreditNotes", "deed": "apply", "given": {**given, "amount": "7.00"}})
    found = await harness.read(invoice)
    assert (found.settled, found.status) == (found.total, ErpInvoiceStatus.CLOSED), "settled in full, and said so"


@trap(Trap.PAID_WORD)
async def test_paid_by_a_credit_note_alone_is_closed_and_not_paid(harness: XeroHarness) -> None:
    customer, invoice = await ground(harness)
    credit = await harness.do("make_source", room="CreditNotes", contact=customer, currency="EUR", total="10.00", on=str(ON))
    await harness.do("apply", room="CreditNotes", source=credit, invoice=invoice, amount="10.00", on=str(ON))
    (row,) = await asked(harness, "Invoices")
    assert (row["Status"], row["AmountPaid"]) == ("PAID", 0.0)
    assert (await harness.read(invoice)).status is ErpInvoiceStatus.CLOSED


async def test_our_own_payments_and_plans_are_no_credits_to_be_applied(harness: XeroHarness) -> None:
    customer, invoice = await ground(harness)
    payment = payment_of(customer, {invoice: Money.of(100, "EUR")}, unapplied=Money.of(300, "EUR"))
    posted = await harness.erp.post_payment(payment)
    await harness.do("unapply", reference=payment.reference)
    assert (await harness.erp.credits_since("", limit=10)).rows == ()
    assert list(await harness.erp.credits_by_id([f"Overpayment-{posted.erp_id}", "no-such-credit"])) == []


async def test_what_was_just_read_to_its_end_is_not_asked_for_again(harness: XeroHarness) -> None:
    await ground(harness)
    patient = harness.another(read_every_seconds=300)
    cursor = (await patient.invoices_since("", limit=10)).cursor
    count = len(await harness.requests())
    assert (await patient.invoices_since(cursor, limit=10)).cursor == cursor
    assert len(await harness.requests()) == count, "a day has only so many calls"


async def test_a_bank_account_that_is_none_is_told_before_anybody_pays(harness: XeroHarness) -> None:
    await harness.erp.ping()
    wrong = await raised(Misconfigured, harness.another(deposit_account="200").ping())
    assert "no bank account with the code 200" in str(wrong)
    await raised(Misconfigured, harness.another(organisation=None).ping())
    await raised(Misconfigured, harness.another(tokens=None).ping())


@pytest.mark.long
@pytest.mark.skipif(not official.is_there(), reason="Xero's specification is not here")
async def test_the_far_side_answers_in_xeros_shapes(harness: XeroHarness) -> None:
    customer, invoice = await ground(harness)
    payment = payment_of(customer, {invoice: Money.of(100, "EUR")}, unapplied=Money.of(300, "EUR"))
    await harness.erp.post_payment(payment)
    for room in ("CreditNotes", "Prepayments"):
        made = await harness.do("make_source", room=room, contact=customer, currency="EUR", total="4.00", on=str(ON))
        await harness.do("apply", room=room, source=made, invoice=invoice, amount="1.00", on=str(ON))
    await harness.pay_by_hand(invoice=invoice, amount=Money.of(100, "EUR"))
    await harness.make_quote(customer=customer, total=Money.of(10, "EUR"))
    await harness.make_template(customer=customer, amount=Money.of(10, "EUR"))
    sold = ("Contacts", "Invoices", "CreditNotes", "Quotes", "RepeatingInvoices")
    for room in (*sold, "Overpayments", "Prepayments", "Payments", "BankTransactions"):
        rows = await asked(harness, room)
        assert rows, room
        assert official.strange(f"/{room}", {room: rows}) == []


def test_moments_and_amounts_are_read_to_the_millisecond_and_the_cent() -> None:
    assert wire.moment("/Date(1541176290160+0000)/") == datetime(2018, 11, 2, 16, 31, 30, 160_000, tzinfo=UTC)
    assert wire.day("/Date(1539993600000+1300)/") == datetime(2018, 10, 20, tzinfo=UTC).date()
    told = wire.loaded('{"a": 0.1, "b": 1234567890123.45, "c": 7}')
    assert [wire.amount(told[each], "EUR").minor for each in "abc"] == [10, 123_456_789_012_345, 700]
    for text in ("0.001", "1e-3"):
        with pytest.raises(ValueError, match="more decimals"):
            wire.amount(text, "EUR")
    with pytest.raises(ValueError, match="no moment"):
        wire.moment("2018-11-02T16:31:30")
    assert wire.dumped({"Amount": Money.of(-5, "EUR"), "Date": ON}) == '{"Amount": -0.05, "Date": "2026-03-16"}'
