"""Every request that the connector can send is one that NetSuite's pages allow; and a wrong one would be noticed."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from connectors.conformance.erp_harness import ON, application_of, fresh_reference, payment_of, refund_of, reversal_of
from connectors.erp.netsuite import NetSuite
from connectors.erp.ports import CreditApplicationDocument, PaymentLine, RefundReversalDocument
from domain.money import Money
from tests.connectors.netsuite import official
from tests.connectors.netsuite.harness import NetSuiteHarness


def usd(minor: int) -> Money:
    return Money.of(minor, "USD")


async def test_each_method_sends_requests_and_all_of_them_are_judged(harness: NetSuiteHarness) -> None:
    customer = await harness.make_customer(currency="USD")
    invoice = await harness.make_invoice(customer=customer, total=usd(10_000))
    (memo,) = await harness.make("creditMemo", customer, usd(500))
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
        "open_totals": lambda: erp.open_totals("", limit=5),
        "receivable_balances": erp.receivable_balances,
        "invoices_by_id": lambda: erp.invoices_by_id([invoice]),
        "credits_by_id": lambda: erp.credits_by_id([f"memo-{memo}"]),
    }
    methods = {name for name, each in vars(NetSuite).items() if callable(each) and not name.startswith("_")}
    assert calls.keys() == methods - {"aclose"}
    for name, call in calls.items():
        before = len(await harness.requests())
        await call()
        sent = (await harness.requests())[before:]
        assert sent, f"{name} sends nothing that could be judged"
        assert [wrong for each in sent for wrong in official.violations(each)] == []


BODY: dict[str, Any] = {
    "customer": {"id": "1"},
    "currency": {"id": "1"},
    "payment": 10.5,
    "tranDate": "2026-03-16",
    "account": {"id": "12"},
    "apply": {"items": [{"doc": {"id": "7"}, "apply": True, "amount": 10.5}]},
}


def sent(**changed: Any) -> dict[str, Any]:
    body = {name: each for name, each in {**BODY, **changed}.items() if each is not None}
    return {"method": "PUT", "path": "record/v1/customerPayment/eid:pay_1-captured", "query": {}, "text": json.dumps(body)}


@pytest.mark.parametrize(
    "changed",
    [
        {"customer": None},
        {"customer": "1"},
        {"payment": "10.50"},
        {"payment": -1},
        {"tranDate": "03/16/2026"},
        {"memo": "N" * 1000},
        {"unapplied": 1},
        {"apply": {"items": [{"doc": {"id": "7"}, "apply": True, "amount": -1}]}},
        {"apply": {"items": [{"doc": "7", "apply": True, "amount": 1}]}},
        {"apply": [{"doc": {"id": "7"}, "apply": True, "amount": 1}]},
    ],
    ids=str,
)
def test_a_body_that_is_not_as_the_page_says_is_noticed(changed: dict[str, Any]) -> None:
    assert official.violations(sent()) == []
    assert official.violations(sent(**changed)) != []


@pytest.mark.parametrize(
    "query",
    [
        "SELECT t.id FROM transaction t",
        "SELECT t.lastmodifieddate FROM transaction t ORDER BY t.id",
        "SELECT t.id FROM transactions t ORDER BY t.id",
    ],
)
def test_a_query_that_would_lose_rows_or_hours_is_noticed(query: str) -> None:
    asked = {"method": "POST", "path": "query/v1/suiteql", "query": {"limit": "1000"}, "text": json.dumps({"q": query})}
    assert official.violations(asked) != []
