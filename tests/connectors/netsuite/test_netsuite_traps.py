"""NetSuite's traps: the naive way first, its harm counted at the far side; then ours, without."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
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
from connectors.erp.netsuite.client import CLOSED_PERIOD
from connectors.erp.ports import CreditApplicationDocument, ErpInvoiceStatus, PaymentDocument, PaymentLine
from connectors.errors import Misconfigured, OutcomeUnknown, Rejected, Throttled, Unavailable
from domain.money import Money
from tests.connectors.netsuite.harness import BANK, RECEIVABLE, NetSuiteHarness
from tests.connectors.traps import Trap, trap

PAYMENT = "record/v1/customerPayment"


def usd(minor: int) -> Money:
    return Money.of(minor, "USD")


async def owing(harness: NetSuiteHarness, minor: int = 10_000) -> tuple[str, str]:
    """A customer, and an invoice of it."""
    customer = await harness.make_customer(currency="USD")
    return customer, await harness.make_invoice(customer=customer, total=usd(minor))


async def paid(harness: NetSuiteHarness, minor: int = 3_000) -> tuple[PaymentDocument, str]:
    """A payment of ours on an invoice of 100.00, and that invoice."""
    customer, invoice = await owing(harness)
    payment = payment_of(customer, {invoice: usd(minor)})
    await harness.erp.post_payment(payment)
    return payment, invoice


def naive_body(customer: str, invoice: str, amount: int) -> dict[str, Any]:
    lines = [{"doc": {"id": invoice}, "apply": True, "amount": amount}]
    common = {"customer": {"id": customer}, "currency": {"id": "1"}, "account": {"id": BANK}, "tranDate": ON.isoformat()}
    return {**common, "payment": amount, "memo": "N-1", "apply": {"items": lines}}


async def naive_count(harness: NetSuiteHarness) -> int:
    return len(await harness.queried("SELECT id FROM transaction WHERE memo = 'N-1' ORDER BY id"))


@trap(Trap.LOST_ANSWER, Trap.REPLAYED_KEY)
async def test_a_payment_whose_answer_was_lost_is_asked_for_by_its_external_id(harness: NetSuiteHarness) -> None:
    customer, invoice = await owing(harness)
    for _ in range(2):
        key = {"X-NetSuite-Idempotency-Key": "one"}
        await harness.naive("POST", PAYMENT, json=naive_body(customer, invoice, 10), headers=key)
    assert await naive_count(harness) == 2, "the key acts on asynchronous requests only"

    payment = payment_of(customer, {invoice: usd(3_000)})
    await harness.lose_next_answer()
    await raised(OutcomeUnknown, harness.erp.post_payment(payment))
    await harness.erp.post_payment(payment)
    assert await harness.count_documents(reference=payment.reference) == 1


@trap(Trap.LATE_EFFECT)
async def test_a_request_that_takes_effect_late_and_its_repetition_are_one(harness: NetSuiteHarness) -> None:
    customer, invoice = await owing(harness)
    await harness.turn(late=True)
    with pytest.raises(httpx.TransportError):
        await harness.naive("POST", PAYMENT, json=naive_body(customer, invoice, 10))
    assert await naive_count(harness) == 0
    await harness.naive("POST", PAYMENT, json=naive_body(customer, invoice, 10))
    await harness.turn(run_late=True)
    assert await naive_count(harness) == 2

    payment = payment_of(customer, {invoice: usd(3_000)})
    await harness.turn(late=True)
    await raised(OutcomeUnknown, harness.erp.post_payment(payment))
    assert list(await harness.erp.find_document(payment.reference)) == []
    assert harness.erp.request_life_seconds >= 900, "who asks again waits that long first"
    await harness.erp.post_payment(payment)
    await harness.turn(run_late=True)
    assert await harness.count_documents(reference=payment.reference) == 1
    assert (await harness.read(invoice)).settled == usd(5_000)


@trap(Trap.SEARCH_LAG)
async def test_a_record_that_no_query_shows_yet_is_found_by_its_external_id(harness: NetSuiteHarness) -> None:
    customer, invoice = await owing(harness)
    await harness.turn(search_lags=True)
    for _ in range(2):
        assert await naive_count(harness) == 0
        await harness.naive("POST", PAYMENT, json=naive_body(customer, invoice, 10))
    payment = payment_of(customer, {invoice: usd(3_000)})
    await harness.lose_next_answer()
    await raised(OutcomeUnknown, harness.erp.post_payment(payment))
    (found,) = await harness.erp.find_document(payment.reference)
    assert found.amount == payment.amount
    await harness.erp.post_payment(payment)
    assert await harness.count_documents(reference=payment.reference) == 1
    await harness.turn(show_all=True)
    assert await naive_count(harness) == 2


@trap(Trap.UPSERT_OVERWRITES)
async def test_a_payment_that_is_there_is_not_changed_by_writing_it_again(harness: NetSuiteHarness) -> None:
    customer, invoice = await owing(harness)
    for amount in (10, 20):
        await harness.naive("PUT", f"{PAYMENT}/eid:naive-1", json=naive_body(customer, invoice, amount))
    assert (await harness.asked("shown/naive-1"))["payment"] == 20, "the first was 10.00, and its receipt says so"

    payment = payment_of(customer, {invoice: usd(3_000)})
    await harness.erp.post_payment(payment)
    other = payment_of(customer, {invoice: usd(4_000)}, reference=payment.reference)
    refused = await raised(Rejected, harness.erp.post_payment(other))
    assert refused.code == "REFERENCE_TAKEN"
    assert (await harness.asked(f"shown/{payment.reference}"))["payment"] == 30


@trap(Trap.STALE_VERSION)
async def test_what_a_person_applied_meanwhile_stays(harness: NetSuiteHarness) -> None:
    customer, first = await owing(harness)
    second, theirs = (await harness.make("invoice", customer, usd(10_000), count=2))[:2]
    line = {"doc": {"id": theirs}, "apply": True, "amount": 20}
    for way in ("naive", "ours"):
        payment = payment_of(customer, {first: usd(1_000)}, unapplied=usd(5_000))
        posted = await harness.erp.post_payment(payment)
        erp_id = posted.erp_id.partition("-")[2]
        await harness.turn(ticked_meanwhile={"id": erp_id, "line": line})
        if way == "naive":
            items = [{"doc": {"id": each}, "apply": True, "amount": 10} for each in (first, second)]
            path = f"{PAYMENT}/{erp_id}?replace=apply"
            assert (await harness.naive("PATCH", path, json={"apply": {"items": items}})).is_success
            assert theirs not in (await harness.asked(f"shown/{erp_id}"))["ticks"]
        else:
            await harness.erp.post_application(application_of(payment, {second: usd(1_000)}))
            assert (await harness.asked(f"shown/{erp_id}"))["ticks"] == {first: 10.0, second: 10.0, theirs: 20.0}


@trap(Trap.REPEATED_ALLOCATIONS)
async def test_an_application_that_is_sent_again_moves_its_money_once(harness: NetSuiteHarness) -> None:
    customer, invoice = await owing(harness)
    payment = payment_of(customer, {}, unapplied=usd(9_000))
    posted = await harness.erp.post_payment(payment)
    erp_id = posted.erp_id.partition("-")[2]
    for _ in range(2):
        lies = (await harness.asked(f"shown/{erp_id}"))["ticks"].get(invoice, 0)
        line = {"doc": {"id": invoice}, "apply": True, "amount": lies + 30}
        await harness.naive("PATCH", f"{PAYMENT}/{erp_id}", json={"apply": {"items": [line]}})
    assert (await harness.read(invoice)).settled == usd(6_000)

    payment = payment_of(customer, {}, unapplied=usd(9_000))
    await harness.erp.post_payment(payment)
    other = await harness.make_invoice(customer=customer, total=usd(10_000))
    application = application_of(payment, {other: usd(3_000)})
    await harness.lose_next_answer()
    await raised(OutcomeUnknown, harness.erp.post_application(application))
    for _ in range(2):
        await harness.erp.post_application(application)
    assert (await harness.read(other)).settled == usd(3_000)
    (found,) = await harness.erp.find_document(application.reference)
    assert (found.amount, found.stands) == (usd(3_000), True)


@trap(Trap.LEFT_DRAFT)
async def test_a_return_of_which_only_the_entry_was_written_is_finished_and_not_begun_again(
    harness: NetSuiteHarness,
) -> None:
    customer, _ = await owing(harness)
    lines = [
        {"account": {"id": RECEIVABLE}, "debit": 30, "entity": {"id": customer}},
        {"account": {"id": BANK}, "credit": 30},
    ]
    for _ in range(2):
        await harness.naive("POST", "record/v1/journalEntry", json={"currency": {"id": "1"}, "line": {"items": lines}})
    assert await harness.asked("owed", customer=customer) == "160.00", "30.00 came back, and the customer owes them twice"

    payment, invoice = await paid(harness)
    reversal = reversal_of(payment)
    for break_it, is_finished in ((harness.lose_next_answer, False), (harness.fail_after_next_write, True)):
        await break_it()
        await raised(OutcomeUnknown, harness.erp.post_reversal(reversal))
        (found,) = await harness.erp.find_document(reversal.reference)
        assert (found.is_finished, (await harness.read(invoice)).settled) == (is_finished, usd(0 if is_finished else 3_000))
    await harness.erp.post_reversal(reversal)
    assert await harness.count_documents(reference=reversal.reference) == 1
    assert await harness.asked("owed", customer=payment.customer_erp_id) == "100.00"


@trap(Trap.CLOSED_PERIOD)
async def test_a_closed_period_is_told_as_such_and_not_sent_again(harness: NetSuiteHarness) -> None:
    customer, invoice = await owing(harness)
    await harness.turn(closed_through=ON.isoformat())
    told = (await harness.naive("POST", PAYMENT, json=naive_body(customer, invoice, 10))).json()["o:errorDetails"][0]
    assert told["o:errorCode"] == "USER_ERROR", "the same code as any other"
    payment = payment_of(customer, {invoice: usd(3_000)})
    refused = await raised(Rejected, harness.erp.post_payment(payment))
    assert (refused.code, refused.sentence) == (CLOSED_PERIOD, "The posting period of this transaction is closed.")
    assert sum(each["method"] == "PUT" for each in await harness.requests()) == 1


@trap(Trap.CANNOT_UNDO)
async def test_a_payment_that_the_bank_reconciled_is_taken_back_without_touching_it(harness: NetSuiteHarness) -> None:
    payment, invoice = await paid(harness)
    await harness.told(f"do/lock/{payment.reference}")
    assert (await harness.naive("DELETE", f"{PAYMENT}/eid:{payment.reference}")).status_code == 400
    assert (await harness.read(invoice)).settled == usd(3_000)
    await harness.erp.post_reversal(reversal_of(payment))
    assert (await harness.read(invoice)).settled == usd(0)
    assert (await harness.asked(f"shown/{payment.reference}"))["payment"] == 30


@trap(Trap.LIMITED_RATE)
async def test_too_many_calls_at_once_are_a_refusal_and_ours_are_five(harness: NetSuiteHarness) -> None:
    customer, invoice = await owing(harness)
    payment = payment_of(customer, {invoice: usd(3_000)})
    assert (await harness.naive("GET", f"{PAYMENT}/eid:x")).status_code == 404
    await harness.turn(throttle="")
    assert (await harness.naive("GET", f"{PAYMENT}/eid:x")).status_code == 429
    for told, seconds in (("7", 7), ("", 30)):
        await harness.turn(throttle=told)
        patience = await raised(Throttled, harness.erp.post_payment(payment))
        assert patience.retry_after_seconds == seconds
    assert await harness.count_documents(reference=payment.reference) == 0
    await asyncio.gather(*(harness.erp.ping() for _ in range(12)))


@trap(Trap.HTML_ANSWER)
async def test_a_page_of_html_says_nothing_about_a_write(harness: NetSuiteHarness) -> None:
    customer, invoice = await owing(harness)
    for status in (200, 502):
        await harness.turn(html_after=status)
        told = await harness.naive("POST", PAYMENT, json=naive_body(customer, invoice, 1))
        assert (told.status_code, await naive_count(harness)) == (status, 1 if status == 200 else 2)
        payment = payment_of(customer, {invoice: usd(3_000)})
        await harness.turn(html_after=status)
        await raised(OutcomeUnknown, harness.erp.post_payment(payment))
        await harness.erp.post_payment(payment)
        assert await harness.count_documents(reference=payment.reference) == 1
        await harness.turn(html_read=status)
        await raised(Unavailable, harness.erp.invoices_by_id([invoice]))


@trap(Trap.DATE_ONLY_CURSOR)
async def test_a_time_is_asked_in_the_account_s_zone_and_made_text(harness: NetSuiteHarness) -> None:
    customer = await harness.make_customer(currency="USD")
    _, cursor = await harness.changed("", limit=100)
    invoice = await harness.make_invoice(customer=customer, total=usd(100))
    (row,) = await harness.queried(f"SELECT lastmodifieddate FROM transaction WHERE id = {invoice} ORDER BY id")
    assert len(row["lastmodifieddate"]) == 10, "a day, in the form of the user who asks"
    utc = (datetime.now(UTC) - timedelta(minutes=1)).strftime("%Y-%m-%d %H:%M:%S")
    since = f"TO_DATE('{utc}', 'YYYY-MM-DD HH24:MI:SS')"
    naive = await harness.queried(f"SELECT id FROM transaction WHERE lastmodifieddate >= {since} ORDER BY id")
    assert naive == [], "hours later than was meant"
    rows, _ = await harness.changed(cursor, limit=10)
    assert [each.erp_id for each in rows] == [invoice]


@trap(Trap.SAME_SECOND, Trap.LATE_COMMIT)
async def test_rows_of_the_same_second_and_of_an_earlier_one_are_read(harness: NetSuiteHarness) -> None:
    customer = await harness.make_customer(currency="USD")
    at = datetime.now(UTC).replace(microsecond=0)
    first = await harness.make_invoice(customer=customer, total=usd(100), at=at.isoformat())
    rows, cursor = await harness.changed("", limit=10)
    assert [each.erp_id for each in rows] == [first]
    second = await harness.make_invoice(customer=customer, total=usd(100), at=at.isoformat())
    late = await harness.make_invoice(customer=customer, total=usd(100), at=(at - timedelta(minutes=5)).isoformat())
    local = at.astimezone(ZoneInfo("America/New_York")).strftime("%Y-%m-%d %H:%M:%S")
    later = f"TO_DATE('{local}', 'YYYY-MM-DD HH24:MI:SS')"
    assert await harness.queried(f"SELECT id FROM transaction WHERE lastmodifieddate > {later} ORDER BY id") == []
    rows, cursor = await harness.changed(cursor, limit=1)
    assert {each.erp_id for each in rows} == {second, late}
    assert await harness.changed(cursor, limit=10) == ([], cursor)


@trap(Trap.UNTOUCHED_INVOICE)
async def test_a_payment_that_leaves_its_invoice_s_time_alone_brings_the_invoice(harness: NetSuiteHarness) -> None:
    customer = await harness.make_customer(currency="USD")
    long_ago = (datetime.now(UTC) - timedelta(days=3)).isoformat()
    invoice = await harness.make_invoice(customer=customer, total=usd(10_000), at=long_ago)
    _, cursor = await harness.changed("", limit=10)
    await harness.turn(touches_invoices=False)
    (payment,) = await harness.make("customerPayment", customer, usd(3_000))
    await harness.told(f"tick/{payment}", **{invoice: "30.00"})
    day = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%d 00:00:00")
    query = f"SELECT id FROM transaction WHERE type = 'CustInvc' AND lastmodifieddate >= '{day}' ORDER BY id"
    assert await harness.queried(query) == []
    rows, cursor = await harness.changed(cursor, limit=10)
    assert [(each.erp_id, each.settled) for each in rows] == [(invoice, usd(3_000))]
    await harness.told(f"tick/{payment}", **{invoice: 0})
    rows, cursor = await harness.changed(cursor, limit=10)
    assert [(each.erp_id, each.settled) for each in rows] == [(invoice, usd(0))], "taken off again, which no link says"


@trap(Trap.DELETED_ROW)
async def test_what_was_deleted_is_told_as_deleted(harness: NetSuiteHarness) -> None:
    customer = await harness.make_customer(currency="USD")
    invoice, kept = await harness.make("invoice", customer, usd(100), count=2)
    (payment,) = await harness.make("customerPayment", customer, usd(3_000))
    _, cursor = await harness.changed("", limit=10)
    left = (await harness.erp.credits_since("", limit=10)).cursor
    documents = (await harness.erp.payments_since("", limit=10)).cursor
    for each in (invoice, payment):
        await harness.told(f"do/delete/{each}")
    shown = await harness.queried("SELECT id FROM transaction WHERE type = 'CustInvc' ORDER BY id")
    assert [each["id"] for each in shown] == [kept], "who knew the other shows it for ever"
    rows, _ = await harness.changed(cursor, limit=10)
    assert {each.erp_id: each.deleted for each in rows if each.deleted} == {invoice: True}
    gone = [each for each in (await harness.erp.credits_since(left, limit=10)).rows if each.deleted]
    assert [each.erp_id for each in gone] == [f"payment-{payment}"]
    told = (await harness.erp.payments_since(documents, limit=10)).rows
    assert [(each.erp_id, each.stands) for each in told] == [(f"payment-{payment}", False)]


@trap(Trap.CUT_LIST)
async def test_lists_are_read_to_their_end(harness: NetSuiteHarness) -> None:
    customer = await harness.make_customer(currency="USD")
    made = await harness.make("invoice", customer, usd(100), count=25)
    payment = payment_of(customer, {made[-1]: usd(100)}, unapplied=usd(100))
    await harness.erp.post_payment(payment)
    await harness.turn(list_max=20)
    page = (await harness.naive("GET", f"{PAYMENT}/eid:{payment.reference}/apply")).json()
    assert (len(page["items"]), any(line["apply"] for line in page["items"])) == (20, False), "it seems to lie on nothing"
    off = application_of(payment, {made[-1]: usd(-100)})
    await harness.erp.post_application(off)
    assert (await harness.read(made[-1])).settled == usd(0)
    assert {each.erp_id for each in await harness.erp.invoices_by_id(made)} == set(made)


@trap(Trap.SHIFTING_PAGES)
async def test_no_row_slips_through_while_another_changes(harness: NetSuiteHarness) -> None:
    customer = await harness.make_customer(currency="USD")
    at = datetime.now(UTC) - timedelta(hours=3)
    made = [
        await harness.make_invoice(customer=customer, total=usd(100), at=(at + timedelta(seconds=n)).isoformat())
        for n in range(6)
    ]
    words = "SELECT id FROM transaction WHERE foreignamountunpaid > 0 ORDER BY lastmodifieddate, id"
    words = words.replace("foreignamountunpaid > 0", "CAST(foreignamountunpaid AS REAL) > 0")
    seen = {each["id"] for each in await harness.queried(words, limit=3)}
    ours = await harness.erp.invoices_since("", limit=3)
    await harness.pay_by_hand(invoice=made[0], amount=usd(100))
    seen |= {each["id"] for each in await harness.queried(words, limit=3, offset=3)}
    assert set(made) - seen == {made[3]}
    rest, _ = await harness.changed(ours.cursor, limit=3)
    assert {each.erp_id for each in (*ours.rows, *rest)} == set(made)
    assert {each.erp_id: each.settled for each in (*ours.rows, *rest)}[made[0]] == usd(100)


@trap(Trap.WRONG_OUTSTANDING, Trap.PAID_WORD)
async def test_what_is_written_as_open_is_not_believed_against_its_documents(harness: NetSuiteHarness) -> None:
    _, invoice = await owing(harness)
    await harness.pay_by_hand(invoice=invoice, amount=usd(10_000))
    await harness.turn(late_open={invoice: "100.00"})
    query = f"SELECT foreignamountunpaid FROM transaction WHERE id = {invoice} ORDER BY id"
    assert (await harness.queried(query))[0]["foreignamountunpaid"] == "100.00", "who believes it has it paid again"
    found = await harness.read(invoice)
    assert (found.settled, found.status) == (usd(10_000), ErpInvoiceStatus.PAID)

    _, other = await owing(harness)
    await harness.told(f"do/void/{other}")
    query = query.replace(invoice, other)
    assert (await harness.queried(query))[0]["foreignamountunpaid"] == "0", "it sounds like paid"
    assert (await harness.read(other)).status is ErpInvoiceStatus.VOID


async def test_a_credit_memo_goes_on_an_invoice_and_off_again_once_whatever_is_lost(harness: NetSuiteHarness) -> None:
    customer, first = await owing(harness)
    second = await harness.make_invoice(customer=customer, total=usd(10_000))
    (memo,) = await harness.make("creditMemo", customer, usd(5_000), memo="Goods came back")

    def document(lines: dict[str, int]) -> CreditApplicationDocument:
        return CreditApplicationDocument(
            reference=fresh_reference(),
            credit_erp_id=f"memo-{memo}",
            customer_erp_id=customer,
            lines=tuple(PaymentLine(invoice_erp_id=each, amount=usd(minor)) for each, minor in lines.items()),
            on=ON,
            memo="Applied on request",
        )

    for lines, expected in (
        ({first: 3_000}, (3_000, 0)),
        ({first: -1_000, second: 1_000}, (2_000, 1_000)),
        ({first: -2_000, second: -1_000}, (0, 0)),
    ):
        application = document(lines)
        await harness.lose_next_answer()
        await raised(OutcomeUnknown, harness.erp.post_credit_application(application))
        await harness.erp.post_credit_application(application)
        posted = await harness.erp.post_credit_application(application)
        assert ((await harness.read(first)).settled.minor, (await harness.read(second)).settled.minor) == expected
        (found,) = await harness.erp.find_document(application.reference)
        assert (found.amount, found.stands, found.is_finished) == (posted.amount, True, True)
        (credit,) = await harness.erp.credits_by_id([f"memo-{memo}"])
        assert (credit.used.minor, credit.origin) == (sum(expected), "Goods came back")
    await raised(Rejected, harness.erp.post_credit_application(document({first: 5_001})))
    await raised(Rejected, harness.erp.post_credit_application(document({first: -1})))


async def test_a_child_s_invoice_is_paid_by_its_parent_and_the_ledger_agrees(harness: NetSuiteHarness) -> None:
    parent = await harness.make_customer(currency="USD")
    child = await harness.make_customer(currency="USD", parent=parent)
    invoice = await harness.make_invoice(customer=child, total=usd(1_000))
    payment = payment_of(parent, {invoice: usd(1_000)})
    await harness.erp.post_payment(payment)
    assert (await harness.read(invoice)).status is ErpInvoiceStatus.PAID
    page = await harness.erp.customers_since("", limit=10)
    assert {each.erp_id: each.parent_erp_id for each in page.rows} == {parent: None, child: parent}
    own, _ = await paid(harness)
    await harness.erp.post_refund(refund_of(own, {own.lines[0].invoice_erp_id: usd(1_000)}))
    assert await harness.asked("owed", customer=own.customer_erp_id) == "80.00"


async def test_a_token_that_ends_early_is_replaced_and_a_wrong_key_wakes_a_person(harness: NetSuiteHarness) -> None:
    await harness.erp.ping()
    await harness.turn(expire=True)
    await harness.erp.ping()
    await raised(Misconfigured, _build(harness, "no key at all"))


async def _build(harness: NetSuiteHarness, key: str) -> None:
    harness.connected(private_key=key)
