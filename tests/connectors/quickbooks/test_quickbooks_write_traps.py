"""Writing to QuickBooks: the naive way first, its harm counted at the far side; then ours, without."""

import asyncio
from typing import Any, Final

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
from connectors.declaring import Given
from connectors.erp.ports import CreditApplicationDocument, PaymentDocument, PaymentLine
from connectors.erp.quickbooks import connector
from connectors.erp.quickbooks.client import CLOSED_PERIOD
from connectors.errors import ConsentGone, OutcomeUnknown, Rejected, Throttled, Unavailable
from domain.money import Money
from tests.connectors.quickbooks.harness import CLIENT_ID, CLIENT_SECRET, QuickBooksHarness
from tests.connectors.traps import Trap, trap

RECEIVABLE: Final = "Accounts Receivable - USD"


def usd(minor: int) -> Money:
    return Money.of(minor, "USD")


async def owing(harness: QuickBooksHarness, minor: int = 10_000) -> tuple[str, str]:
    """A customer, and an invoice of it."""
    customer = await harness.make_customer(currency="USD")
    return customer, await harness.make_invoice(customer=customer, total=usd(minor))


def naive_body(customer: str, invoice: str, amount: int, number: str = "N-1") -> dict[str, Any]:
    line = {"Amount": amount, "LinkedTxn": [{"TxnId": invoice, "TxnType": "Invoice"}]}
    return {"CustomerRef": {"value": customer}, "TotalAmt": amount, "PaymentRefNum": number, "Line": [line]}


async def numbered(harness: QuickBooksHarness, number: str = "N-1") -> int:
    return len(await harness.queried(f"select * from Payment where PaymentRefNum = '{number}' maxresults 1000"))


async def paid(harness: QuickBooksHarness, minor: int = 3_000) -> tuple[PaymentDocument, str]:
    """A payment of ours on an invoice of 100.00, and that invoice."""
    customer, invoice = await owing(harness)
    payment = payment_of(customer, {invoice: usd(minor)})
    await harness.erp.post_payment(payment)
    return payment, invoice


@trap(Trap.LOST_ANSWER)
async def test_a_payment_whose_answer_was_lost_is_looked_for_and_not_sent_again(harness: QuickBooksHarness) -> None:
    customer, invoice = await owing(harness)
    for request_id in ("one", "two"):
        await harness.naive("POST", "payment", requestid=request_id, json=naive_body(customer, invoice, 10))
    assert await numbered(harness) == 2

    payment = payment_of(customer, {invoice: usd(3_000)})
    await harness.lose_next_answer()
    await raised(OutcomeUnknown, harness.erp.post_payment(payment))
    await harness.erp.post_payment(payment)
    assert await harness.count_documents(reference=payment.reference) == 1


@trap(Trap.LATE_EFFECT)
async def test_a_request_that_takes_effect_late_and_its_repetition_are_one(harness: QuickBooksHarness) -> None:
    customer, invoice = await owing(harness)
    await harness.turn(late=True)
    with pytest.raises(httpx.TransportError):
        await harness.naive("POST", "payment", requestid="one", json=naive_body(customer, invoice, 10))
    assert await numbered(harness) == 0
    await harness.naive("POST", "payment", requestid="two", json=naive_body(customer, invoice, 10))
    await harness.turn(run_late=True)
    assert await numbered(harness) == 2

    payment = payment_of(customer, {invoice: usd(3_000)})
    await harness.turn(late=True)
    await raised(OutcomeUnknown, harness.erp.post_payment(payment))
    assert list(await harness.erp.find_document(payment.reference)) == []
    assert harness.erp.request_life_seconds >= 300, "who asks again waits that long first"
    await harness.erp.post_payment(payment)
    await harness.turn(run_late=True)
    assert await harness.count_documents(reference=payment.reference) == 1


@trap(Trap.SEARCH_LAG)
async def test_a_payment_that_no_query_shows_yet_is_found_by_its_invoice(harness: QuickBooksHarness) -> None:
    customer, invoice = await owing(harness)
    await harness.turn(search_lags=True, ignore_request_ids=True)
    for _ in range(2):
        assert await numbered(harness) == 0
        await harness.naive("POST", "payment", requestid="one", json=naive_body(customer, invoice, 10))
    await harness.act("show_all")
    assert await numbered(harness) == 2

    payment = payment_of(customer, {invoice: usd(8_000)})
    await harness.lose_next_answer()
    await raised(OutcomeUnknown, harness.erp.post_payment(payment))
    again = await harness.erp.post_payment(payment)
    assert again.amount == payment.amount
    assert await harness.count_documents(reference=payment.reference) == 1


