"""Traps of writing to Business Central: the naive way first, with its harm counted in the ledger, then the connector."""

import asyncio
from dataclasses import replace
from typing import Final

import httpx
import pytest

from connectors.conformance.erp_harness import ON, application_of, fresh_reference, payment_of, raised, reversal_of
from connectors.erp.business_central import build
from connectors.erp.business_central.books import number_of
from connectors.erp.business_central.client import CLOSED_PERIOD
from connectors.erp.business_central.connector import NEEDS_A_PERSON
from connectors.erp.ports import CreditApplicationDocument
from connectors.errors import Misconfigured, OutcomeUnknown, Rejected, Throttled
from domain.money import Money
from tests.connectors.business_central import naive
from tests.connectors.business_central.harness import BusinessCentralHarness
from tests.connectors.traps import Trap, trap

TEN: Final = Money.of(1_000, "EUR")
REQUEST_SECONDS_MAX: Final = 600  # after which a request ends with 504, as Microsoft says


async def _owing(central: BusinessCentralHarness, total: Money = TEN) -> tuple[str, str]:
    customer = await central.make_customer(currency="EUR")
    return customer, await central.make_invoice(customer=customer, total=total)


@trap(Trap.LOST_ANSWER, Trap.LEFT_DRAFT, Trap.NOT_BOOKED)
@pytest.mark.parametrize("step", [1, 2, 3, 4, 5], ids=["journal", "first line", "second line", "posted", "taken away"])
async def test_whichever_answer_is_lost_the_payment_is_booked_once(central: BusinessCentralHarness, step: int) -> None:
    customer, invoice = await _owing(central)
    journal = await naive.journal(central)
    if step in {2, 4}:
        await central.act("turn", lose_after=step // 2)
        await naive.pay(central, journal, naive.line(customer, "P1", -2, invoice))
        # A line that was there already is posted with the one that is written again; what was posted is posted anew.
        assert await central.owed_minor(customer) == 600

    customer, invoice = await _owing(central)
    payment = payment_of(customer, {invoice: Money.of(600, "EUR")}, unapplied=Money.of(100, "EUR"))
    await central.act("turn", lose_after=step)
    await raised(OutcomeUnknown, central.erp.post_payment(payment))
    found = await central.erp.find_document(payment.reference)
    assert [each.is_finished for each in found] == ([] if step == 1 else [step > 3])
    assert await central.owed_minor(customer) == (300 if step > 3 else 1_000)
    posted = await central.erp.post_payment(payment)
    assert (posted.is_finished, posted.amount) == (True, payment.amount)
    assert await central.count_documents(reference=payment.reference) == 1
    assert (await central.left_minor(invoice), await central.owed_minor(customer)) == (400, 300)


@trap(Trap.LATE_EFFECT)
async def test_what_is_posted_late_posts_its_own_document_only(central: BusinessCentralHarness) -> None:
    customer, invoice = await _owing(central)
    journal = await naive.journal(central)
    await central.act("turn", late="Microsoft.NAV.post")
    await naive.pay(central, journal, naive.line(customer, "P1", -4, invoice), tries=1)
    await naive.add(central, journal, naive.line(customer, "P2", -1))
    await central.act("release")
    await naive.add(central, journal, naive.line(customer, "P2", -2))
    await naive.post(central, journal)
    assert await central.owed_minor(customer) == 1_000 - 400 - 300
    assert await naive.listed(central, "generalLedgerEntries", filter="documentNumber eq 'P2'"), (
        "half of it was posted alone"
    )

    customer, invoice = await _owing(central)
    payment, other = (payment_of(customer, {invoice: Money.of(300, "EUR")}) for _ in range(2))
    await central.act("turn", late="Microsoft.NAV.post")
    await raised(OutcomeUnknown, central.erp.post_payment(payment))
    # How long 'not yet' is no proof, Duly is told: longer than a request lives over there.
    assert central.erp.request_life_seconds > REQUEST_SECONDS_MAX
    await central.erp.post_payment(other)
    assert await central.left_minor(invoice) == 700
    await central.act("release")
    await central.erp.post_payment(payment)
    for each in (payment, other):
        assert await central.count_documents(reference=each.reference) == 1
    assert await central.left_minor(invoice) == 400


@trap(Trap.SEARCH_LAG)
async def test_reads_are_of_what_is_written_and_not_of_a_copy_that_is_behind(central: BusinessCentralHarness) -> None:
    customer, invoice = await _owing(central)
    payment = payment_of(customer, {invoice: TEN})
    moment = (await central.act("record", table="salesInvoices", id=invoice))["lastModifiedDateTime"]
    await central.act("turn", behind=moment)
    await central.erp.post_payment(payment)
    wanted = f"documentNumber eq '{number_of(payment.reference)}'"
    assert await naive.listed(central, "generalLedgerEntries", filter=wanted) == [], "it would be written again"
    assert [each.is_finished for each in await central.erp.find_document(payment.reference)] == [True]


@trap(Trap.STALE_VERSION)
async def test_a_line_that_a_person_changed_is_not_posted(central: BusinessCentralHarness) -> None:
    customer, invoice = await _owing(central)
    journal = await naive.journal(central)
    await central.act("turn", person_edits={"amount": -9})
    await naive.pay(central, journal, naive.line(customer, "P1", -4, invoice))
    assert await central.left_minor(invoice) == 100, "what was posted is not what was meant"

    customer, invoice = await _owing(central)
    payment = payment_of(customer, {invoice: Money.of(400, "EUR")})
    await central.act("turn", person_edits={"amount": -9})
    refused = await raised(Rejected, central.erp.post_payment(payment))
    assert refused.code == "LINES_CHANGED"
    assert await central.left_minor(invoice) == 1_000
    assert await central.count_documents(reference=payment.reference) == 0


@trap(Trap.REPEATED_ALLOCATIONS, Trap.ONE_INVOICE_A_LINE)
async def test_each_invoice_has_one_line_however_often_it_is_sent(central: BusinessCentralHarness) -> None:
    customer, invoice = await _owing(central)
    other = await central.make_invoice(customer=customer, total=TEN)
    journal = await naive.journal(central)
    both = [naive.line(customer, "P1", -5, each) for each in (invoice, other)]
    with pytest.raises(httpx.HTTPError):
        await naive.add(central, journal, both)
    for _ in (1, 2):
        await naive.add(central, journal, both[0])
    await naive.post(central, journal)
    assert (await central.left_minor(invoice), await central.left_minor(other)) == (0, 1_000), "one twice, the other never"

    customer, invoice = await _owing(central)
    other = await central.make_invoice(customer=customer, total=TEN)
    payment = payment_of(customer, {invoice: Money.of(500, "EUR"), other: Money.of(500, "EUR")})
    halves = replace(payment, lines=(*payment.lines, *payment.lines), amount=TEN + TEN)
    await central.act("turn", lose_after=3)
    await raised(OutcomeUnknown, central.erp.post_payment(halves))
    await central.erp.post_payment(halves)
    assert (await central.left_minor(invoice), await central.left_minor(other)) == (0, 0)


@trap(Trap.NEGATIVE_AMOUNTS)
async def test_a_payment_makes_the_customer_owe_less(central: BusinessCentralHarness) -> None:
    customer, invoice = await _owing(central)
    journal = await naive.journal(central, "journals", "GENERAL")
    number = (await central.act("record", table="customers", id=customer))["number"]
    values = naive.line(customer, "P1", 4)
    await naive.add(central, journal, {**values, "accountType": "Customer", "accountNumber": number}, "journals")
    await naive.post(central, journal)
    assert await central.owed_minor(customer) == 1_400, "who paid 4.00 owes 4.00 more"

    await central.erp.post_payment(payment_of(customer, {invoice: Money.of(400, "EUR")}))
    assert await central.owed_minor(customer) == 1_000


@trap(Trap.CLOSED_PERIOD)
async def test_a_closed_period_is_said_as_such_and_leaves_no_lines(central: BusinessCentralHarness) -> None:
    customer, invoice = await _owing(central)
    journal = await naive.journal(central)
    await central.act("turn", closed_until=ON.isoformat())
    await naive.pay(central, journal, naive.line(customer, "P1", -2, invoice), tries=3)
    await central.act("turn", closed_until=None)
    await naive.post(central, journal)
    assert await central.left_minor(invoice) == 400, "each try left a line, and all were posted in the end"

    customer, invoice = await _owing(central)
    await central.act("turn", closed_until=ON.isoformat())
    payment = payment_of(customer, {invoice: TEN})
    refused = await raised(Rejected, central.erp.post_payment(payment))
    assert refused.code == CLOSED_PERIOD
    assert refused.sentence.startswith("Posting Date is not within your range")
    assert await central.count_documents(reference=payment.reference) == 0
    assert await central.left_minor(invoice) == 1_000


@trap(Trap.CANNOT_UNDO)
async def test_what_cannot_be_unapplied_is_taken_back_by_the_opposite_line_and_told_to_a_person(
    central: BusinessCentralHarness,
) -> None:
    customer, invoice = await _owing(central)
    journal = await naive.journal(central)
    assert await naive.pay(central, journal, naive.line(customer, "P1", -10, invoice))
    assert not await naive.pay(central, journal, naive.line(customer, "P2", 10, invoice)), "a payment is below zero"
    assert await central.owed_minor(customer) == 0, "the money went back, and nobody owes it"

    customer, invoice = await _owing(central)
    payment = payment_of(customer, {invoice: TEN}, unapplied=Money.of(50, "EUR"))
    await central.erp.post_payment(payment)
    reversal = reversal_of(payment)
    posted = await central.erp.post_reversal(reversal)
    assert (posted.amount, await central.owed_minor(customer)) == (payment.amount, 1_000)
    assert (await central.erp.post_reversal(reversal)).erp_id == posted.erp_id
    refused = await raised(Rejected, central.erp.post_reversal(reversal_of(payment)))
    assert refused.code == "TOO_LARGE"
    assert await central.owed_minor(customer) == 1_000
    application = application_of(payment, {invoice: -TEN})
    credit = CreditApplicationDocument(
        reference=fresh_reference(), credit_erp_id="x", customer_erp_id=customer, lines=application.lines, on=ON, memo=""
    )
    for call in (central.erp.post_application(application), central.erp.post_credit_application(credit)):
        by_hand = await raised(Rejected, call)
        assert by_hand.code == NEEDS_A_PERSON
        assert "Unapply Entries" in by_hand.sentence


@trap(Trap.LIMITED_RATE)
@pytest.mark.parametrize(("told", "waits"), [(7, 7), (0, 60)], ids=["with a time", "without"])
async def test_a_refusal_for_too_many_calls_is_no_unknown(central: BusinessCentralHarness, told: int, waits: int) -> None:
    customer, invoice = await _owing(central)
    journal = await naive.journal(central)
    await central.act("turn", throttle=told)
    assert not await naive.pay(central, journal, naive.line(customer, "P1", -4, invoice), tries=1)
    assert await central.owed_minor(customer) == 1_000, "held as unknown, and nothing was ever there"

    payment = payment_of(customer, {invoice: TEN})
    await central.act("turn", throttle=told)
    throttled = await raised(Throttled, central.erp.post_payment(payment))
    assert throttled.retry_after_seconds == waits
    await central.erp.post_payment(payment)
    assert await central.count_documents(reference=payment.reference) == 1


@trap(Trap.HTML_ANSWER)
@pytest.mark.parametrize("status", [200, 502])
async def test_a_page_of_html_says_nothing_about_the_write(central: BusinessCentralHarness, status: int) -> None:
    customer, invoice = await _owing(central)
    await central.act("turn", html_instead=200)
    journal = await central.raw("POST", naive.JOURNAL, {"code": "CASH", "displayName": "", "balancingAccountId": ""})
    assert journal.is_success
    assert await naive.listed(central, naive.JOURNAL) == [], "a success, and nothing is there"

    for fault in ({"html_instead": status}, {"fail": status}):
        payment = payment_of(customer, {invoice: Money.of(500, "EUR")})
        await central.act("turn", **fault)
        await raised(OutcomeUnknown, central.erp.post_payment(payment))
        await central.erp.post_payment(payment)
        assert await central.count_documents(reference=payment.reference) == 1
    assert await central.left_minor(invoice) == 0


async def test_one_token_serves_all_and_one_that_ended_is_renewed_once(central: BusinessCentralHarness) -> None:
    async def asked() -> int:
        return sum(each["path"] == "token" for each in await central.requests())

    await asyncio.gather(*(central.erp.ping() for _ in range(5)))
    assert await asked() == 1
    await central.act("forget_tokens")
    await asyncio.gather(*(central.erp.ping() for _ in range(5)))
    assert 2 <= await asked() <= 3


async def test_a_request_that_would_be_one_too_many_is_not_sent(central: BusinessCentralHarness) -> None:
    careful = build(replace(central.config, requests_in_five_minutes=3))
    await careful.ping()
    throttled = await raised(Throttled, careful.find_document(fresh_reference()))
    assert 290 <= throttled.retry_after_seconds <= 301
    assert sum(each["path"] != "token" for each in await central.requests()) == 3
    await careful.aclose()


async def test_a_wrong_secret_and_a_missing_account_wake_a_person(central: BusinessCentralHarness) -> None:
    strange = build(replace(central.config, client_secret="wrong"))
    await raised(Misconfigured, strange.ping())
    without = build(replace(central.config, balancing_account="9999"))
    await raised(Misconfigured, without.ping())
    elsewhere = build(replace(central.config, company="Southwind"))
    await raised(Misconfigured, elsewhere.find_document("pay_1"))
    assert "wrong" not in repr(replace(central.config, client_secret="wrong"))
    for each in (strange, without, elsewhere):
        await each.aclose()
