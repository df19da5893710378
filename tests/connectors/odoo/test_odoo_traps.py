"""Odoo's traps: each walked into first, with the harm counted in its ledger, and then closed by the connector."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from connectors.conformance.erp_harness import (
    ON,
    fresh_reference,
    payment_of,
    raised,
    refund_of,
    reversal_of,
)
from connectors.erp.odoo import build
from connectors.erp.odoo.client import CLOSED_PERIOD
from connectors.erp.ports import ErpInvoiceStatus, PaymentDocument
from connectors.errors import Misconfigured, OutcomeUnknown, Rejected, Throttled
from domain.money import Money
from tests.connectors.odoo.harness import OdooHarness
from tests.connectors.traps import Trap, trap

USD = "USD"
NINE = Money.of(900, USD)
# How long Odoo itself lets a request run before it kills it (`limit_time_real`), unless told otherwise.
LIMIT_TIME_REAL_SECONDS = 120


async def invoiced(harness: OdooHarness, total: Money = NINE) -> tuple[str, str]:
    """A customer with one open invoice."""
    customer = await harness.make_customer(currency=total.currency)
    return customer, await harness.make_invoice(customer=customer, total=total)


def naive_values(customer: str, amount: Money, memo: str) -> dict[str, Any]:
    """A payment as the documentation's first example makes one."""
    currencies = {"EUR": 1, "USD": 2}
    return {
        "payment_type": "inbound",
        "partner_type": "customer",
        "partner_id": int(customer),
        "journal_id": 1,
        "currency_id": currencies[amount.currency],
        "amount": float(amount.as_decimal()),
        "date": ON.isoformat(),
        "memo": memo,
    }


async def pay_naively(harness: OdooHarness, customer: str, amount: Money, memo: str) -> int:
    """Create and post; answers the payment's id."""
    values = naive_values(customer, amount, memo)
    (payment,) = await harness.naively("account.payment", "create", vals_list=[values])
    await harness.naively("account.payment", "action_post", ids=[payment])
    return int(payment)


async def naive_line(harness: OdooHarness, payment: int) -> int:
    """The receivable line of a payment."""
    domain = [["payment_id", "=", payment], ["account_id.account_type", "=", "asset_receivable"]]
    rows = await harness.naively("account.move.line", "search_read", domain=domain, fields=["id"])
    return int(rows[0]["id"])


@trap(Trap.LOST_ANSWER)
async def test_an_answer_that_is_lost_is_not_sent_again(harness: OdooHarness) -> None:
    customer, invoice = await invoiced(harness)
    reference = fresh_reference()
    await harness.fault("answer_lost", "account.payment.action_post")
    with pytest.raises(httpx.TransportError):
        await pay_naively(harness, customer, NINE, reference)
    await pay_naively(harness, customer, NINE, reference)
    assert (await harness.books(reference=reference))["received"] == "18.00"

    payment = payment_of(customer, {invoice: NINE})
    for call in ("account.payment.create", "account.payment.action_post", "account.move.js_assign_outstanding_line"):
        await harness.fault("answer_lost", call)
        await raised(OutcomeUnknown, harness.erp.post_payment(payment))
    posted = await harness.erp.post_payment(payment)
    assert (posted.amount, posted.is_finished) == (NINE, True)
    assert (await harness.books(reference=payment.reference))["received"] == "9.00"
    assert (await harness.read(invoice)).settled == NINE


@trap(Trap.LATE_EFFECT)
async def test_what_takes_effect_after_we_gave_up_is_gone_on_with(harness: OdooHarness) -> None:
    customer, invoice = await invoiced(harness)
    reference = fresh_reference()
    await harness.fault("late", "account.payment.create")
    with pytest.raises(httpx.TransportError):
        await pay_naively(harness, customer, NINE, reference)
    domain = [["memo", "=", reference]]
    assert await harness.naively("account.payment", "search_read", domain=domain, fields=["id"]) == []
    await pay_naively(harness, customer, NINE, reference)
    await harness.act("late")
    assert await harness.count_documents(reference=reference) == 2

    payment = payment_of(customer, {invoice: NINE})
    await harness.fault("late", "account.payment.create")
    await raised(OutcomeUnknown, harness.erp.post_payment(payment))
    assert list(await harness.erp.find_document(payment.reference)) == []
    # Whoever asks waits so long before 'none' is believed.
    assert harness.erp.request_life_seconds > LIMIT_TIME_REAL_SECONDS
    await harness.act("late")
    (begun,) = await harness.erp.find_document(payment.reference)
    assert not begun.is_finished
    await harness.erp.post_payment(payment)
    assert await harness.count_documents(reference=payment.reference) == 1
    assert (await harness.books(reference=payment.reference))["received"] == "9.00"


