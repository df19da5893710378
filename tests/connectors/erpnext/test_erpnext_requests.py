"""Every request of every method is one that ERPNext's own descriptions allow; a wrong one would be seen."""

import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

import pytest

from connectors.conformance.erp_harness import (
    ON,
    application_of,
    fresh_reference,
    payment_of,
    refund_of,
    reversal_of,
)
from connectors.erp.ports import CreditApplicationDocument, PaymentDocument, PaymentLine, RefundReversalDocument
from domain.money import Money
from tests.connectors.erpnext import described
from tests.connectors.erpnext.harness import ErpNextHarness

pytestmark = pytest.mark.long

PAYMENT: Final = "Payment Entry"
LOOSENED: Final = "POST create_unreconcile_doc_for_selection"
BOOKED: Final = {f"GET {PAYMENT}", f"POST {PAYMENT}", f"PUT {PAYMENT}"}
OPERATIONS: Final[dict[str, set[str]]] = {
    "ping": {"GET get_logged_user", "GET Company"},
    "customers_since": {"GET get_time_zone", "GET Customer", "GET Dynamic Link", "GET Contact"},
    "invoices_since": {"GET get_time_zone", "GET Sales Invoice", "GET Sales Invoice Item", "GET Payment Ledger Entry"},
    "invoices_by_id": {"GET Sales Invoice", "GET Sales Invoice Item", "GET Payment Ledger Entry", f"GET {PAYMENT}"},
    "credits_since": {"GET Sales Invoice", f"GET {PAYMENT}", "GET Payment Ledger Entry"},
    "credits_by_id": {"GET Sales Invoice", f"GET {PAYMENT}"},
    "payments_since": {f"GET {PAYMENT}", "GET Payment Ledger Entry"},
    "quotes_since": {"GET Quotation", "GET Quotation Item"},
    "recurring_since": {"GET Auto Repeat", "GET Sales Invoice"},
    "open_totals": {"GET Customer", "GET Payment Ledger Entry"},
    "receivable_balances": {"GET Account", "GET get_balance_on"},
    "invoice_pdf": {"GET download_pdf"},
    "credit_note_pdf": {"GET download_pdf"},
    "find_document": {f"GET {PAYMENT}", "GET Journal Entry", "GET ToDo"},
    "post_payment": BOOKED,
    "post_reversal": {*BOOKED, LOOSENED, "POST run_doc_method"},
    "post_refund": {*BOOKED, LOOSENED, "POST run_doc_method"},
    "post_refund_reversal": {*BOOKED, LOOSENED, "POST run_doc_method"},
    "post_application": {"POST ToDo", "PUT ToDo", "POST run_doc_method"},
    "post_credit_application": {"POST Journal Entry", "PUT Journal Entry", "GET Journal Entry"},
}
SENDS_NOTHING: Final = {"aclose", "name", "has_unique_references", "request_life_seconds"}


