"""Traps of writing to ERPNext: the naive way first, with its harm counted in the site's ledger, then the connector."""

import json
from typing import Any, Final

import httpx
import pytest

from connectors.conformance.erp_harness import ON, application_of, fresh_reference, payment_of, raised, reversal_of
from connectors.erp.erpnext.client import CLOSED_PERIOD
from connectors.errors import OutcomeUnknown, Rejected, Throttled
from domain.money import Money
from tests.connectors.erpnext import naive
from tests.connectors.erpnext.harness import COMPANY, ErpNextHarness
from tests.connectors.traps import Trap, trap

TEN: Final = Money.of(1_000, "EUR")
SITE_REQUEST_SECONDS_MAX: Final = 120  # of gunicorn and nginx, as `bench` sets them up


async def _owing(erpnext: ErpNextHarness, total: Money = TEN) -> tuple[str, str]:
    customer = await erpnext.make_customer(currency="EUR")
    return customer, await erpnext.make_invoice(customer=customer, total=total)


@trap(Trap.LOST_ANSWER, Trap.LEFT_DRAFT, Trap.NOT_BOOKED)
@pytest.mark.parametrize("step", [1, 2], ids=["made", "submitted"])
async def test_whichever_answer_is_lost_the_payment_is_booked_once(erpnext: ErpNextHarness, step: int) -> None:
    customer, invoice = await _owing(erpnext)
    naively = fresh_reference()
    await erpnext.act("turn", lose_after=step)
    await naive.pay(erpnext, naive.entry(customer, naively, 4, (invoice, 4)))
    assert await erpnext.count_documents(reference=naively) == 2
    left = -400 if step == 1 else -800  # of the first the draft is there and books nothing; the second was paid twice
    assert await erpnext.owed_minor(customer) == 1_000 + left

    customer, invoice = await _owing(erpnext)
    payment = payment_of(customer, {invoice: TEN})
    await erpnext.act("turn", lose_after=step)
    await raised(OutcomeUnknown, erpnext.erp.post_payment(payment))
    (found,) = await erpnext.erp.find_document(payment.reference)
    assert found.is_finished is (step == 2)
    assert await erpnext.open_minor(invoice) == (1_000 if step == 1 else 0)
    await erpnext.erp.post_payment(payment)
    assert await erpnext.count_documents(reference=payment.reference) == 1
    assert (await erpnext.open_minor(invoice), await erpnext.owed_minor(customer)) == (0, 0)


@trap(Trap.LATE_EFFECT)
async def test_what_takes_effect_late_is_waited_for_and_not_sent_again(erpnext: ErpNextHarness) -> None:
    customer, invoice = await _owing(erpnext)
    naively = fresh_reference()
    await erpnext.act("turn", late=True)
    await naive.pay(erpnext, naive.entry(customer, naively, 4, (invoice, 4)))
    await erpnext.act("release")
    assert await erpnext.count_documents(reference=naively) == 2

    payment = payment_of(customer, {invoice: Money.of(600, "EUR")})
    await erpnext.act("turn", late=True)
    await raised(OutcomeUnknown, erpnext.erp.post_payment(payment))
    assert list(await erpnext.erp.find_document(payment.reference)) == []
    # How long 'none' is no proof, Duly is told: longer than the site itself lets a request live.
    assert erpnext.erp.request_life_seconds > SITE_REQUEST_SECONDS_MAX
    assert await erpnext.act("release") == 1
    await erpnext.erp.post_payment(payment)
    assert await erpnext.count_documents(reference=payment.reference) == 1
    assert await erpnext.open_minor(invoice) == 0


@trap(Trap.STALE_VERSION)
async def test_a_draft_that_a_person_changed_is_not_booked(erpnext: ErpNextHarness) -> None:
    customer, invoice = await _owing(erpnext)
    other = {"reference_doctype": "Sales Invoice", "reference_name": invoice, "allocated_amount": 1}
    edit = {"references": [other], "unallocated_amount": 3}
    await erpnext.act("turn", person_edits=edit)
    await naive.pay(erpnext, naive.entry(customer, fresh_reference(), 4, (invoice, 4)))
    assert await erpnext.open_minor(invoice) == 900, "what was booked is not what was meant"

    payment = payment_of(customer, {invoice: Money.of(400, "EUR")})
    await erpnext.act("turn", person_edits=edit)
    await raised(OutcomeUnknown, erpnext.erp.post_payment(payment))
    assert await erpnext.open_minor(invoice) == 900
    refused = await raised(Rejected, erpnext.erp.post_payment(payment))
    assert refused.code == "DRAFT_CHANGED"
    assert await erpnext.open_minor(invoice) == 900


@pytest.mark.long
@trap(Trap.REPEATED_ALLOCATIONS)
async def test_an_application_sent_again_and_an_invoice_named_twice_count_once(erpnext: ErpNextHarness) -> None:
    customer, invoice = await _owing(erpnext)
    twice = naive.entry(customer, fresh_reference(), 4, (invoice, 2), (invoice, 2))
    assert not await naive.pay(erpnext, twice), "refused, and the customer's money is nowhere"
    name = await erpnext.receive(customer=customer, amount=TEN)
    await erpnext.act("turn", lose_after=1)
    for _ in (1, 2):
        try:
            await _reconcile_naively(erpnext, customer, name, invoice, 3)
        except httpx.TransportError:
            continue
    assert await erpnext.open_minor(invoice) == 400, "3.00 were put there twice"

    customer, invoice = await _owing(erpnext)
    payment = payment_of(customer, {}, unapplied=TEN)
    await erpnext.erp.post_payment(payment)
    for step in (1, 2, 3):
        applied = application_of(payment, {invoice: Money.of(300, "EUR")})
        halves = (*application_of(payment, {invoice: Money.of(150, "EUR")}).lines,) * 2
        applied = type(applied)(**{name: getattr(applied, name) for name in applied.__slots__} | {"lines": halves})
        await erpnext.act("turn", lose_after=step)
        await raised(OutcomeUnknown, erpnext.erp.post_application(applied))
        posted = await erpnext.erp.post_application(applied)
        assert (posted.is_finished, posted.amount) == (True, Money.of(300, "EUR"))
        assert await erpnext.count_documents(reference=applied.reference) == 1
        assert await erpnext.open_minor(invoice) == 1_000 - 300 * step