async def naive_numbers(harness: OdooHarness, after: str, *, operator: str = ">") -> set[int]:
    """Invoices that were written after a moment, by the obvious filter."""
    domain = [["write_date", operator, after], ["move_type", "=", "out_invoice"], ["state", "=", "posted"]]
    return {row["id"] for row in await harness.naively("account.move", "search_read", domain=domain, fields=["id"])}


@trap(Trap.DATE_ONLY_CURSOR)
async def test_times_are_the_servers_in_utc_and_never_those_of_our_own_zone(harness: OdooHarness) -> None:
    customer, _ = await invoiced(harness)
    _, cursor = await harness.since("")
    here = datetime.now(ZoneInfo("Europe/Berlin")).strftime("%Y-%m-%d %H:%M:%S")
    made = await harness.make_invoice(customer=customer, total=NINE)
    assert await naive_numbers(harness, here, operator=">=") == set()
    rows, _ = await harness.since(cursor)
    assert [row.erp_id for row in rows] == [made]


@trap(Trap.SAME_SECOND)
async def test_two_invoices_of_one_second_are_both_read(harness: OdooHarness) -> None:
    customer, first = await invoiced(harness)
    _, cursor = await harness.since("")
    seen = await harness.act("changed", invoice=int(first))
    second = await harness.make_invoice(customer=customer, total=NINE, behind_seconds=0)
    if await harness.act("changed", invoice=int(second)) != seen:
        second = await harness.make_invoice(customer=customer, total=NINE)
        seen = await harness.act("changed", invoice=int(second))
        second = await harness.make_invoice(customer=customer, total=NINE)
    assert int(second) not in await naive_numbers(harness, await harness.act("changed", invoice=int(second)))
    rows, _ = await harness.since(cursor)
    assert second in {row.erp_id for row in rows}


@trap(Trap.LATE_COMMIT)
async def test_an_invoice_that_is_committed_late_with_an_early_time_is_read(harness: OdooHarness) -> None:
    customer, first = await invoiced(harness)
    _, cursor = await harness.since("")
    seen = await harness.act("changed", invoice=int(first))
    late = await harness.make_invoice(customer=customer, total=NINE, behind_seconds=60)
    assert int(late) not in await naive_numbers(harness, seen, operator=">=")
    rows, _ = await harness.since(cursor)
    assert [row.erp_id for row in rows] == [late]


@trap(Trap.UNTOUCHED_INVOICE)
async def test_a_payment_that_leaves_the_invoices_time_alone_brings_it_back(harness: OdooHarness) -> None:
    customer = await harness.make_customer(currency=USD)
    # Older than what every read goes back for.
    invoice = await harness.make_invoice(customer=customer, total=NINE, behind_seconds=7200)
    before = await harness.act("changed", invoice=int(invoice))
    _, cursor = await harness.since("")
    await harness.pay_by_hand(invoice=invoice, amount=NINE)
    assert await harness.act("changed", invoice=int(invoice)) == before
    assert int(invoice) not in await naive_numbers(harness, before)
    rows, _ = await harness.since(cursor)
    assert [(row.erp_id, row.settled) for row in rows] == [(invoice, NINE)]


@trap(Trap.DELETED_ROW)
async def test_what_is_drafted_or_cancelled_is_told_and_what_is_deleted_shows_in_the_sums(harness: OdooHarness) -> None:
    customer, drafted = await invoiced(harness)
    cancelled = await harness.make_invoice(customer=customer, total=NINE)
    deleted = await harness.make_invoice(customer=customer, total=NINE)
    _, cursor = await harness.since("")
    before = await harness.act("changed", invoice=int(drafted))
    await harness.act("draft_invoice", invoice=int(drafted))
    await harness.act("cancel_invoice", invoice=int(cancelled))
    await harness.act("delete_invoice", invoice=int(deleted))
    assert await naive_numbers(harness, before, operator=">=") == set()

    rows, _ = await harness.since(cursor)
    told = {row.erp_id: row.status for row in rows}
    assert told == {drafted: ErpInvoiceStatus.DRAFT, cancelled: ErpInvoiceStatus.VOID}
    assert (await harness.erp.open_totals("", limit=10)).rows == ()
    assert [row.erp_id for row in await harness.erp.invoices_by_id([drafted, cancelled, deleted])] == [drafted, cancelled]


