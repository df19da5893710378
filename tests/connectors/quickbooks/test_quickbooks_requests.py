"""Every request that the connector can send is one that QuickBooks's pages allow; and a wrong one would be noticed."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from connectors.conformance.erp_harness import ON, application_of, fresh_reference, payment_of, refund_of, reversal_of
from connectors.erp.ports import CreditApplicationDocument, PaymentLine, RefundReversalDocument
from connectors.erp.quickbooks import QuickBooks
from domain.money import Money
from tests.connectors.quickbooks import official
from tests.connectors.quickbooks.harness import QuickBooksHarness


def usd(minor: int) -> Money:
    return Money.of(minor, "USD")


async def test_each_method_sends_requests_and_all_of_them_are_judged(harness: QuickBooksHarness) -> None:
    customer = await harness.make_customer(currency="USD")
    invoice = await harness.make_invoice(customer=customer, total=usd(10_000))
    memo = await harness.make_memo(customer=customer, total=usd(500))
    payment = payment_of(customer, {invoice: usd(1_000)}, unapplied=usd(2_000))
    refund = refund_of(payment, {invoice: usd(300)})
    came_back = RefundReversalDocument(
        reference=fresh_reference(),
        refund_reference=refund.reference,
        payment_reference=payment.reference,
        customer_erp_id=customer,
        amount=refund.amount,
        reversed_on=ON,
        lines=(),
        memo="It came back",
    )
    credit = CreditApplicationDocument(
        reference=fresh_reference(),
        credit_erp_id=f"memo-{memo}",
        customer_erp_id=customer,
        lines=(PaymentLine(invoice_erp_id=invoice, amount=usd(100)),),
        on=ON,
        memo="Applied",
    )
    erp = harness.erp
    calls: dict[str, Callable[[], Awaitable[Any]]] = {
        "ping": erp.ping,
        "post_payment": lambda: erp.post_payment(payment),
        "post_application": lambda: erp.post_application(application_of(payment, {invoice: usd(100)})),
        "post_refund": lambda: erp.post_refund(refund),
        "post_refund_reversal": lambda: erp.post_refund_reversal(came_back),
        "post_reversal": lambda: erp.post_reversal(replace(reversal_of(payment), lines=())),
        "post_credit_application": lambda: erp.post_credit_application(credit),
        "find_document": lambda: erp.find_document(payment.reference),
        "customers_since": lambda: erp.customers_since("", limit=5),
        "invoices_since": lambda: erp.invoices_since("", limit=5),
        "credits_since": lambda: erp.credits_since("", limit=5),
        "payments_since": lambda: erp.payments_since("", limit=5),
        "quotes_since": lambda: erp.quotes_since("", limit=5),
        "recurring_since": lambda: erp.recurring_since("", limit=5),
        "open_totals": lambda: erp.open_totals("", limit=5),
        "receivable_balances": erp.receivable_balances,
        "invoices_by_id": lambda: erp.invoices_by_id([invoice]),
        "credits_by_id": lambda: erp.credits_by_id([f"memo-{memo}"]),
        "invoice_pdf": lambda: erp.invoice_pdf(invoice),
        "credit_note_pdf": lambda: erp.credit_note_pdf(memo),
    }
    methods = {name for name, each in vars(QuickBooks).items() if callable(each) and not name.startswith("_")}
    assert calls.keys() == methods - {"aclose"}
    for name, call in calls.items():
        before = len(await harness.requests())
        await call()
        sent = (await harness.requests())[before:]
        assert sent, f"{name} sends nothing that could be judged"
        assert [wrong for each in sent for wrong in official.violations(each)] == []


BODY: dict[str, Any] = {
    "CustomerRef": {"value": "1"},
    "TotalAmt": 10.5,
    "TxnDate": "2026-03-16",
    "PaymentRefNum": "N" * 21,
    "Line": [{"Amount": 10.5, "LinkedTxn": [{"TxnId": "7", "TxnType": "Invoice"}]}],
}


def sent(**changed: Any) -> dict[str, Any]:
    body = {name: each for name, each in {**BODY, **changed}.items() if each is not None}
    query = {"minorversion": "75", "requestid": "r-1"}
    return {"method": "POST", "path": "payment", "query": query, "text": json.dumps(body)}


@pytest.mark.parametrize(
    "changed",
    [
        {"CustomerRef": None},
        {"CustomerRef": "1"},
        {"TotalAmt": "10.50"},
        {"TotalAmt": -1},
        {"TxnDate": "16.03.2026"},
        {"PaymentRefNum": "N" * 22},
        {"PrivateNote": "N" * 4001},
        {"UnappliedAmt": 1},
        {"Line": [{"Amount": -1, "LinkedTxn": [{"TxnId": "7", "TxnType": "Invoice"}]}]},
        {"Line": [{"Amount": 1, "LinkedTxn": [{"TxnId": "7", "TxnType": "Payment"}]}]},
        {"Line": [{"Amount": 1, "LinkedTxn": []}]},
        {"Id": "5", "sparse": False},
    ],
    ids=str,
)
def test_a_body_that_is_not_as_the_page_says_is_noticed(changed: dict[str, Any]) -> None:
    assert official.violations(sent()) == []
    assert official.violations(sent(**changed)) != []


def test_a_query_without_a_number_of_rows_and_a_time_without_an_offset_are_noticed() -> None:
    query = {"minorversion": "75"}
    for asked in ("select * from Invoice", "select * from Nothing maxresults 5"):
        assert official.violations({"method": "GET", "path": "query", "query": {**query, "query": asked}, "text": ""})
    told = {**query, "entities": "Invoice", "changedSince": "2026-03-16"}
    assert official.violations({"method": "GET", "path": "cdc", "query": told, "text": ""})
