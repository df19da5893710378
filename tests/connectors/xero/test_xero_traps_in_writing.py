"""Traps of writing into Xero: first the naive way, and the harm counted there; then the connector's."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from connectors.conformance.erp_harness import ON, application_of, payment_of, raised, refund_of, reversal_of
from connectors.erp.ports import CreditApplicationDocument, PaymentLine
from connectors.erp.xero.limits import Limiter
from connectors.errors import OutcomeUnknown, Rejected, Throttled, Unavailable
from domain.money import Money
from tests.connectors.traps import Trap, trap
from tests.connectors.xero.harness import XeroHarness


async def naive(
    harness: XeroHarness, method: str, path: str, body: object = None, *, key: str = ""
) -> httpx.Response | None:
    """One call as anybody would make it; None for no answer."""
    assert harness.config.tokens is not None
    headers = {
        "Authorization": f"Bearer {(await harness.config.tokens.current()).access}",
        "xero-tenant-id": harness.tenant,
        **({"Idempotency-Key": key} if key else {}),
    }
    try:
        return await harness.browser.request(method, f"{harness.url}/api.xro/2.0{path}", json=body, headers=headers)
    except httpx.TransportError:
        return None


def transaction(customer: str, amount: str, reference: str) -> dict[str, Any]:
    """Money that comes in, as Xero takes it."""
    line = {"Description": "Paid", "Quantity": 1, "UnitAmount": float(amount), "AccountCode": "610"}
    row = {
        "Type": "RECEIVE-OVERPAYMENT",
        "Contact": {"ContactID": customer},
        "BankAccount": {"Code": "090"},
        "Date": ON.isoformat(),
        "Reference": reference,
        "CurrencyCode": "EUR",
        "LineItems": [line],
    }
    return {"BankTransactions": [row]}


async def ground(harness: XeroHarness, total: int = 1_000) -> tuple[str, str]:
    """A customer with an invoice."""
    customer = await harness.make_customer(currency="EUR")
    return customer, await harness.make_invoice(customer=customer, total=Money.of(total, "EUR"))


@trap(Trap.LOST_ANSWER)
async def test_an_answer_that_is_lost_makes_no_second_payment(harness: XeroHarness) -> None:
    customer, invoice = await ground(harness)
    await harness.lose_next_answer()
    body = transaction(customer, "10.00", "by-hand")
    assert await naive(harness, "PUT", "/BankTransactions", body, key="1") is None
    await naive(harness, "PUT", "/BankTransactions", body, key="2")
    assert await harness.count_documents(reference="by-hand") == 2
    before = await harness.owed(customer)
    payment = payment_of(customer, {invoice: Money.of(1_000, "EUR")})
    await harness.lose_next_answer()
    await raised(OutcomeUnknown, harness.erp.post_payment(payment))
    assert (await harness.erp.post_payment(payment)).is_finished
    assert await harness.count_documents(reference=payment.reference) == 1
    assert (before, await harness.owed(customer)) == ("-10.00", "-20.00")


@trap(Trap.LATE_EFFECT)
async def test_a_request_that_takes_effect_late_is_adopted_and_not_sent_again(harness: XeroHarness) -> None:
    customer, invoice = await ground(harness)
    await harness.faults(held=1)
    body = transaction(customer, "10.00", "by-hand")
    assert await naive(harness, "PUT", "/BankTransactions", body, key="1") is None
    assert await harness.count_documents(reference="by-hand") == 0
    await naive(harness, "PUT", "/BankTransactions", body, key="2")
    await harness.do("release")
    assert await harness.count_documents(reference="by-hand") == 2
    payment = payment_of(customer, {invoice: Money.of(1_000, "EUR")})
    await harness.faults(held=1)
    await raised(OutcomeUnknown, harness.erp.post_payment(payment))
    assert harness.erp.request_life_seconds >= 5 * 60, "who asks waits for so long before anything is sent again"
    await harness.do("release")
    assert (await harness.erp.post_payment(payment)).is_finished
    assert await harness.count_documents(reference=payment.reference) == 1


@trap(Trap.SEARCH_LAG)
async def test_a_document_that_is_not_found_yet_is_unknown_and_never_written_off(harness: XeroHarness) -> None:
    customer, invoice = await ground(harness)
    payment = payment_of(customer, {invoice: Money.of(1_000, "EUR")})
    await harness.faults(blind=True)
    naively_found = await naive(harness, "GET", f'/Overpayments?where=Reference=="{payment.reference}"')
    assert naively_found is not None
    assert naively_found.json()["Overpayments"] == []
    await raised(OutcomeUnknown, harness.erp.post_payment(payment))
    await harness.come_back()
    assert (await harness.erp.post_payment(payment)).is_finished
    assert await harness.count_documents(reference=payment.reference) == 1


@trap(Trap.REPLAYED_KEY)
async def test_a_key_that_answers_what_once_was_is_not_believed(harness: XeroHarness) -> None:
    customer, invoice = await ground(harness)
    body = transaction(customer, "10.00", "by-hand")
    await naive(harness, "PUT", "/BankTransactions", body, key="one")
    await harness.do("remove_payment", reference="by-hand")
    replayed = await naive(harness, "PUT", "/BankTransactions", body, key="one")
    assert replayed is not None
    assert replayed.json()["BankTransactions"][0]["Status"] == "AUTHORISED"
    assert await harness.owed(customer) == "10.00", "it says that it is written, and nothing is"
    payment = payment_of(customer, {invoice: Money.of(1_000, "EUR")})
    await harness.erp.post_payment(payment)
    await harness.delete_payment(reference=payment.reference)
    assert not (await harness.erp.post_payment(payment)).stands
    # Moved on, off, and on again: three documents, and what stands there is what the last one says.
    other = payment_of(customer, {}, unapplied=Money.of(1_000, "EUR"))
    await harness.erp.post_payment(other)
    for minor in (600, -600, 600):
        await harness.erp.post_application(application_of(other, {invoice: Money.of(minor, "EUR")}))
    assert (await harness.read(invoice)).settled == Money.of(600, "EUR")


@trap(Trap.UPSERT_OVERWRITES)
async def test_nothing_of_a_persons_is_written_over(harness: XeroHarness) -> None:
    customer, invoice = await ground(harness)
    note = await harness.do("make_source", room="CreditNotes", contact=customer, currency="EUR", total="5.00", on=str(ON))
    (theirs,) = await harness.erp.credits_by_id([f"CreditNote-{note}"])
    overwriting = {
        "Type": "ACCRECCREDIT",
        "CreditNoteNumber": theirs.number,
        "Reference": "ours",
        "LineItems": [{"Description": "x"}],
    }
    await naive(harness, "POST", "/CreditNotes", {"CreditNotes": [overwriting]}, key="1")
    (harmed,) = await harness.erp.credits_by_id([theirs.erp_id])
    assert (theirs.origin, harmed.origin) == ("By hand", "ours")
    payment = payment_of(customer, {invoice: Money.of(700, "EUR")}, unapplied=Money.of(300, "EUR"))
    await harness.erp.post_payment(payment)
    await harness.erp.post_refund(refund_of(payment, {invoice: Money.of(100, "EUR")}))
    sent = [each for each in await harness.requests() if each["key"] != "1" and each["method"] == "POST"]
    assert all(each["body"]["CreditNotes"][0]["Status"] == "DELETED" for each in sent), (
        "only our own drafts, once they are done"
    )
    assert (await harness.erp.credits_by_id([theirs.erp_id]))[0] == harmed


@trap(Trap.REPEATED_ALLOCATIONS)
async def test_allocations_are_sent_once_though_the_answer_was_lost(harness: XeroHarness) -> None:
    customer, invoice = await ground(harness, total=2_000)
    source = await harness.do(
        "make_source", room="Overpayments", contact=customer, currency="EUR", total="20.00", on=str(ON)
    )
    rows = {"Allocations": [{"Invoice": {"InvoiceID": invoice}, "Amount": 10, "Date": ON.isoformat()}]}
    for key in ("1", "2"):
        await naive(harness, "PUT", f"/Overpayments/{source}/Allocations", rows, key=key)
    assert (await harness.read(invoice)).settled == Money.of(2_000, "EUR"), "put there twice"
    other = await harness.make_invoice(customer=customer, total=Money.of(2_000, "EUR"))
    payment = payment_of(customer, {other: Money.of(1_000, "EUR")}, unapplied=Money.of(1_000, "EUR"))
    await harness.faults(spare=1, lose_answers=1)
    await raised(OutcomeUnknown, harness.erp.post_payment(payment))
    assert (await harness.erp.post_payment(payment)).is_finished
    assert (await harness.read(other)).settled == Money.of(1_000, "EUR")


@trap(Trap.LEFT_DRAFT)
@pytest.mark.parametrize(
    ("fault", "spares"),
    [
        ("lose_answers", (0, 4)),
        *(pytest.param(each, range(6), marks=pytest.mark.long) for each in ("lose_answers", "lost_requests", "fail_after")),
    ],
)
async def test_whichever_write_is_lost_the_document_is_there_once_and_whole(
    harness: XeroHarness, fault: str, spares: Sequence[int]
) -> None:
    customer, first = await ground(harness)
    second = await harness.make_invoice(customer=customer, total=Money.of(500, "EUR"))
    draft = {
        "Type": "ACCRECCREDIT",
        "Contact": {"ContactID": customer},
        "Date": str(ON),
        "Status": "DRAFT",
        "Reference": "by-hand",
    }
    for key in ("1", "2"):  # begun, and begun anew after a crash
        note = {"CreditNotes": [{**draft, "LineItems": [{"Description": "x"}]}]}
        await naive(harness, "PUT", "/CreditNotes", note, key=f"{fault}{key}")
    assert (await harness.do("count", reference="by-hand"))["drafts"] == 2
    for spared in spares:
        payment = payment_of(customer, {first: Money.of(1_000, "EUR"), second: Money.of(500, "EUR")})
        await harness.erp.post_payment(payment)
        refund = replace(refund_of(payment, {first: Money.of(400, "EUR"), second: Money.of(500, "EUR")}))
        await harness.faults(spare=spared, **{fault: 1})
        with pytest.raises(OutcomeUnknown):
            await harness.erp.post_refund(refund)
        await harness.come_back()
        await harness.do("forget_keys")
        found = await harness.erp.find_document(refund.reference)
        assert len(found) <= 1
        assert (await harness.erp.post_refund(refund)).is_finished
        assert await harness.do("count", reference=refund.reference) == {"documents": 1, "out": 1, "drafts": 0}
        assert [(await harness.read(each)).settled.minor for each in (first, second)] == [600, 0]
        await harness.erp.post_reversal(
            replace(
                reversal_of(payment),
                amount=Money.of(600, "EUR"),
                lines=(PaymentLine(invoice_erp_id=first, amount=Money.of(600, "EUR")),),
            )
        )
    assert await harness.owed(customer) == "15.00"


@trap(Trap.CLOSED_PERIOD)
async def test_a_closed_period_is_told_as_such_and_leaves_nothing_half(harness: XeroHarness) -> None:
    customer, invoice = await ground(harness)
    payment = payment_of(customer, {invoice: Money.of(600, "EUR")}, unapplied=Money.of(400, "EUR"))
    await harness.erp.post_payment(payment)
    await harness.do("settle", lock_date=ON.isoformat())
    for key in ("1", "2", "3"):
        refused = await naive(harness, "PUT", "/BankTransactions", transaction(customer, "1.00", "again"), key=key)
        assert refused is not None
        assert refused.status_code == 400, "sent again, it is refused again"
    late = payment_of(customer, {invoice: Money.of(100, "EUR")})
    for document in (harness.erp.post_payment(late), harness.erp.post_reversal(reversal_of(payment))):
        assert (await raised(Rejected, document)).code == "CLOSED_PERIOD"
    assert (await harness.read(invoice)).settled == Money.of(600, "EUR")
    assert await harness.count_documents(reference=late.reference) == 0
    # The day after is open: what comes off is of a closed day, and is put back where it lay.
    await harness.do("settle", lock_date=None)
    await harness.erp.post_application(application_of(payment, {invoice: Money.of(400, "EUR")}))
    assert (await harness.read(invoice)).settled == Money.of(1_000, "EUR")


async def test_what_is_refused_in_the_middle_is_put_back_where_it_lay_and_counts_as_nothing(harness: XeroHarness) -> None:
    customer, invoice = await ground(harness)
    other = await harness.make_invoice(customer=customer, total=Money.of(1_000, "EUR"))
    payment = payment_of(customer, {invoice: Money.of(600, "EUR")})
    await harness.erp.post_payment(payment)
    meanwhile = {"path": "/Invoices", "deed": "pay", "given": {"invoice": other, "amount": "9.00", "on": str(ON)}}
    move = application_of(payment, {invoice: Money.of(-600, "EUR"), other: Money.of(600, "EUR")})
    await harness.faults(after_read=meanwhile)
    await raised(Rejected, harness.erp.post_application(move))
    assert [(await harness.read(each)).settled.minor for each in (invoice, other)] == [600, 900]
    assert list(await harness.erp.find_document(move.reference)) == []
    smaller = replace(
        move,
        lines=(
            PaymentLine(invoice_erp_id=invoice, amount=Money.of(-100, "EUR")),
            PaymentLine(invoice_erp_id=other, amount=Money.of(100, "EUR")),
        ),
    )
    assert (await harness.erp.post_application(smaller)).is_finished
    assert [(await harness.read(each)).settled.minor for each in (invoice, other)] == [500, 1_000]


@pytest.mark.parametrize("is_resumed", [False, True])
async def test_money_that_no_invoice_takes_any_more_is_taken_out_again(harness: XeroHarness, is_resumed: bool) -> None:
    customer, invoice = await ground(harness)
    payment = payment_of(customer, {invoice: Money.of(1_000, "EUR")})
    given = {"invoice": invoice, "amount": "9.00", "on": str(ON)}
    if is_resumed:
        await harness.lose_next_answer()
        await raised(OutcomeUnknown, harness.erp.post_payment(payment))
        await harness.do("pay", **given)
    else:
        await harness.faults(after_read={"path": "/Invoices", "deed": "pay", "given": given})
    await raised(Rejected, harness.erp.post_payment(payment))
    assert await harness.count_documents(reference=payment.reference) == 0
    assert await harness.owed(customer) == "1.00"


@trap(Trap.CANNOT_UNDO)
async def test_what_the_bank_reconciled_can_still_be_given_back(harness: XeroHarness) -> None:
    customer, invoice = await ground(harness)
    by_hand = await harness.do("pay", invoice=invoice, amount="1.00", on=str(ON))
    payment = payment_of(customer, {invoice: Money.of(900, "EUR")})
    await harness.erp.post_payment(payment)
    await harness.do("reconcile")
    refused = await naive(harness, "POST", f"/Payments/{by_hand}", {"Status": "DELETED"}, key="1")
    assert refused is not None
    assert "reconciled" in refused.text
    await harness.erp.post_refund(refund_of(payment, {invoice: Money.of(300, "EUR")}))
    await harness.erp.post_reversal(
        replace(
            reversal_of(payment),
            amount=Money.of(600, "EUR"),
            lines=(PaymentLine(invoice_erp_id=invoice, amount=Money.of(600, "EUR")),),
        )
    )
    assert (await harness.read(invoice)).settled == Money.of(100, "EUR")
    assert await harness.owed(customer) == "9.00"


@trap(Trap.LIMITED_RATE)
async def test_too_many_calls_are_refused_before_anything_happens_and_none_is_sent_meanwhile(harness: XeroHarness) -> None:
    customer, invoice = await ground(harness)
    payment = payment_of(customer, {invoice: Money.of(900, "EUR")})
    await harness.faults(throttled=1)
    answer = await naive(harness, "PUT", "/BankTransactions", transaction(customer, "1.00", "x"), key="1")
    assert answer is not None
    assert answer.status_code == 429
    await harness.faults(throttled=1)
    told = await raised(Throttled, harness.erp.post_payment(payment))
    assert told.retry_after_seconds == 7
    asked = len(await harness.requests())
    assert (await raised(Throttled, harness.erp.post_payment(payment))).retry_after_seconds <= 8
    assert len(await harness.requests()) == asked, "it waits by itself"
    mute = harness.another()
    await harness.faults(throttled=1, mute=True)
    assert (await raised(Throttled, mute.ping())).retry_after_seconds == 60
    assert await harness.count_documents(reference=payment.reference) == 0


async def test_so_many_calls_a_minute_and_a_day_are_made_and_no_more() -> None:
    now = [0.0]
    limiter = Limiter(at_once=5, per_minute=3, per_day=5, now_seconds=lambda: now[0])

    async def calls(count: int) -> int:
        made = 0
        for _ in range(count):
            try:
                async with limiter.turn():
                    made += 1
            except Throttled:
                break
        return made

    assert await calls(4) == 3
    now[0] = 61.0
    assert await calls(4) == 2
    now[0] = 86_401.0
    assert await calls(1) == 1


@trap(Trap.HTML_ANSWER)
async def test_a_page_of_html_says_nothing_about_a_write(harness: XeroHarness) -> None:
    customer, invoice = await ground(harness)
    payment = payment_of(customer, {invoice: Money.of(900, "EUR")})
    await harness.faults(html_after=1)
    answer = await naive(harness, "PUT", "/BankTransactions", transaction(customer, "1.00", "x"), key="1")
    assert answer is not None
    assert answer.is_success
    with pytest.raises(json.JSONDecodeError):
        answer.json()
    assert await harness.count_documents(reference="x") == 1
    for fault in ("html_after", "html_writes"):
        await harness.faults(**{fault: 1})
        await raised(OutcomeUnknown, harness.erp.post_payment(payment))
    await harness.faults(html_reads=1)
    await raised(Unavailable, harness.erp.find_document(payment.reference))
    assert (await harness.erp.post_payment(payment)).is_finished
    assert await harness.count_documents(reference=payment.reference) == 1


@pytest.mark.long
async def test_a_credit_of_a_persons_goes_on_an_invoice_and_off_again(harness: XeroHarness) -> None:
    customer, invoice = await ground(harness)
    for room, kind in (("CreditNotes", "CreditNote"), ("Overpayments", "Overpayment"), ("Prepayments", "Prepayment")):
        made = await harness.do("make_source", room=room, contact=customer, currency="EUR", total="5.00", on=str(ON))
        payment = payment_of(customer, {invoice: Money.of(1, "EUR")})
        document = CreditApplicationDocument(
            reference=payment.reference,
            credit_erp_id=f"{kind}-{made}",
            customer_erp_id=customer,
            lines=(PaymentLine(invoice_erp_id=invoice, amount=Money.of(300, "EUR")),),
            on=ON + timedelta(days=1),
            memo="By request",
        )
        assert (await harness.erp.post_credit_application(document)).amount == Money.of(300, "EUR")
        (credit,) = await harness.erp.credits_by_id([document.credit_erp_id])
        assert (credit.used, credit.applications[0].amount) == (Money.of(300, "EUR"), Money.of(300, "EUR"))
        off = replace(
            document,
            reference=reversal_of(payment).reference,
            lines=(PaymentLine(invoice_erp_id=invoice, amount=Money.of(-300, "EUR")),),
        )
        await harness.erp.post_credit_application(off)
        assert (await harness.read(invoice)).settled == Money.zero("EUR")
        too_much = replace(
            document,
            reference=reversal_of(payment).reference,
            lines=(PaymentLine(invoice_erp_id=invoice, amount=Money.of(501, "EUR")),),
        )
        await raised(Rejected, harness.erp.post_credit_application(too_much))
    assert await harness.owed(customer) == "-5.00"
