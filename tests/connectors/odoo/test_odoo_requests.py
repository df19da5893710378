"""What the connector sends is what Odoo's pages allow: each method of it, by both ways; and the judge refuses others."""

import copy
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from connectors.conformance.erp_harness import ON, application_of, fresh_reference, payment_of, refund_of, reversal_of
from connectors.erp.ports import CreditApplicationDocument, PaymentLine, RefundReversalDocument
from domain.money import Money
from tests.connectors.odoo import official
from tests.connectors.odoo.harness import OdooHarness

USD = "USD"


async def everything(harness: OdooHarness) -> list[tuple[str, Callable[[], Awaitable[object]]]]:
    """Every method of the connector, as it is called in a life that has all of them."""
    erp = harness.erp
    customer = await harness.make_customer(currency=USD)
    first = await harness.make_invoice(customer=customer, total=Money.of(1000, USD))
    second = await harness.make_invoice(customer=customer, total=Money.of(1000, USD))
    note = await harness.make_invoice(customer=customer, total=Money.of(300, USD), is_note=True)
    await harness.make_quote(customer=customer, total=Money.of(1000, USD))
    payment = payment_of(customer, {first: Money.of(1000, USD)}, unapplied=Money.of(200, USD))
    refund = refund_of(payment, {first: Money.of(400, USD)}, unapplied=Money.of(100, USD))
    came_back = RefundReversalDocument(
        reference=fresh_reference(),
        refund_reference=refund.reference,
        payment_reference=payment.reference,
        customer_erp_id=customer,
        amount=refund.amount,
        reversed_on=ON,
        lines=(PaymentLine(invoice_erp_id=first, amount=Money.of(400, USD)),),
        memo="The customer's bank did not take it",
    )
    applied = application_of(payment, {first: Money.of(-300, USD), second: Money.of(400, USD)})
    credited = CreditApplicationDocument(
        reference=fresh_reference().replace("pay_", "req_"),
        credit_erp_id=f"invoice-{note}",
        customer_erp_id=customer,
        lines=(PaymentLine(invoice_erp_id=second, amount=Money.of(300, USD)),),
        on=ON,
        memo="A credit is used",
    )
    return [
        ("ping", erp.ping),
        ("post_payment", lambda: erp.post_payment(payment)),
        ("post_refund", lambda: erp.post_refund(refund)),
        ("post_refund_reversal", lambda: erp.post_refund_reversal(came_back)),
        ("post_application", lambda: erp.post_application(applied)),
        ("post_credit_application", lambda: erp.post_credit_application(credited)),
        ("post_reversal", lambda: erp.post_reversal(reversal_of(payment))),
        ("find_document", lambda: erp.find_document(payment.reference)),
        ("customers_since", lambda: erp.customers_since("", limit=10)),
        ("invoices_since", lambda: erp.invoices_since("", limit=10)),
        ("invoices_by_id", lambda: erp.invoices_by_id([first])),
        ("credits_since", lambda: erp.credits_since("", limit=10)),
        ("credits_by_id", lambda: erp.credits_by_id([f"invoice-{note}"])),
        ("open_totals", lambda: erp.open_totals("", limit=10)),
        ("payments_since", lambda: erp.payments_since("", limit=10)),
        ("quotes_since", lambda: erp.quotes_since("", limit=10)),
        ("receivable_balances", erp.receivable_balances),
    ]


def public_methods(erp: object) -> set[str]:
    """What the connector offers that asks anything."""
    return {name for name in dir(type(erp)) if not name.startswith("_") and callable(getattr(type(erp), name))} - {"aclose"}


async def judged(harness: OdooHarness) -> list[dict[str, Any]]:
    """Call everything; each method must have sent something, and all of it must be allowed."""
    calls = await everything(harness)
    assert {name for name, _ in calls} == public_methods(harness.erp)
    sent: list[dict[str, Any]] = []
    for name, method in calls:
        await method()
        asked = (await harness.requests())[len(sent) :]
        assert asked, f"{name} sends nothing"
        assert [wrong for each in asked for wrong in official.violations(each)] == []
        sent += asked
    return sent


@pytest.mark.long
async def test_each_method_sends_what_the_pages_of_json_2_allow_and_altered_bodies_are_refused(harness: OdooHarness) -> None:
    sent = await judged(harness)
    written = {official.operation(each): each for each in sent if official.operation(each) in official.WRITES}
    # What takes a half document back is sent by the tests of traps.
    assert written.keys() >= official.WRITES - {
        "account.payment.action_draft",
        "account.payment.unlink",
        "account.move.unlink",
    }
    for each in written.values():
        for altered in alterations(each):
            assert official.violations(altered), altered


class TestJsonRpc:
    """The older way in."""

    series = 17

    @pytest.mark.long
    async def test_each_method_sends_what_the_pages_of_json_rpc_allow(self, harness: OdooHarness) -> None:
        await judged(harness)


def alterations(sent: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """That request with an argument or a value of a document left out, misspelt, or of another type."""
    body = sent["body"]
    for name in body:
        for altered in ({n: v for n, v in body.items() if n != name}, {**body, name: {"x": 1}}, {**body, f"{name}_": 1}):
            yield {**sent, "body": altered}
    for number, values in enumerate(body.get("vals_list", [])):
        for name in values:
            for value in (None, {"x": 1}):
                altered = copy.deepcopy(body)
                altered["vals_list"][number][name] = value
                yield {**sent, "body": altered}
            altered = copy.deepcopy(body)
            del altered["vals_list"][number][name]
            yield {**sent, "body": altered}