@trap(Trap.SHIFTING_PAGES)
async def test_a_row_that_leaves_while_pages_are_read_hides_no_other(harness: OdooHarness) -> None:
    customer, first = await invoiced(harness)
    made = [first, *[await harness.make_invoice(customer=customer, total=NINE) for _ in range(3)]]
    domain = [["move_type", "=", "out_invoice"], ["state", "=", "posted"]]
    page = await harness.naively("account.move", "search_read", domain=domain, fields=["id"], limit=2, offset=0, order="id")
    ours = await harness.erp.invoices_since("", limit=2)
    await harness.act("cancel_invoice", invoice=int(first))
    rest = await harness.naively("account.move", "search_read", domain=domain, fields=["id"], limit=2, offset=2, order="id")
    assert len({row["id"] for row in (*page, *rest)}) == 3
    more, _ = await harness.since(ours.cursor)
    assert {row.erp_id for row in (*ours.rows, *more)} == set(made)


@trap(Trap.ONE_INVOICE_A_LINE)
async def test_a_part_of_an_invoice_takes_no_more_than_was_meant_for_it(harness: OdooHarness) -> None:
    customer, small = await invoiced(harness)
    large = await harness.make_invoice(customer=customer, total=Money.of(4000, USD))
    meant = {small: NINE, large: Money.of(500, USD)}
    payment = await pay_naively(harness, customer, Money.of(2100, USD), "one payment of all")
    line = await naive_line(harness, payment)
    for invoice in (small, large):
        await harness.naively("account.move", "js_assign_outstanding_line", ids=[int(invoice)], line_id=line)
    # 5.00 were meant for it and 7.00 for no invoice; Odoo put all of them there.
    assert (await harness.books(invoice=int(large)))["open"] == "28.00"

    customer, small = await invoiced(harness)
    large = await harness.make_invoice(customer=customer, total=Money.of(4000, USD))
    meant = {small: NINE, large: Money.of(500, USD)}
    posted = await harness.erp.post_payment(payment_of(customer, meant, unapplied=Money.of(700, USD)))
    assert posted.amount == Money.of(2100, USD)
    assert (await harness.books(invoice=int(large)))["open"] == "35.00"
    assert (await harness.books(invoice=int(small)))["open"] == "0.00"


@trap(Trap.LEFT_DRAFT)
async def test_a_draft_that_was_left_is_gone_on_with_and_not_made_again(harness: OdooHarness) -> None:
    customer, invoice = await invoiced(harness)
    reference = fresh_reference()
    values = naive_values(customer, NINE, reference)
    await harness.naively("account.payment", "create", vals_list=[values])
    # … and here the program was killed. The next try:
    await pay_naively(harness, customer, NINE, reference)
    assert (await harness.books(reference=reference))["drafts"] == 1

    payment = payment_of(customer, {invoice: NINE})
    await harness.fault("answer_lost", "account.payment.create")
    await raised(OutcomeUnknown, harness.erp.post_payment(payment))
    assert (await harness.books(reference=payment.reference))["drafts"] == 1
    await harness.erp.post_payment(payment)
    told = await harness.books(reference=payment.reference)
    assert (told["drafts"], told["payments"], told["received"]) == (0, 1, "9.00")


async def test_a_draft_that_says_something_else_is_thrown_away(harness: OdooHarness) -> None:
    customer, invoice = await invoiced(harness)
    payment = payment_of(customer, {invoice: NINE})
    await harness.fault("answer_lost", "account.payment.create")
    await raised(OutcomeUnknown, harness.erp.post_payment(payment))
    other = replace(payment, amount=Money.of(1000, USD))
    posted = await harness.erp.post_payment(other)
    told = await harness.books(reference=payment.reference)
    assert (posted.amount, told["payments"], told["received"]) == (Money.of(1000, USD), 2, "10.00")