@trap(Trap.REPLAYED_KEY)
async def test_an_answer_that_is_played_back_of_a_deleted_payment_is_not_believed(harness: QuickBooksHarness) -> None:
    customer, invoice = await owing(harness)
    body = naive_body(customer, invoice, 10)
    made = (await harness.naive("POST", "payment", requestid="one", json=body)).json()["Payment"]
    await harness.act("delete", entity="Payment", id=made["Id"])
    again = await harness.naive("POST", "payment", requestid="one", json=body)
    assert (again.status_code, again.json()["Payment"]["Id"]) == (200, made["Id"])
    assert await numbered(harness) == 0
    await harness.turn(ignore_request_ids=True)
    for _ in range(2):
        await harness.naive("POST", "payment", requestid="two", json=body)
    assert await numbered(harness) == 2, "nor is it honoured always"
    await harness.turn(reset=True)

    payment = payment_of(customer, {invoice: usd(3_000)})
    await harness.erp.post_payment(payment)
    await harness.act("delete", reference=payment.reference)
    posted = await harness.erp.post_payment(payment)
    assert await harness.count_documents(reference=payment.reference) == 1
    assert [each.erp_id for each in await harness.erp.find_document(payment.reference)] == [posted.erp_id]


@trap(Trap.STALE_VERSION)
async def test_what_a_person_wrote_meanwhile_stays_and_the_change_is_planned_anew(harness: QuickBooksHarness) -> None:
    payment, invoice = await paid(harness)
    (found,) = await harness.erp.find_document(payment.reference)
    seen = await harness.shown("Payment", found.erp_id.partition("-")[2])
    await harness.act("note", id=seen["Id"], words="Ann has called them.")
    stale = await harness.naive("POST", "payment", requestid="one", json={**seen, "Line": []})
    assert stale.json()["Fault"]["Error"][0]["code"] == "5010"
    fresh = {**seen, "SyncToken": "1", "Line": []}
    assert (await harness.naive("POST", "payment", requestid="two", json=fresh)).is_success
    after = await harness.shown("Payment", seen["Id"])
    assert "Ann has called them." not in after["PrivateNote"]

    payment, invoice = await paid(harness)
    await harness.turn(edited_meanwhile="Ann has called them.")
    await harness.erp.post_application(application_of(payment, {invoice: usd(-1_000)}))
    (found,) = await harness.erp.find_document(payment.reference)
    after = await harness.shown("Payment", found.erp_id.partition("-")[2])
    assert "Ann has called them." in after["PrivateNote"]
    assert (await harness.read(invoice)).settled == usd(2_000)


@trap(Trap.REPEATED_ALLOCATIONS)
async def test_an_application_that_is_sent_again_moves_its_money_once(harness: QuickBooksHarness) -> None:
    customer, invoice = await owing(harness)
    payment = payment_of(customer, {}, unapplied=usd(9_000))
    posted = await harness.erp.post_payment(payment)
    for request_id in ("one", "two"):
        seen = await harness.shown("Payment", posted.erp_id.partition("-")[2])
        lines = [*seen["Line"], {"Amount": 30, "LinkedTxn": [{"TxnId": invoice, "TxnType": "Invoice"}]}]
        assert (await harness.naive("POST", "payment", requestid=request_id, json={**seen, "Line": lines})).is_success
    assert (await harness.read(invoice)).settled == usd(6_000)

    customer, invoice = await owing(harness)
    payment = payment_of(customer, {}, unapplied=usd(9_000))
    await harness.erp.post_payment(payment)
    application = application_of(payment, {invoice: usd(3_000)})
    await harness.lose_next_answer()
    await raised(OutcomeUnknown, harness.erp.post_application(application))
    for _ in range(2):
        await harness.erp.post_application(application)
    assert (await harness.read(invoice)).settled == usd(3_000)
    (found,) = await harness.erp.find_document(application.reference)
    assert (found.amount, found.stands) == (usd(3_000), True)


@trap(Trap.ONE_INVOICE_A_LINE)
async def test_each_invoice_has_a_line_of_its_own(harness: QuickBooksHarness) -> None:
    customer, first = await owing(harness)
    second = await harness.make_invoice(customer=customer, total=usd(10_000))
    body = naive_body(customer, first, 20)
    body["Line"][0]["LinkedTxn"].append({"TxnId": second, "TxnType": "Invoice"})
    assert (await harness.naive("POST", "payment", requestid="one", json=body)).status_code == 400

    await harness.erp.post_payment(payment_of(customer, {first: usd(1_000), second: usd(1_000)}))
    assert [(await harness.read(each)).settled for each in (first, second)] == [usd(1_000), usd(1_000)]


