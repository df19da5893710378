"""Every request of every method is one that Microsoft's pages describe; a wrong one would be seen."""

import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

import pytest

from connectors.conformance.erp_harness import application_of, payment_of, raised, reversal_of
from connectors.erp.ports import PaymentDocument
from connectors.errors import Rejected
from domain.money import Money
from tests.connectors.business_central import described
from tests.connectors.business_central.harness import BusinessCentralHarness

pytestmark = pytest.mark.long

LEDGER: Final = "GET generalLedgerEntries"
OPERATIONS: Final[dict[str, set[str]]] = {
    "ping": {"GET companies"},
    "customers_since": {"GET companies", "GET customers"},
    "invoices_since": {"GET salesInvoices", LEDGER},
    "invoices_by_id": {"GET salesInvoices", LEDGER},
    "credits_since": {"GET salesCreditMemos"},
    "credits_by_id": {"GET salesCreditMemos"},
    "invoice_pdf": {"GET pdf"},
    "credit_note_pdf": {"GET pdf"},
    "find_document": {LEDGER, "GET customerPaymentJournals", "GET journals"},
    "post_payment": {
        *(LEDGER, "GET customers", "GET salesInvoices", "GET customerPaymentJournals", "GET customerPayments"),
        *("POST customerPaymentJournals", "POST customerPayments", "POST post"),
    },
    "post_reversal": {LEDGER, "GET journals", "POST journals", "POST journalLines", "POST post"},
    "post_application": set(),
    "post_credit_application": set(),
}
SENDS_NOTHING: Final = {"aclose", "name", "has_unique_references", "request_life_seconds"}


class Calls:
    """Each method of the connector, as Duly calls it, over a customer with everything."""

    customer: str
    invoice: str
    memo: str
    payment: PaymentDocument

    def __init__(self, harness: BusinessCentralHarness) -> None:
        self.harness = harness
        self.erp = harness.erp

    async def ready(self) -> None:
        self.customer = await self.harness.make_customer(currency="EUR")
        self.invoice = await self.harness.make_invoice(customer=self.customer, total=Money.of(1_000, "EUR"))
        self.memo = await self.harness.make_invoice(customer=self.customer, total=Money.of(-300, "EUR"))
        lines = {self.invoice: Money.of(500, "EUR")}
        self.payment = payment_of(self.customer, lines, unapplied=Money.of(200, "EUR"))
        await self.erp.post_payment(self.payment)

    async def ping(self) -> None:
        await self.erp.ping()

    async def customers_since(self) -> None:
        (found,) = (await self.erp.customers_since("", limit=10)).rows
        assert (found.erp_id, found.currency, found.country, found.time_zone) == (self.customer, "EUR", "GB", "UTC")

    async def invoices_since(self) -> None:
        page = await self.erp.invoices_since("", limit=10)
        assert [row.erp_id for row in page.rows] == [self.invoice]

    async def invoices_by_id(self) -> None:
        (found,) = await self.erp.invoices_by_id([self.invoice])
        assert [(each.amount.minor, each.reference) for each in found.settlements] == [(500, self.payment.reference)]
        assert [(line.quantity, line.amount.minor, line.tax_rate) for line in found.lines] == [("1", 1_000, "0 %")]

    async def credits_since(self) -> None:
        (found,) = (await self.erp.credits_since("", limit=10)).rows
        assert (found.erp_id, found.total.minor, found.used.minor) == (self.memo, 300, 0)

    async def credits_by_id(self) -> None:
        await self.harness.act("change", table="salesCreditMemos", id=self.memo, values={"status": "Paid"})
        (found,) = await self.erp.credits_by_id([self.memo, "none"])
        assert found.used == found.total

    async def invoice_pdf(self) -> None:
        assert (await self.erp.invoice_pdf(self.invoice)).startswith(b"%PDF")

    async def credit_note_pdf(self) -> None:
        assert (await self.erp.credit_note_pdf(self.memo)).startswith(b"%PDF")

    async def find_document(self) -> None:
        assert await self.erp.find_document(self.payment.reference)
        assert await self.erp.find_document(f"{self.payment.reference}-2") == []

    async def post_payment(self) -> None:
        await self.erp.post_payment(payment_of(self.customer, {self.invoice: Money.of(100, "EUR")}))
        assert await self.harness.left_minor(self.invoice) == 400

    async def post_reversal(self) -> None:
        await self.erp.post_reversal(reversal_of(self.payment))
        assert await self.harness.owed_minor(self.customer) == 1_000

    async def post_application(self) -> None:
        await raised(Rejected, self.erp.post_application(application_of(self.payment, {self.invoice: Money.of(1, "EUR")})))

    async def post_credit_application(self) -> None:
        """Refused as applications are, before anything is sent."""