@trap(Trap.WRONG_OUTSTANDING)
async def test_what_is_open_is_what_the_ledger_says_and_an_assignment_that_did_nothing_is_noticed(
    harness: OdooHarness,
) -> None:
    customer, invoice = await invoiced(harness)
    await harness.act("say", invoice=int(invoice), word="paid", residual="0")
    (row,) = await harness.naively("account.move", "read", ids=[int(invoice)], fields=["amount_residual"])
    assert (row["amount_residual"], (await harness.books(invoice=int(invoice)))["open"]) == (0, "9.00")
    assert (await harness.read(invoice)).settled == Money.zero(USD)

    payment = payment_of(customer, {invoice: NINE})
    await harness.act("silence", assignments=1)
    await raised(OutcomeUnknown, harness.erp.post_payment(payment))
    (found,) = await harness.erp.find_document(payment.reference)
    assert not found.is_finished
    await harness.erp.post_payment(payment)
    assert (await harness.books(invoice=int(invoice)))["open"] == "0.00"


@trap(Trap.PAID_WORD)
async def test_a_word_that_sounds_like_paid_is_not_believed(harness: OdooHarness) -> None:
    _, invoice = await invoiced(harness)
    await harness.act("say", invoice=int(invoice), word="in_payment")
    domain = [["payment_state", "in", ["paid", "in_payment"]]]
    rows = await harness.naively("account.move", "search_read", domain=domain, fields=["id"])
    assert [row["id"] for row in rows] == [int(invoice)]
    found = await harness.read(invoice)
    assert (found.status, found.status_word, found.paid_on) == (ErpInvoiceStatus.OPEN, "in_payment", None)
    await harness.pay_by_hand(invoice=invoice, amount=NINE)
    assert (await harness.read(invoice)).status is ErpInvoiceStatus.PAID


@trap(Trap.NOT_BOOKED)
async def test_a_payment_that_would_make_no_entry_is_refused_before_it_is_written(harness: OdooHarness) -> None:
    customer, invoice = await invoiced(harness)
    await harness.erp.ping()
    await harness.act("book_nothing")
    reference = fresh_reference()
    payment = await pay_naively(harness, customer, NINE, reference)
    (row,) = await harness.naively("account.payment", "read", ids=[payment], fields=["state", "move_id"])
    assert (row["state"], row["move_id"]) == ("paid", False)
    assert (await harness.books(reference=reference))["received"] == "0.00"

    await raised(Misconfigured, harness.erp.ping())
    ours = payment_of(customer, {invoice: NINE})
    await raised(Misconfigured, harness.erp.post_payment(ours))
    assert (await harness.books(reference=ours.reference))["payments"] == 0


async def test_a_payment_that_was_accepted_and_made_no_entry_is_taken_back(harness: OdooHarness) -> None:
    customer, invoice = await invoiced(harness)
    payment = payment_of(customer, {invoice: NINE})
    await harness.fault("answer_lost", "account.payment.create")
    await raised(OutcomeUnknown, harness.erp.post_payment(payment))
    # Between the check and the posting, a person takes the account away; the methods look right to the check again.
    await harness.act("book_nothing", only_when_posting=True)
    await raised(Misconfigured, harness.erp.post_payment(payment))
    assert (await harness.books(reference=payment.reference))["payments"] == 0


@trap(Trap.CLOSED_PERIOD)
async def test_a_locked_period_is_refused_as_what_it_is_and_leaves_nothing(harness: OdooHarness) -> None:
    customer, invoice = await invoiced(harness)
    await harness.act("lock", until=ON.isoformat())
    values = naive_values(customer, NINE, "to a locked month")
    (naive,) = await harness.naively("account.payment", "create", vals_list=[values])
    refusal = await harness.naively("account.payment", "action_post", ids=[naive])
    assert (await harness.books(reference="to a locked month"))["drafts"] == 1

    payment = payment_of(customer, {invoice: NINE})
    refused = await raised(Rejected, harness.erp.post_payment(payment))
    assert (refused.code, refused.sentence) == (CLOSED_PERIOD, refusal["message"])
    assert (await harness.books(reference=payment.reference))["payments"] == 0
    await harness.erp.post_payment(replace(payment, received_on=ON + timedelta(days=1)))
    assert (await harness.read(invoice)).settled == NINE