class Calls:
    """Each method of the connector, as Duly calls it, over a customer with everything."""

    customer: str
    invoice: str
    note: str
    by_hand: str
    payment: PaymentDocument

    def __init__(self, harness: ErpNextHarness) -> None:
        self.harness = harness
        self.erp = harness.erp

    async def ready(self) -> None:
        self.customer = await self.harness.make_customer(currency="EUR")
        self.invoice = await self.harness.make_invoice(customer=self.customer, total=Money.of(1_000, "EUR"))
        self.note = await self.harness.make_invoice(customer=self.customer, total=Money.of(-300, "EUR"))
        self.by_hand = await self.harness.receive(customer=self.customer, amount=Money.of(200, "EUR"))
        lines = {self.invoice: Money.of(500, "EUR")}
        self.payment = payment_of(self.customer, lines, unapplied=Money.of(200, "EUR"))
        await self.erp.post_payment(self.payment)

    async def ping(self) -> None:
        await self.erp.ping()

    async def customers_since(self) -> None:
        (found,) = (await self.erp.customers_since("", limit=10)).rows
        assert (found.contacts[0].email, found.time_zone) == (found.email, "Europe/Berlin")

    async def invoices_since(self) -> None:
        page = await self.erp.invoices_since("", limit=10)
        assert [row.erp_id for row in page.rows] == [self.invoice]

    async def invoices_by_id(self) -> None:
        (found,) = await self.erp.invoices_by_id([self.invoice])
        assert found.settled == Money.of(500, "EUR")
        assert [(line.quantity, line.amount) for line in found.lines] == [("1", Money.of(1_000, "EUR"))]

    async def credits_since(self) -> None:
        page = await self.erp.credits_since("", limit=10)
        assert {row.erp_id: row.total.minor for row in page.rows} == {
            f"note:{self.note}": 300,
            f"payment:{self.by_hand}": 200,
        }

    async def credits_by_id(self) -> None:
        found = await self.erp.credits_by_id([f"note:{self.note}", f"payment:{self.by_hand}", "no-such", "note:none"])
        assert [row.used.minor for row in found] == [0, 0]

    async def payments_since(self) -> None:
        rows = {row.reference: row for row in (await self.erp.payments_since("", limit=10)).rows}
        ours, theirs = rows[self.payment.reference], rows[None]
        assert (ours.amount.minor, ours.unapplied.minor, ours.lines[0].amount.minor, ours.stands) == (700, 200, 500, True)
        assert (theirs.author, theirs.unapplied.minor) == ("person@example.com", 200)

    async def quotes_since(self) -> None:
        values = {
            "company": "Northwind",
            "quotation_to": "Customer",
            "party_name": self.customer,
            "status": "Open",
            "docstatus": 1,
            "currency": "EUR",
            "transaction_date": ON.isoformat(),
            "valid_till": None,
            "grand_total": 12,
            "rounded_total": 0,
            "disable_rounded_total": 1,
            "total_taxes_and_charges": 2,
            "items": [{"item_name": "Oak", "description": None, "qty": 2, "net_rate": 5, "net_amount": 10}],
        }
        await self.harness.act("put", doctype="Quotation", values=values)
        (found,) = (await self.erp.quotes_since("", limit=10)).rows
        assert (found.total.minor, found.lines[0].tax.minor, found.lines[0].description) == (1_200, 200, "Oak")

    async def recurring_since(self) -> None:
        template = await self.harness.make_template(customer=self.customer, amount=Money.of(700, "EUR"))
        order = {"reference_doctype": "Sales Order", "reference_document": "SO-1", "status": "Active", "disabled": 0}
        await self.harness.act("put", doctype="Auto Repeat", values=order)
        (found,) = (await self.erp.recurring_since("", limit=10)).rows
        assert (found.erp_id, found.amount.minor, found.frequency, found.active) == (template, 700, "Monthly", True)

    async def open_totals(self) -> None:
        page = await self.erp.open_totals("", limit=10)
        assert [(row.customer_erp_id, row.count, row.open.minor) for row in page.rows] == [(self.customer, 1, 500)]
        assert not page.more

    async def receivable_balances(self) -> None:
        found = {each.currency: each.minor for each in await self.erp.receivable_balances()}
        assert found == {"EUR": 1_000 - 300 - 200 - 700, "USD": 0, "GBP": 0, "JPY": 0}

    async def invoice_pdf(self) -> None:
        assert (await self.erp.invoice_pdf(self.invoice)).startswith(b"%PDF")

    async def credit_note_pdf(self) -> None:
        assert (await self.erp.credit_note_pdf(f"note:{self.note}")).startswith(b"%PDF")

    async def find_document(self) -> None:
        assert await self.erp.find_document(self.payment.reference)

    async def post_payment(self) -> None:
        await self.erp.post_payment(payment_of(self.customer, {self.invoice: Money.of(100, "EUR")}))

    async def post_reversal(self) -> None:
        await self.erp.post_reversal(reversal_of(self.payment))
        assert await self.harness.open_minor(self.invoice) == 1_000

    async def post_refund(self) -> None:
        await self.erp.post_refund(refund_of(self.payment, {self.invoice: Money.of(200, "EUR")}))
        assert await self.harness.open_minor(self.invoice) == 700

    async def post_refund_reversal(self) -> None:
        refund = refund_of(self.payment, {self.invoice: Money.of(200, "EUR")})
        await self.erp.post_refund(refund)
        came_back = RefundReversalDocument(
            reference=fresh_reference(),
            refund_reference=refund.reference,
            payment_reference=self.payment.reference,
            customer_erp_id=self.customer,
            amount=refund.amount,
            reversed_on=ON,
            lines=(PaymentLine(invoice_erp_id=self.invoice, amount=Money.of(200, "EUR")),),
            memo="The bank did not take it",
        )
        await self.erp.post_refund_reversal(came_back)
        assert await self.harness.open_minor(self.invoice) == 500

    async def post_application(self) -> None:
        await self.erp.post_application(application_of(self.payment, {self.invoice: Money.of(200, "EUR")}))
        assert await self.harness.open_minor(self.invoice) == 300

    async def post_credit_application(self) -> None:
        for credit, amounts in ((f"note:{self.note}", (300, -100)), (f"payment:{self.by_hand}", (200, -200))):
            for minor in amounts:
                await self.erp.post_credit_application(self.application(credit, minor))
        assert await self.harness.open_minor(self.invoice) == 500 - 300 + 100
        found = {row.erp_id: row for row in (await self.erp.credits_since("", limit=10)).rows}
        assert found[f"note:{self.note}"].used.minor == 200
        assert found[f"note:{self.note}"].applications[0].amount.minor == 200
        assert found[f"payment:{self.by_hand}"].used.minor == 0

    def application(self, credit: str, minor: int) -> CreditApplicationDocument:
        return CreditApplicationDocument(
            reference=fresh_reference(),
            credit_erp_id=credit,
            customer_erp_id=self.customer,
            lines=(PaymentLine(invoice_erp_id=self.invoice, amount=Money.of(minor, "EUR")),),
            on=ON,
            memo="Applied by staff",
        )