@trap(Trap.LEFT_DRAFT)
async def test_a_return_of_which_only_the_entry_was_written_is_finished_and_not_begun_again(
    harness: QuickBooksHarness,
) -> None:
    customer, _ = await owing(harness)
    rows = await harness.queried("select * from Account")
    receivable, cash = (next(each["Id"] for each in rows if each["Name"] == name) for name in (RECEIVABLE, "Checking"))
    who = {"Type": "Customer", "EntityRef": {"value": customer}}
    details = [
        {"PostingType": "Debit", "AccountRef": {"value": receivable}, "Entity": who},
        {"PostingType": "Credit", "AccountRef": {"value": cash}},
    ]
    lines = [{"DetailType": "JournalEntryLineDetail", "Amount": 30, "JournalEntryLineDetail": each} for each in details]
    for number in ("N-1", "N-2"):
        body = {"DocNumber": number, "Line": lines}
        assert (await harness.naive("POST", "journalentry", requestid=number, json=body)).is_success
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
async def test_a_closed_period_has_the_number_of_a_stale_object_and_is_not_sent_again(harness: QuickBooksHarness) -> None:
    customer, invoice = await owing(harness)
    await harness.turn(closed_through=ON.isoformat())
    body = {**naive_body(customer, invoice, 10), "TxnDate": ON.isoformat()}
    fault = (await harness.naive("POST", "payment", requestid="one", json=body)).json()["Fault"]["Error"][0]
    assert fault["code"] == "5010", "who goes by the number reads it again and sends it for ever"

    payment = payment_of(customer, {invoice: usd(3_000)})
    refused = await raised(Rejected, harness.erp.post_payment(payment))
    assert (refused.code, refused.sentence) == (CLOSED_PERIOD, "The account period has closed. {1}")
    assert sum(each["method"] == "POST" for each in await harness.requests()) == 1


@trap(Trap.CANNOT_UNDO)
async def test_a_payment_that_was_deposited_is_taken_back_without_touching_the_deposit(harness: QuickBooksHarness) -> None:
    payment, invoice = await paid(harness)
    await harness.act("deposit", reference=payment.reference)
    (found,) = await harness.erp.find_document(payment.reference)
    seen = await harness.shown("Payment", found.erp_id.partition("-")[2])
    void = await harness.naive(
        "POST", "payment", requestid="one", params={"operation": "update", "include": "void"}, json=seen
    )
    assert void.status_code == 400
    assert (await harness.read(invoice)).settled == usd(3_000)

    await harness.erp.post_reversal(reversal_of(payment))
    assert (await harness.read(invoice)).settled == usd(0)
    after = await harness.shown("Payment", seen["Id"])
    assert (after["TotalAmt"], after["UnappliedAmt"]) == (30.0, 0.0)


@trap(Trap.LIMITED_RATE)
async def test_too_many_calls_are_a_refusal_that_says_how_long_and_ours_stay_below(harness: QuickBooksHarness) -> None:
    customer, invoice = await owing(harness)
    payment = payment_of(customer, {invoice: usd(3_000)})
    await harness.turn(throttle="")
    assert (await harness.naive("GET", f"invoice/{invoice}")).status_code == 429
    for told, seconds in (("7", 7), ("", 60)):
        await harness.turn(throttle=told)
        patience = await raised(Throttled, harness.erp.post_payment(payment))
        assert patience.retry_after_seconds == seconds
    assert await harness.count_documents(reference=payment.reference) == 0

    careful = harness.connected(calls_per_minute=3)
    await careful.ping()
    await raised(Throttled, careful.find_document(payment.reference))
    await careful.aclose()


@trap(Trap.PARALLEL_RENEWAL)
async def test_of_two_who_need_a_new_token_one_renews(harness: QuickBooksHarness) -> None:
    other = await QuickBooksHarness.opened(str(harness.desk.base_url))
    form = {"grant_type": "refresh_token", "refresh_token": other.tokens.pair.refresh}
    login = ("client-of-the-simulated-one", "secret-of-the-simulated-one")
    for _ in range(2):
        await harness.desk.post("/oauth2/v1/tokens/bearer", data=form, auth=login)
    assert await other.asked("is_revoked")
    await raised(ConsentGone, other.erp.ping())
    await other.aclose()

    second = harness.connected()
    await asyncio.gather(harness.erp.ping(), second.ping())
    await harness.turn(expire_token=True)
    await asyncio.gather(harness.erp.ping(), second.ping())
    await second.aclose()
    assert not await harness.asked("is_revoked")
    assert harness.tokens.pair.refresh.endswith("-1"), "renewed once"


