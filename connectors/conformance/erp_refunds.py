"""What every ERP connector that posts refunds must pass: subclass it beside `ErpConformance`, with the same `harness`."""

from __future__ import annotations

from dataclasses import replace

from connectors.conformance.erp_declared import ErpTrait, needs_trait
from connectors.conformance.erp_harness import (
    ON,
    RefundingErpHarness,
    fresh_reference,
    payment_of,
    raised,
    read,
    refund_of,
)
from connectors.erp.ports import ErpInvoiceStatus, PaymentDocument, PaymentLine, RefundReversalDocument
from connectors.errors import OutcomeUnknown, Rejected
from domain.money import Money


class ErpRefunding:
    """Refunds: a part of a payment goes back, once, and no more of it than there is."""

    async def paid(self, harness: RefundingErpHarness) -> tuple[PaymentDocument, str]:
        """A payment of 12.00 with 10.00 on one invoice, and that invoice."""
        customer = await harness.make_customer(currency="USD")
        invoice = await harness.make_invoice(customer=customer, total=Money.of(1_000, "USD"))
        payment = payment_of(customer, {invoice: Money.of(1_000, "USD")}, unapplied=Money.of(200, "USD"))
        await harness.erp.post_payment(payment)
        return payment, invoice

    @needs_trait(ErpTrait.READING)
    async def test_a_refund_reopens_its_invoices_by_its_lines_and_takes_the_rest_off_unapplied_money(
        self, harness: RefundingErpHarness
    ) -> None:
        payment, invoice = await self.paid(harness)
        refund = refund_of(payment, {invoice: Money.of(400, "USD")}, unapplied=Money.of(200, "USD"))
        posted = await harness.erp.post_refund(refund)
        assert (posted.reference, posted.amount) == (refund.reference, Money.of(600, "USD"))
        found = await read(harness, invoice)
        assert (found.settled, found.status) == (Money.of(600, "USD"), ErpInvoiceStatus.OPEN)
        assert [each.erp_id for each in await harness.erp.find_document(refund.reference)] == [posted.erp_id]
        await raised(Rejected, harness.erp.post_refund(refund_of(payment, {}, unapplied=Money.of(1, "USD"))))

    @needs_trait(ErpTrait.READING)
    async def test_several_refunds_never_take_off_more_than_the_payment_put_there(
        self, harness: RefundingErpHarness
    ) -> None:
        payment, invoice = await self.paid(harness)
        await harness.erp.post_refund(refund_of(payment, {invoice: Money.of(600, "USD")}))
        too_much = refund_of(payment, {invoice: Money.of(401, "USD")})
        await raised(Rejected, harness.erp.post_refund(too_much))
        assert await harness.count_documents(reference=too_much.reference) == 0
        await harness.erp.post_refund(refund_of(payment, {invoice: Money.of(400, "USD")}))
        assert (await read(harness, invoice)).settled == Money.zero("USD")

    @needs_trait(ErpTrait.READING)
    async def test_the_lost_answer_of_a_refund_is_unknown_and_it_is_found_once(self, harness: RefundingErpHarness) -> None:
        for break_it in (harness.lose_next_answer, harness.fail_after_next_write):
            payment, invoice = await self.paid(harness)
            refund = refund_of(payment, {invoice: Money.of(1_000, "USD")})
            await break_it()
            await raised(OutcomeUnknown, harness.erp.post_refund(refund))
            assert len(await harness.erp.find_document(refund.reference)) == 1
            assert await harness.count_documents(reference=refund.reference) == 1

    @needs_trait(ErpTrait.READING)
    async def test_a_refund_that_came_back_is_taken_back_once_and_its_money_can_be_used_again(
        self, harness: RefundingErpHarness
    ) -> None:
        payment, invoice = await self.paid(harness)
        refund = refund_of(payment, {invoice: Money.of(1_000, "USD")}, unapplied=Money.of(200, "USD"))
        await harness.erp.post_refund(refund)
        came_back = RefundReversalDocument(
            reference=fresh_reference(),
            refund_reference=refund.reference,
            payment_reference=payment.reference,
            customer_erp_id=payment.customer_erp_id,
            amount=refund.amount,
            reversed_on=ON,
            lines=(PaymentLine(invoice_erp_id=invoice, amount=Money.of(700, "USD")),),
            memo="The customer's bank did not take it",
        )
        posted = await harness.erp.post_refund_reversal(came_back)
        assert (posted.reference, posted.amount) == (came_back.reference, refund.amount)
        assert (await read(harness, invoice)).settled == Money.of(700, "USD")
        again = replace(came_back, reference=fresh_reference())
        await raised(Rejected, harness.erp.post_refund_reversal(again))
        await harness.erp.post_refund(refund_of(payment, {invoice: Money.of(700, "USD")}, unapplied=Money.of(500, "USD")))
        assert (await read(harness, invoice)).settled == Money.zero("USD")