@trap(Trap.CANNOT_UNDO)
async def test_what_the_bank_confirmed_is_taken_back_by_another_document(harness: OdooHarness) -> None:
    customer, invoice = await invoiced(harness)
    payment = payment_of(customer, {invoice: NINE})
    posted = await harness.erp.post_payment(payment)
    await harness.act("match_payments", reference=payment.reference)
    refusal = await harness.naively("account.payment", "action_draft", ids=[int(posted.erp_id)])
    assert refusal["name"] == "odoo.exceptions.UserError"
    assert (await harness.books(invoice=int(invoice)))["open"] == "0.00"

    await harness.erp.post_reversal(reversal_of(payment))
    told = await harness.books(invoice=int(invoice), customer=int(customer))
    assert (told["open"], told["owed"]) == ("9.00", "7.20")


@trap(Trap.LIMITED_RATE)
async def test_a_refusal_of_the_rate_is_no_unknown_and_says_when(harness: OdooHarness) -> None:
    customer, invoice = await invoiced(harness)
    reference = fresh_reference()
    await harness.fault("throttled", "account.payment.action_post")
    with pytest.raises(ValueError):  # the page of a gateway is no JSON: the naive client stops with a draft
        await pay_naively(harness, customer, NINE, reference)
    assert (await harness.books(reference=reference))["drafts"] == 1

    payment = payment_of(customer, {invoice: NINE})
    for what, seconds in (("throttled", 7), ("throttled_silently", 5)):
        await harness.fault(what, "account.payment.create")
        refused = await raised(Throttled, harness.erp.post_payment(payment))
        assert refused.retry_after_seconds == seconds
        assert await harness.count_documents(reference=payment.reference) == 0
    # In the middle of a document it is another matter: something of it is there.
    await harness.fault("throttled", "account.payment.action_post")
    await raised(OutcomeUnknown, harness.erp.post_payment(payment))
    await harness.erp.post_payment(payment)
    assert (await harness.books(reference=payment.reference))["received"] == "9.00"


@trap(Trap.HTML_ANSWER)
async def test_a_page_where_an_answer_should_be_says_nothing_about_the_write(harness: OdooHarness) -> None:
    customer, invoice = await invoiced(harness)
    for what in ("page", "gateway", "half"):
        reference = fresh_reference()
        await harness.fault(what, "account.payment.create")
        with pytest.raises(ValueError):
            await pay_naively(harness, customer, NINE, reference)
        await pay_naively(harness, customer, NINE, reference)
        assert await harness.count_documents(reference=reference) == 2

        payment = payment_of(customer, {}, unapplied=NINE)
        await harness.fault(what, "account.payment.create")
        await raised(OutcomeUnknown, harness.erp.post_payment(payment))
        await harness.erp.post_payment(payment)
        assert await harness.count_documents(reference=payment.reference) == 1
    assert (await harness.read(invoice)).settled == Money.zero(USD)


async def test_a_time_out_is_unknown_for_a_write(harness: OdooHarness) -> None:
    customer, _ = await invoiced(harness)
    hasty = build(replace(harness.config, request_timeout_seconds=0.2))
    payment: PaymentDocument = payment_of(customer, {}, unapplied=NINE)
    await hasty.ping()
    await harness.fault("silence", "account.payment.create")
    await raised(OutcomeUnknown, hasty.post_payment(payment))
    await hasty.aclose()
    await harness.erp.post_payment(payment)
    assert await harness.count_documents(reference=payment.reference) == 1


async def test_a_refund_takes_off_where_a_person_has_put_the_money(harness: OdooHarness) -> None:
    customer, first = await invoiced(harness)
    second = await harness.make_invoice(customer=customer, total=NINE)
    payment = payment_of(customer, {first: NINE})
    await harness.erp.post_payment(payment)
    await harness.act("move_payment", reference=payment.reference, invoice=int(second))
    await harness.erp.post_refund(refund_of(payment, {second: Money.of(400, USD)}))
    assert (await harness.read(second)).settled == Money.of(500, USD)
    assert (await harness.read(first)).settled == Money.zero(USD)


def test_the_clock_of_this_test_is_not_the_servers_zone() -> None:
    assert datetime.now(UTC).utcoffset() != datetime.now(ZoneInfo("Europe/Berlin")).utcoffset()
