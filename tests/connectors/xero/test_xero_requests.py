"""Everything that the connector can do is sent as Xero's specification has it; a judge that cannot say no is found out."""

import copy
import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import pytest

from connectors.conformance.erp_harness import ON, application_of, fresh_reference, payment_of, refund_of, reversal_of
from connectors.erp.ports import CreditApplicationDocument, PaymentLine, RefundReversalDocument
from connectors.erp.xero import Xero
from domain.money import Money
from tests.connectors.xero import official
from tests.connectors.xero.harness import XeroHarness

pytestmark = pytest.mark.skipif(not official.is_there(), reason="Xero's specification is not here")

SENDS_NOTHING: Final = {"aclose", "has_unique_references", "request_life_seconds"}
ALLOCATIONS: Final = "PUT /Overpayments/{OverpaymentID}/Allocations"
SENT: Final[Mapping[str, set[str]]] = {
    "ping": {"GET /Accounts"},
    "customers_since": {"GET /Contacts", "GET /Organisation"},
    "invoices_since": {"GET /Invoices", "GET /Overpayments", "GET /Prepayments", "GET /CreditNotes"},
    "invoices_by_id": {"GET /Invoices", "GET /Overpayments"},
    "credits_since": {"GET /CreditNotes", "GET /Overpayments", "GET /Prepayments"},
    "credits_by_id": {"GET /CreditNotes"},
    "payments_since": {"GET /Payments", "GET /Overpayments", "GET /Prepayments"},
    "quotes_since": {"GET /Quotes"},
    "recurring_since": {"GET /RepeatingInvoices"},
    "open_totals": {"GET /Invoices"},
    "find_document": {"GET /Overpayments", "GET /CreditNotes"},
    "invoice_pdf": {"GET /Invoices/{InvoiceID}"},
    "credit_note_pdf": {"GET /CreditNotes/{CreditNoteID}"},
    "post_payment": {"PUT /BankTransactions", ALLOCATIONS},
    "post_application": {"PUT /CreditNotes", ALLOCATIONS, "POST /CreditNotes/{CreditNoteID}"},
    "post_refund": {
        *("PUT /CreditNotes", "PUT /Payments", "POST /CreditNotes/{CreditNoteID}", ALLOCATIONS),
        "DELETE /Overpayments/{OverpaymentID}/Allocations/{AllocationID}",
    },
    "post_refund_reversal": {"PUT /BankTransactions", ALLOCATIONS},
    "post_reversal": {"PUT /CreditNotes", "PUT /Payments", "POST /CreditNotes/{CreditNoteID}"},
    "post_credit_application": {"PUT /CreditNotes", "PUT /CreditNotes/{CreditNoteID}/Allocations"},
}


async def test_every_method_sends_what_the_specification_has_and_nothing_else(harness: XeroHarness) -> None:
    erp, seen, done = harness.erp, 0, {}

    async def told(name: str) -> None:
        nonlocal seen
        requests = (await harness.requests())[seen:]
        seen += len(requests)
        assert [wrong for each in requests for wrong in official.violations(each)] == []
        done[name] = {official.operation_of(each) for each in requests}

    customer = await harness.make_customer(currency="EUR")
    invoice = await harness.make_invoice(customer=customer, total=Money.of(1_000, "EUR"))
    note = await harness.do("make_source", room="CreditNotes", contact=customer, currency="EUR", total="4.00", on=str(ON))
    payment = payment_of(customer, {invoice: Money.of(500, "EUR")}, unapplied=Money.of(100, "EUR"))
    refund = refund_of(payment, {invoice: Money.of(300, "EUR")})
    line = PaymentLine(invoice_erp_id=invoice, amount=Money.of(300, "EUR"))
    came_back = RefundReversalDocument(
        reference=fresh_reference(), refund_reference=refund.reference, payment_reference=payment.reference,
        customer_erp_id=customer, amount=refund.amount, reversed_on=ON, lines=(line,), memo="It came back",
    )  # fmt: skip
    credited = CreditApplicationDocument(
        reference=fresh_reference(), credit_erp_id=f"CreditNote-{note}", customer_erp_id=customer, lines=(line,), on=ON,
        memo="By request",
    )  # fmt: skip
    steps: dict[str, Callable[[], Any]] = {
        "ping": erp.ping,
        "customers_since": lambda: erp.customers_since("", limit=10),
        "post_payment": lambda: erp.post_payment(payment),
        "post_application": lambda: erp.post_application(application_of(payment, {invoice: Money.of(100, "EUR")})),
        "post_refund": lambda: erp.post_refund(refund),
        "post_refund_reversal": lambda: erp.post_refund_reversal(came_back),
        "invoices_by_id": lambda: erp.invoices_by_id([invoice]),
        "find_document": lambda: erp.find_document(payment.reference),
        "post_reversal": lambda: erp.post_reversal(replace(reversal_of(payment), lines=())),
        "post_credit_application": lambda: erp.post_credit_application(credited),
        "credits_since": lambda: erp.credits_since("", limit=10),
        "credits_by_id": lambda: erp.credits_by_id([f"CreditNote-{note}"]),
        "payments_since": lambda: erp.payments_since("", limit=10),
        "quotes_since": lambda: erp.quotes_since("", limit=10),
        "recurring_since": lambda: erp.recurring_since("", limit=10),
        "open_totals": lambda: erp.open_totals("", limit=10),
        "invoice_pdf": lambda: erp.invoice_pdf(invoice),
        "credit_note_pdf": lambda: erp.credit_note_pdf(f"CreditNote-{note}"),
    }
    for name, step in steps.items():
        await step()
        await told(name)
    cursor = (await erp.invoices_since("", limit=10)).cursor
    while (page := await erp.invoices_since(cursor, limit=10)).cursor != cursor:
        cursor = page.cursor
    await told("invoices_since")
    public = {name for name, _ in inspect.getmembers(Xero) if not name.startswith("_")}
    assert public - SENDS_NOTHING == set(SENT) == set(done)
    assert {name: SENT[name] - operations for name, operations in done.items() if SENT[name] - operations} == {}


async def test_the_judge_refuses_bodies_that_are_not_xeros(harness: XeroHarness) -> None:
    customer = await harness.make_customer(currency="EUR")
    invoice = await harness.make_invoice(customer=customer, total=Money.of(1_000, "EUR"))
    payment = payment_of(customer, {invoice: Money.of(500, "EUR")})
    await harness.erp.post_payment(payment)
    await harness.erp.post_refund(refund_of(payment, {invoice: Money.of(300, "EUR")}))
    written = [each for each in await harness.requests() if each["body"] is not None]
    assert len(written) >= 6
    for request in written:
        assert official.violations(request) == []
        for mutant in mutants(request):
            assert official.violations(mutant), mutant


def mutants(request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A name that is none, an amount that is a word, a list that is none, a key too many."""
    (room,) = request["body"]
    found = []
    for name, value in (("Invented", 1), ("Amount" if room in {"Allocations", "Payments"} else "LineItems", "a word")):
        changed = copy.deepcopy(dict(request))
        changed["body"][room][0][name] = value
        found.append(changed)
    found.append({**request, "body": {room: "all"}})
    found.append({**request, "query": {"invented": "1"}})
    found.append({**request, "key": "x" * 129})
    found.append({**request, "key": None})
    return found
