"""What every ERP connector must pass, against a real ERP or a simulator behind HTTP.

Subclass `ErpConformance` in a test module and give it a fixture named `harness`: an `ErpHarness` over one running ERP.
The suite needs pytest with pytest-asyncio in auto mode, and nothing else of either.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace

import pytest

from connectors.conformance.erp_declared import ErpTrait, lacking, needs_trait, traits_left_out
from connectors.conformance.erp_harness import (
    CURRENCIES,
    ON,
    ErpHarness,
    application_of,
    every_customer_since,
    every_invoice_since,
    fresh_reference,
    payment_of,
    raised,
    read,
    reversal_of,
)
from connectors.conformance.erp_streams import claims_not_tried
from connectors.conformance.leaving_out import leave_out
from connectors.erp.ports import ErpInvoiceStatus
from connectors.errors import OutcomeUnknown, Rejected, Unavailable
from domain.money import Money


class ErpSuite:
    """What leaves a test out before it begins."""

    @pytest.fixture(autouse=True)
    def only_what_the_far_side_has(self, harness: ErpHarness, request: pytest.FixtureRequest) -> None:
        """Leave out what the harness declares that its far side lacks."""
        leave_out(lacking(getattr(type(self), request.node.originalname), harness))


class ErpReading(ErpSuite):
    """Reads: complete, resumable, and each invoice of one moment."""

    async def test_a_ping_answers(self, harness: ErpHarness) -> None:
        await harness.erp.ping()

    @needs_trait(ErpTrait.READING)
    async def test_an_incremental_read_resumes_where_it_stopped_and_misses_nothing(self, harness: ErpHarness) -> None:
        customer = await harness.make_customer(currency="GBP")
        _, cursor = await every_invoice_since(harness, "", limit=100)
        made = [await harness.make_invoice(customer=customer, total=Money.of(1000, "GBP")) for _ in range(7)]
        first = await harness.erp.invoices_since(cursor, limit=3)
        assert len(first.rows) == 3, "a page holds as many rows as were asked for"
        assert first.more, "rows wait behind the first page"
        late = await harness.make_invoice(customer=customer, total=Money.of(1000, "GBP"))
        rest, end = await every_invoice_since(harness, first.cursor, limit=3)
        assert {row.erp_id for row in (*first.rows, *rest)} == {*made, late}
        assert await every_invoice_since(harness, end, limit=3) == ([], end), "nothing changed, nothing is read"

    @needs_trait(ErpTrait.MOVES, ErpTrait.READING)
    async def test_whatever_changes_an_invoice_brings_it_back_in_the_next_read(self, harness: ErpHarness) -> None:
        customer = await harness.make_customer(currency="USD")
        invoice = await harness.make_invoice(customer=customer, total=Money.of(5000, "USD"))
        payment = payment_of(customer, {invoice: Money.of(1000, "USD")})
        _, cursor = await every_invoice_since(harness, "", limit=100)
        changes: list[Awaitable[object]] = [
            harness.pay_by_hand(invoice=invoice, amount=Money.of(500, "USD")),
            harness.erp.post_payment(payment),
            harness.erp.post_reversal(reversal_of(payment)),
        ]
        for change in changes:
            await change
            rows, cursor = await every_invoice_since(harness, cursor, limit=100)
            assert [row.erp_id for row in rows] == [invoice]

    @needs_trait(ErpTrait.STATUS_WORDS)
    async def test_a_status_that_a_person_gives_an_invoice_brings_it_back(self, harness: ErpHarness) -> None:
        customer = await harness.make_customer(currency="USD")
        invoice = await harness.make_invoice(customer=customer, total=Money.of(5000, "USD"))
        _, cursor = await every_invoice_since(harness, "", limit=100)
        await harness.set_status_word(invoice=invoice, word="Word never heard")
        rows, _ = await every_invoice_since(harness, cursor, limit=100)
        assert [row.erp_id for row in rows] == [invoice]

    @needs_trait(ErpTrait.READING)
    async def test_customers_are_read_by_cursor(self, harness: ErpHarness) -> None:
        customer = await harness.make_customer(currency="EUR")
        found, cursor = await every_customer_since(harness, "")
        assert found[customer].currency == "EUR"
        assert not found[customer].paused
        later = await harness.make_customer(currency="EUR")
        assert list((await every_customer_since(harness, cursor))[0]) == [later]

    @needs_trait(ErpTrait.PAUSES)
    async def test_a_customer_who_is_paused_comes_back(self, harness: ErpHarness) -> None:
        customer = await harness.make_customer(currency="EUR")
        found, cursor = await every_customer_since(harness, "")
        assert not found[customer].paused
        await harness.pause_customer(customer=customer)
        page = await harness.erp.customers_since(cursor, limit=50)
        assert [(row.erp_id, row.paused) for row in page.rows] == [(customer, True)]

    @needs_trait(ErpTrait.READING)
    async def test_one_answer_holds_total_settled_and_the_settlements_that_add_up_to_it(self, harness: ErpHarness) -> None:
        customer = await harness.make_customer(currency="GBP")
        invoice = await harness.make_invoice(customer=customer, total=Money.of(12_000, "GBP"))
        await harness.pay_by_hand(invoice=invoice, amount=Money.of(2_000, "GBP"))
        payment = payment_of(customer, {invoice: Money.of(3_000, "GBP")})
        await harness.erp.post_payment(payment)
        found = await read(harness, invoice)
        assert (found.total, found.settled) == (Money.of(12_000, "GBP"), Money.of(5_000, "GBP"))
        assert sum(settlement.amount.minor for settlement in found.settlements) == 5_000
        by_reference = {settlement.reference: settlement.amount for settlement in found.settlements}
        assert by_reference == {None: Money.of(2_000, "GBP"), payment.reference: Money.of(3_000, "GBP")}
        assert all(settlement.document_number for settlement in found.settlements)

    @needs_trait(ErpTrait.STATUS_WORDS)
    async def test_a_status_never_heard_of_is_unknown_and_keeps_its_word(self, harness: ErpHarness) -> None:
        customer = await harness.make_customer(currency="GBP")
        invoice = await harness.make_invoice(customer=customer, total=Money.of(100, "GBP"))
        assert (await read(harness, invoice)).status is ErpInvoiceStatus.OPEN
        await harness.set_status_word(invoice=invoice, word="Word never heard")
        found = await read(harness, invoice)
        assert (found.status, found.status_word) == (ErpInvoiceStatus.UNKNOWN, "Word never heard")

    @needs_trait(ErpTrait.READING)
    async def test_many_invoices_are_read_by_id_and_missing_ones_are_left_out(self, harness: ErpHarness) -> None:
        customer = await harness.make_customer(currency="GBP")
        made = [await harness.make_invoice(customer=customer, total=Money.of(100, "GBP")) for _ in range(5)]
        asked = [*made, "no-such-invoice", made[0]]
        found = await harness.erp.invoices_by_id(asked)
        assert sorted(row.erp_id for row in found) == sorted(made)
        assert list(await harness.erp.invoices_by_id([])) == []

    @needs_trait(ErpTrait.READING)
    async def test_while_the_erp_is_down_a_read_is_unavailable_and_never_an_empty_answer(self, harness: ErpHarness) -> None:
        customer = await harness.make_customer(currency="GBP")
        invoice = await harness.make_invoice(customer=customer, total=Money.of(100, "GBP"))
        await harness.go_down()
        await raised(Unavailable, harness.erp.ping())
        await raised(Unavailable, harness.erp.invoices_by_id([invoice]))
        await raised(Unavailable, harness.erp.invoices_since("", limit=10))
        await raised(Unavailable, harness.erp.customers_since("", limit=10))
        await raised(Unavailable, harness.erp.find_document(fresh_reference()))
        await harness.come_back()
        assert (await read(harness, invoice)).erp_id == invoice


class ErpPosting(ErpSuite):
    """Writes: whole, found by reference, and truthful about what is not known."""

    @needs_trait(ErpTrait.READING)
    async def test_a_payment_is_written_with_its_allocations_and_its_unapplied_remainder(self, harness: ErpHarness) -> None:
        customer = await harness.make_customer(currency="USD")
        first = await harness.make_invoice(customer=customer, total=Money.of(10_000, "USD"))
        second = await harness.make_invoice(customer=customer, total=Money.of(4_000, "USD"))
        lines = {first: Money.of(10_000, "USD"), second: Money.of(1_500, "USD")}
        payment = payment_of(customer, lines, unapplied=Money.of(700, "USD"))
        posted = await harness.erp.post_payment(payment)
        assert (posted.amount, posted.reference) == (Money.of(12_200, "USD"), payment.reference)
        assert posted.erp_id
        assert posted.number
        paid, partly = await read(harness, first), await read(harness, second)
        assert (paid.settled, paid.status, paid.paid_on) == (Money.of(10_000, "USD"), ErpInvoiceStatus.PAID, ON)
        assert (partly.settled, partly.status) == (Money.of(1_500, "USD"), ErpInvoiceStatus.OPEN)

    @needs_trait(ErpTrait.MOVES)
    async def test_what_is_left_of_a_payment_can_be_applied_later_to_the_cent(self, harness: ErpHarness) -> None:
        customer = await harness.make_customer(currency="USD")
        first = await harness.make_invoice(customer=customer, total=Money.of(10_000, "USD"))
        second = await harness.make_invoice(customer=customer, total=Money.of(4_000, "USD"))
        lines = {first: Money.of(10_000, "USD"), second: Money.of(1_500, "USD")}
        payment = payment_of(customer, lines, unapplied=Money.of(700, "USD"))
        await harness.erp.post_payment(payment)
        await harness.erp.post_application(application_of(payment, {second: Money.of(700, "USD")}))
        more = application_of(payment, {second: Money.of(1, "USD")})
        await raised(Rejected, harness.erp.post_application(more))

    @needs_trait(ErpTrait.READING)
    async def test_amounts_keep_their_minor_units_in_every_currency(self, harness: ErpHarness) -> None:
        for currency in CURRENCIES:
            customer = await harness.make_customer(currency=currency)
            invoice = await harness.make_invoice(customer=customer, total=Money.of(123_457, currency))
            payment = payment_of(customer, {invoice: Money.of(123_456, currency)})
            posted = await harness.erp.post_payment(payment)
            found = await read(harness, invoice)
            assert posted.amount == Money.of(123_456, currency)
            assert found.total - found.settled == Money.of(1, currency)

    async def test_a_document_is_found_by_its_reference_and_nothing_else_is(self, harness: ErpHarness) -> None:
        customer = await harness.make_customer(currency="EUR")
        invoice = await harness.make_invoice(customer=customer, total=Money.of(900, "EUR"))
        payment = payment_of(customer, {invoice: Money.of(900, "EUR")})
        assert list(await harness.erp.find_document(payment.reference)) == []
        posted = await harness.erp.post_payment(payment)
        assert [(row.erp_id, row.amount) for row in await harness.erp.find_document(payment.reference)] == [
            (posted.erp_id, posted.amount)
        ]
        assert list(await harness.erp.find_document(payment.reference[:-1])) == []

    @needs_trait(ErpTrait.READING)
    async def test_a_payment_deleted_by_a_person_no_longer_settles_anything(self, harness: ErpHarness) -> None:
        customer = await harness.make_customer(currency="EUR")
        invoice = await harness.make_invoice(customer=customer, total=Money.of(900, "EUR"))
        payment = payment_of(customer, {invoice: Money.of(900, "EUR")})
        await harness.erp.post_payment(payment)
        await harness.delete_payment(reference=payment.reference)
        found = await read(harness, invoice)
        assert (found.settled, found.settlements, found.status) == (Money.zero("EUR"), (), ErpInvoiceStatus.OPEN)
        assert not any(document.stands for document in await harness.erp.find_document(payment.reference))

    @needs_trait(ErpTrait.LOST_ANSWERS)
    async def test_an_answer_that_is_lost_is_unknown_and_the_document_is_found_once(self, harness: ErpHarness) -> None:
        for break_it in (harness.lose_next_answer, harness.fail_after_next_write):
            customer = await harness.make_customer(currency="GBP")
            invoice = await harness.make_invoice(customer=customer, total=Money.of(900, "GBP"))
            payment = payment_of(customer, {invoice: Money.of(900, "GBP")})
            await break_it()
            await raised(OutcomeUnknown, harness.erp.post_payment(payment))
            found = await harness.erp.find_document(payment.reference)
            assert [document.amount for document in found] == [payment.amount]
            assert await harness.count_documents(reference=payment.reference) == 1
            if not found[0].is_finished:
                await harness.erp.post_payment(payment)
                (whole,) = await harness.erp.find_document(payment.reference)
                assert (whole.amount, whole.is_finished) == (payment.amount, True)
                assert await harness.count_documents(reference=payment.reference) == 1
                assert (await read(harness, invoice)).settled == payment.amount

    async def test_while_the_erp_is_down_a_write_is_unavailable_and_nothing_is_written(self, harness: ErpHarness) -> None:
        customer = await harness.make_customer(currency="GBP")
        invoice = await harness.make_invoice(customer=customer, total=Money.of(900, "GBP"))
        payment = payment_of(customer, {invoice: Money.of(900, "GBP")})
        await harness.go_down()
        await raised(Unavailable, harness.erp.post_payment(payment))
        await harness.come_back()
        assert await harness.count_documents(reference=payment.reference) == 0
        await harness.erp.post_payment(payment)
        assert await harness.count_documents(reference=payment.reference) == 1

    @needs_trait(ErpTrait.READING)
    async def test_a_refusal_says_the_erps_own_words_and_nothing_is_written(self, harness: ErpHarness) -> None:
        customer = await harness.make_customer(currency="GBP")
        invoice = await harness.make_invoice(customer=customer, total=Money.of(900, "GBP"))
        payment = payment_of(customer, {invoice: Money.of(900, "GBP")})
        sentence = await harness.refuse_customer(customer=customer)
        refused = await raised(Rejected, harness.erp.post_payment(payment))
        assert sentence
        assert refused.sentence == sentence
        assert refused.code
        assert await harness.count_documents(reference=payment.reference) == 0
        assert (await read(harness, invoice)).settled == Money.zero("GBP")

    @needs_trait(ErpTrait.READING)
    async def test_what_an_invoice_cannot_take_is_refused_whole(self, harness: ErpHarness) -> None:
        customer = await harness.make_customer(currency="GBP")
        other = await harness.make_customer(currency="GBP")
        small = await harness.make_invoice(customer=customer, total=Money.of(900, "GBP"))
        theirs = await harness.make_invoice(customer=other, total=Money.of(900, "GBP"))
        for lines in (
            {small: Money.of(901, "GBP")},
            {small: Money.of(100, "GBP"), theirs: Money.of(100, "GBP")},
            {small: Money.of(100, "GBP"), "no-such-invoice": Money.of(100, "GBP")},
        ):
            payment = payment_of(customer, lines)
            await raised(Rejected, harness.erp.post_payment(payment))
            assert await harness.count_documents(reference=payment.reference) == 0
        assert (await read(harness, small)).settled == Money.zero("GBP")


class ErpTakingBack(ErpSuite):
    """Reversals and applications: invoices open again, unapplied money moves, our reference stays on what is ours."""

    @needs_trait(ErpTrait.MOVES, ErpTrait.READING)
    async def test_a_reversal_opens_the_invoices_again_and_leaves_nothing_of_ours(self, harness: ErpHarness) -> None:
        customer = await harness.make_customer(currency="USD")
        first = await harness.make_invoice(customer=customer, total=Money.of(1_000, "USD"))
        second = await harness.make_invoice(customer=customer, total=Money.of(2_000, "USD"))
        lines = {first: Money.of(1_000, "USD"), second: Money.of(500, "USD")}
        payment = payment_of(customer, lines, unapplied=Money.of(250, "USD"))
        await harness.erp.post_payment(payment)
        reversal = reversal_of(payment)
        posted = await harness.erp.post_reversal(reversal)
        assert (posted.reference, posted.amount) == (reversal.reference, payment.amount)
        for invoice in (first, second):
            found = await read(harness, invoice)
            assert (found.settled, found.status) == (Money.zero("USD"), ErpInvoiceStatus.OPEN)
            ours = sum(settlement.amount.minor for settlement in found.settlements if settlement.reference)
            assert ours == 0
        assert [row.erp_id for row in await harness.erp.find_document(reversal.reference)] == [posted.erp_id]

    @needs_trait(ErpTrait.MOVES, ErpTrait.READING)
    async def test_a_payment_cannot_be_taken_back_twice(self, harness: ErpHarness) -> None:
        customer = await harness.make_customer(currency="USD")
        invoice = await harness.make_invoice(customer=customer, total=Money.of(1_000, "USD"))
        payment = payment_of(customer, {invoice: Money.of(1_000, "USD")})
        await harness.erp.post_payment(payment)
        await harness.erp.post_reversal(reversal_of(payment))
        await raised(Rejected, harness.erp.post_reversal(reversal_of(payment)))
        assert (await read(harness, invoice)).settled == Money.zero("USD")

    @needs_trait(ErpTrait.LOST_ANSWERS)
    async def test_the_lost_answer_of_a_reversal_is_unknown_and_it_is_found_once(self, harness: ErpHarness) -> None:
        customer = await harness.make_customer(currency="USD")
        invoice = await harness.make_invoice(customer=customer, total=Money.of(1_000, "USD"))
        payment = payment_of(customer, {invoice: Money.of(1_000, "USD")})
        await harness.erp.post_payment(payment)
        reversal = reversal_of(payment)
        await harness.lose_next_answer()
        await raised(OutcomeUnknown, harness.erp.post_reversal(reversal))
        assert len(await harness.erp.find_document(reversal.reference)) == 1
        assert await harness.count_documents(reference=reversal.reference) == 1

    @needs_trait(ErpTrait.MOVES, ErpTrait.READING)
    async def test_unapplied_money_moves_on_an_invoice_and_off_again(self, harness: ErpHarness) -> None:
        customer = await harness.make_customer(currency="JPY")
        invoice = await harness.make_invoice(customer=customer, total=Money.of(5_000, "JPY"))
        payment = payment_of(customer, {}, unapplied=Money.of(3_000, "JPY"))
        await harness.erp.post_payment(payment)
        applied = application_of(payment, {invoice: Money.of(3_000, "JPY")})
        posted = await harness.erp.post_application(applied)
        assert posted.reference == applied.reference
        found = await read(harness, invoice)
        assert found.settled == Money.of(3_000, "JPY")
        ours = [settlement for settlement in found.settlements if settlement.reference is not None]
        assert sum(settlement.amount.minor for settlement in ours) == 3_000
        assert {settlement.reference for settlement in ours} <= {payment.reference, applied.reference}
        taken_off = application_of(payment, {invoice: Money.of(-3_000, "JPY")})
        await harness.erp.post_application(taken_off)
        assert (await read(harness, invoice)).settled == Money.zero("JPY")
        too_much = application_of(payment, {invoice: Money.of(-1, "JPY")})
        await raised(Rejected, harness.erp.post_application(too_much))

    @needs_trait(ErpTrait.MOVES, ErpTrait.READING)
    async def test_one_application_moves_money_from_one_invoice_to_another(self, harness: ErpHarness) -> None:
        customer = await harness.make_customer(currency="GBP")
        wrong = await harness.make_invoice(customer=customer, total=Money.of(1_000, "GBP"))
        right = await harness.make_invoice(customer=customer, total=Money.of(1_000, "GBP"))
        payment = payment_of(customer, {wrong: Money.of(600, "GBP")})
        await harness.erp.post_payment(payment)
        move = application_of(payment, {wrong: Money.of(-600, "GBP"), right: Money.of(600, "GBP")})
        await harness.erp.post_application(move)
        assert (await read(harness, wrong)).settled == Money.zero("GBP")
        assert (await read(harness, right)).settled == Money.of(600, "GBP")

    async def test_a_second_document_with_one_reference_is_what_the_connector_says_it_is(self, harness: ErpHarness) -> None:
        customer = await harness.make_customer(currency="GBP")
        invoice = await harness.make_invoice(customer=customer, total=Money.of(1_000, "GBP"))
        payment = payment_of(customer, {invoice: Money.of(300, "GBP")})
        first = await harness.erp.post_payment(payment)
        again = await harness.erp.post_payment(replace(payment, memo="Sent a second time"))
        count = await harness.count_documents(reference=payment.reference)
        if harness.erp.has_unique_references:
            assert (count, again.erp_id) == (1, first.erp_id)
        else:
            # A connector that looks before it writes finds the first; one that does not has written a second.
            assert count == len(await harness.erp.find_document(payment.reference))
            assert count == (1 if again.erp_id == first.erp_id else 2)


class ErpConformance(ErpReading, ErpPosting, ErpTakingBack):
    """All of it."""

    def test_what_is_left_out_is_declared_and_counted(self, harness: ErpHarness) -> None:
        assert dict(traits_left_out(type(self), harness)) == dict(harness.lacks)
        assert all(harness.lacks.values()), "what takes no test away need not be declared"

    def test_whatever_the_connector_claims_is_tried_by_a_suite(self, harness: ErpHarness) -> None:
        assert claims_not_tried(harness.erp, type(self)) == []