@trap(Trap.HTML_ANSWER)
async def test_a_page_of_html_says_nothing_about_a_write(harness: QuickBooksHarness) -> None:
    for status in (200, 502):
        customer, invoice = await owing(harness)
        await harness.turn(html_after=status)
        body = naive_body(customer, invoice, 10, f"N-{status}")
        told = await harness.naive("POST", "payment", requestid=f"N-{status}", json=body)
        assert (told.status_code, await numbered(harness, f"N-{status}")) == (status, 1)
        payment = payment_of(customer, {invoice: usd(3_000)})
        await harness.turn(html_after=status)
        await raised(OutcomeUnknown, harness.erp.post_payment(payment))
        await harness.erp.post_payment(payment)
        assert await harness.count_documents(reference=payment.reference) == 1
        await harness.turn(html_read=status)
        await raised(Unavailable, harness.erp.invoices_by_id([invoice]))


async def test_consent_is_asked_for_at_intuit_and_its_code_is_traded_once(harness: QuickBooksHarness) -> None:
    url = str(harness.desk.base_url).rstrip("/")
    values = {"client_id": (CLIENT_ID,), "client_secret": (CLIENT_SECRET,), "realm_id": (harness.realm,)}
    assert connector.consent is not None
    live = connector.consent.address(Given(values=values, is_live=True), "state-1", "https://duly.example/back")
    assert live.startswith("https://appcenter.intuit.com/connect/oauth2?client_id=")
    assert "scope=com.intuit.quickbooks.accounting&redirect_uri=https%3A%2F%2Fduly.example%2Fback&state=state-1" in live
    given = Given(values=values, is_live=False, base_url=url, tokens=harness.tokens)
    consented = await connector.consent.exchange(given, f"code-{harness.realm}-0", "https://duly.example/back")
    harness.tokens.pair = consented.tokens
    built = connector.build(given)
    await built.ping()
    await raised(ConsentGone, connector.consent.exchange(given, f"code-{harness.realm}-0", "https://duly.example/back"))
    await raised(ConsentGone, harness.erp.ping())


async def test_a_credit_memo_goes_on_an_invoice_and_off_again_once_whatever_is_lost(harness: QuickBooksHarness) -> None:
    customer, first = await owing(harness)
    second = await harness.make_invoice(customer=customer, total=usd(10_000))
    memo = await harness.make_memo(customer=customer, total=usd(5_000))

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
        assert credit.used.minor == sum(expected)
    await raised(Rejected, harness.erp.post_credit_application(document({first: 5_001})))
    await raised(Rejected, harness.erp.post_credit_application(document({first: -1})))


async def test_a_payment_of_a_person_s_is_applied_with_a_mark_by_which_it_is_found(harness: QuickBooksHarness) -> None:
    customer, invoice = await owing(harness)
    payment = await harness.act("pay", customer=customer, amount="80.00", on=ON.isoformat())
    application = CreditApplicationDocument(
        reference=fresh_reference(),
        credit_erp_id=f"payment-{payment}",
        customer_erp_id=customer,
        lines=(PaymentLine(invoice_erp_id=invoice, amount=usd(8_000)),),
        on=ON,
        memo="Applied on request",
    )
    for _ in range(2):
        await harness.erp.post_credit_application(application)
    (found,) = await harness.erp.find_document(application.reference)
    assert (found.erp_id, found.amount) == (f"payment-{payment}", usd(8_000))
    assert (await harness.read(invoice)).settled == usd(8_000)
    assert (await harness.shown("Payment", payment))["PrivateNote"].startswith("Bank transfer")


async def test_what_the_ledger_says_is_what_was_paid_returned_and_refunded(harness: QuickBooksHarness) -> None:
    payment, _ = await paid(harness)
    customer = payment.customer_erp_id
    assert await harness.asked("owed", customer=customer) == "70.00"
    await harness.erp.post_refund(refund_of(payment, {payment.lines[0].invoice_erp_id: usd(1_000)}))
    assert await harness.asked("owed", customer=customer) == "80.00"
    assert await harness.erp.receivable_balances() == [
        Money.zero("EUR"),
        Money.zero("GBP"),
        Money.zero("JPY"),
        usd(8_000),
    ]


async def test_a_reference_that_another_document_bears_is_not_taken_for_it(harness: QuickBooksHarness) -> None:
    payment, invoice = await paid(harness)
    other = payment_of(payment.customer_erp_id, {invoice: usd(1)}, reference=payment.reference)
    refused = await raised(Rejected, harness.erp.post_payment(other))
    assert refused.code == "REFERENCE_TAKEN"
    assert await harness.count_documents(reference=payment.reference) == 1