async def _ready(erpnext: ErpNextHarness) -> Calls:
    calls = Calls(erpnext)
    await calls.ready()
    return calls


def test_no_method_is_left_out(erpnext: ErpNextHarness) -> None:
    public = {name for name in dir(erpnext.erp) if not name.startswith("_")}
    assert public - SENDS_NOTHING == set(OPERATIONS)


@pytest.mark.parametrize("name", OPERATIONS)
async def test_a_method_sends_requests_that_erpnext_describes(erpnext: ErpNextHarness, name: str) -> None:
    calls = await _ready(erpnext)
    before = len(await erpnext.requests())
    call: Callable[[], Awaitable[None]] = getattr(calls, name)
    await call()
    sent = await erpnext.requests()
    assert [wrong for request in sent for wrong in described.violations(request)] == []
    assert {described.operation_of(request) for request in sent[before:]} >= OPERATIONS[name]


def _changed(request: dict[str, Any], inside: str | None = None, **values: Any) -> dict[str, Any]:
    """The same request with values of its body changed, added, or (None) left out; `inside` its first row there."""
    body = json.loads(request["raw"])
    part = body[inside][0] if inside is not None else body
    part.update(values)
    for name in [name for name, value in values.items() if value is None]:
        del part[name]
    return {**request, "raw": json.dumps(body)}


def _asked(request: dict[str, Any], **values: str | None) -> dict[str, Any]:
    query = {**request["query"], **{name: value for name, value in values.items() if value is not None}}
    return {**request, "query": {name: value for name, value in query.items() if values.get(name, "") is not None}}


async def test_a_wrong_request_is_seen(erpnext: ErpNextHarness) -> None:
    """Each of these is a slip that a connector could make; the judge must know it."""
    calls = await _ready(erpnext)
    await calls.post_credit_application()
    sent: dict[str, dict[str, Any]] = {}
    for request in await erpnext.requests():
        sent.setdefault(described.operation_of(request), request)
    payment, journal, task = sent[f"POST {PAYMENT}"], sent["POST Journal Entry"], sent["POST ToDo"]
    submit, tool, loosen, listed = (
        sent[f"PUT {PAYMENT}"],
        sent["POST run_doc_method"],
        sent[LOOSENED],
        sent["GET Sales Invoice"],
    )
    tool_docs = json.loads(json.loads(tool["raw"])["docs"])
    slips = {
        "amount left out": _changed(payment, paid_amount=None),
        "amount as text": _changed(payment, paid_amount="12.50"),
        "unknown field": _changed(payment, our_reference="pay_1"),
        "unknown kind": _changed(payment, payment_type="Incoming"),
        "a day with a time": _changed(payment, posting_date="2026-03-16T00:00:00"),
        "yes for 1": _changed(payment, custom_remarks="yes"),
        "invoice by another name": _changed(payment, "references", invoice="X"),
        "no amount on an invoice": _changed(payment, "references", allocated_amount=None),
        "unknown state": _changed(submit, docstatus=3),
        "a line of no account": _changed(journal, "accounts", account=None),
        "a line's amount as text": _changed(journal, "accounts", credit_in_account_currency="1"),
        "a task in another state": _changed(task, status="Done"),
        "another method of the tool": _changed(tool, method="allocate_entries"),
        "nothing to allocate": _changed(tool, docs=json.dumps({**tool_docs, "allocation": [{}]})),
        "a selection as a list": _changed(loosen, selections=[]),
        "no page's length": _asked(listed, limit_page_length=None),
        "no order": _asked(listed, order_by=None),
        "order by what it has not": _asked(listed, order_by="changed asc"),
        "a field that it has not": _asked(listed, fields='["number"]'),
        "a filter that it has not": _asked(listed, filters='[["number", "=", "1"]]'),
        "no such operator": _asked(listed, filters='[["name", "==", "1"]]'),
        "no such record": {**listed, "path": ["resource", "Invoice"]},
        "no such method": {**listed, "path": ["method", "frappe.ping"]},
    }
    assert [name for name, request in slips.items() if not described.violations(request)] == []
    assert [name for name, request in sent.items() if described.violations(request)] == []