async def _reconcile_naively(erpnext: ErpNextHarness, customer: str, payment: str, invoice: str, amount: int) -> None:
    """Reads what is on account, and puts some of it on an invoice."""
    (row,) = await naive.listed(
        erpnext, "Payment Entry", filters=json.dumps([["name", "=", payment]]), fields='["unallocated_amount"]'
    )
    left: Any = row["unallocated_amount"]
    party = {"party_type": "Customer", "party": customer, "receivable_payable_account": "Debtors EUR - NW"}
    of = {"reference_type": "Payment Entry", "reference_name": payment, "amount": left}
    on = {"invoice_type": "Sales Invoice", "invoice_number": invoice}
    tool = {
        "doctype": "Payment Reconciliation",
        "company": COMPANY,
        **party,
        "payments": [of],
        "invoices": [{**on, "outstanding_amount": 10}],
        "allocation": [{**of, **on, "allocated_amount": amount, "unreconciled_amount": left}],
    }
    await erpnext.raw("POST", "/api/method/run_doc_method", {"method": "reconcile", "docs": json.dumps(tool)})


@trap(Trap.CLOSED_PERIOD)
async def test_a_closed_period_is_said_as_such_and_leaves_no_drafts(erpnext: ErpNextHarness) -> None:
    customer, invoice = await _owing(erpnext)
    await erpnext.act("turn", closed_until=ON.isoformat())
    naively = fresh_reference()
    await naive.pay(erpnext, naive.entry(customer, naively, 10, (invoice, 10)), tries=3)
    assert await erpnext.count_documents(reference=naively) == 3, "each try left a draft"

    payment = payment_of(customer, {invoice: TEN})
    refused = await raised(Rejected, erpnext.erp.post_payment(payment))
    assert refused.code == CLOSED_PERIOD
    assert "closed Accounting Period" in refused.sentence
    assert await erpnext.count_documents(reference=payment.reference) == 0
    assert await erpnext.open_minor(invoice) == 1_000


@trap(Trap.CANNOT_UNDO)
async def test_what_the_bank_reconciled_is_taken_back_by_a_document_of_its_own(erpnext: ErpNextHarness) -> None:
    customer, invoice = await _owing(erpnext)
    payment = payment_of(customer, {invoice: TEN})
    posted = await erpnext.erp.post_payment(payment)
    values = {"bank_transaction": "ACC-BTN-2026-00001"}
    await erpnext.act("change", doctype="Payment Entry", name=posted.number, values=values)
    answer = await erpnext.raw("PUT", f"/api/resource/Payment Entry/{posted.number}", {"docstatus": 2})
    assert answer.status_code == 417
    assert await erpnext.open_minor(invoice) == 0, "the money is gone, and the invoice still counts as paid"

    await erpnext.act("turn", closed_until=None)
    await erpnext.erp.post_reversal(reversal_of(payment))
    assert (await erpnext.open_minor(invoice), await erpnext.owed_minor(customer)) == (1_000, 1_000)


@trap(Trap.LIMITED_RATE)
@pytest.mark.parametrize(("told", "waits"), [(7, 7), (0, 5)], ids=["with a time", "without"])
async def test_a_refusal_for_too_many_calls_is_no_unknown(erpnext: ErpNextHarness, told: int, waits: int) -> None:
    customer, invoice = await _owing(erpnext)
    naively = fresh_reference()
    await erpnext.act("turn", throttle=told)
    assert not await naive.pay(erpnext, naive.entry(customer, naively, 10, (invoice, 10)), tries=1)
    assert await erpnext.count_documents(reference=naively) == 0, "held as unknown, and nothing was ever there"

    payment = payment_of(customer, {invoice: TEN})
    await erpnext.act("turn", throttle=told)
    throttled = await raised(Throttled, erpnext.erp.post_payment(payment))
    assert throttled.retry_after_seconds == waits
    await erpnext.erp.post_payment(payment)
    assert await erpnext.count_documents(reference=payment.reference) == 1


@trap(Trap.HTML_ANSWER)
@pytest.mark.parametrize("status", [200, 502])
async def test_a_page_of_html_says_nothing_about_the_write(erpnext: ErpNextHarness, status: int) -> None:
    customer, invoice = await _owing(erpnext)
    await erpnext.act("turn", html_instead=200)
    draft = await erpnext.raw("POST", "/api/resource/Payment Entry", naive.entry(customer, "x", 10, (invoice, 10)))
    assert draft.is_success
    assert await erpnext.open_minor(invoice) == 1_000, "a success, and nothing is there"

    for fault, there in (({"html_instead": status}, 0), ({"fail": status}, 1)):
        payment = payment_of(customer, {invoice: Money.of(500, "EUR")})
        await erpnext.act("turn", **fault)
        await raised(OutcomeUnknown, erpnext.erp.post_payment(payment))
        assert len(await erpnext.erp.find_document(payment.reference)) == there
        await erpnext.erp.post_payment(payment)
        assert await erpnext.count_documents(reference=payment.reference) == 1
    assert await erpnext.open_minor(invoice) == 0