async def _ready(central: BusinessCentralHarness) -> Calls:
    calls = Calls(central)
    await calls.ready()
    return calls


def test_no_method_is_left_out(central: BusinessCentralHarness) -> None:
    public = {name for name in dir(central.erp) if not name.startswith("_")}
    assert public - SENDS_NOTHING == set(OPERATIONS)


@pytest.mark.parametrize("name", OPERATIONS)
async def test_a_method_sends_requests_that_are_described(central: BusinessCentralHarness, name: str) -> None:
    calls = await _ready(central)
    before = len(await central.requests())
    call: Callable[[], Awaitable[None]] = getattr(calls, name)
    await call()
    sent = await central.requests()
    assert [wrong for request in sent for wrong in described.violations(request)] == []
    assert {described.operation_of(request) for request in sent[before:]} >= OPERATIONS[name]


def _changed(request: dict[str, Any], **values: Any) -> dict[str, Any]:
    """The same request with values of its body changed, added, or (None) left out."""
    body = {**json.loads(request["raw"]), **values}
    return {**request, "raw": json.dumps({name: value for name, value in body.items() if value is not None})}


def _asked(request: dict[str, Any], **values: str) -> dict[str, Any]:
    return {**request, "query": {**request["query"], **{f"${name}": value for name, value in values.items()}}}


async def test_a_wrong_request_is_seen(central: BusinessCentralHarness) -> None:
    """Each of these is a slip that a connector could make; the judge must know it."""
    calls = await _ready(central)
    await calls.post_reversal()
    await calls.invoices_since()
    sent: dict[str, dict[str, Any]] = {}
    for request in await central.requests():
        sent.setdefault(described.operation_of(request), request)
    line, journal, opposite = sent["POST customerPayments"], sent["POST customerPaymentJournals"], sent["POST journalLines"]
    listed, posted, gone = sent["GET salesInvoices"], sent["POST post"], sent["DELETE customerPaymentJournals"]
    slips = {
        "amount left out": _changed(line, amount=None),
        "amount as text": _changed(line, amount="-5.00"),
        "amount above zero": _changed(line, amount=5),
        "no number of its own": _changed(line, lineNumber=None),
        "a document number too long": _changed(line, documentNumber="D" * 21),
        "a description too long": _changed(line, description="x" * 101),
        "another document number too long": _changed(line, externalDocumentNumber="x" * 36),
        "an invoice by its number": _changed(line, appliesToInvoiceId="103001"),
        "a currency": _changed(line, currencyCode="EUR"),
        "a day with a time": _changed(line, postingDate="2026-03-16T00:00:00Z"),
        "two lines at once": {**line, "raw": json.dumps([json.loads(line["raw"])])},
        "a journal's name too long": _changed(journal, code="D" * 11),
        "an account by its number": _changed(journal, balancingAccountId="2920"),
        "an unknown type of account": _changed(opposite, accountType="Debtor"),
        "an invoice on a journal line": _changed(opposite, appliesToInvoiceId=json.loads(line["raw"])["customerId"]),
        "a filter that it has not": _asked(listed, filter="modifiedAt ge 2026-01-01"),
        "order by what it has not": _asked(listed, orderby="modifiedAt"),
        "lines of another name": _asked(listed, expand="lines"),
        "a page in words": _asked(listed, top="all"),
        "an option that is none": _asked(listed, limit="5"),
        "posting with a body": _changed(posted, code="CASH"),
        "deleted whatever it is by now": {**gone, "etag": None},
        "no such table": {**listed, "path": listed["path"].replace("salesInvoices", "invoices")},
        "a company by its name": {**listed, "path": "companies(Northwind)/salesInvoices"},
    }
    assert [name for name, request in slips.items() if not described.violations(request)] == []
    assert [name for name, request in sent.items() if described.violations(request)] == []
