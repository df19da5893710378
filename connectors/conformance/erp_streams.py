"""What an ERP connector must pass for each further thing that it can be read for: subclass what it claims beside
`ErpConformance`, with the same `harness`. A claim that no test of a suite tries fails.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol, TypeVar

from connectors.conformance.erp_documents import ErpTypesetting
from connectors.conformance.erp_harness import ON, ErpHarness, ErpUnderTest, fresh_reference, payment_of, reversal_of
from connectors.conformance.erp_refunds import ErpRefunding
from connectors.erp.ports import (
    ErpPayment,
    Page,
    PostsRefunds,
    QuoteStatus,
    ReadsControlTotals,
    ReadsDeposits,
    ReadsOpenTotals,
    ReadsPayments,
    ReadsQuotes,
    ReadsRecurring,
    TypesetsDocuments,
)
from domain.money import Money

T = TypeVar("T")


class PaymentsErpUnderTest(ErpUnderTest, ReadsPayments, Protocol):
    """A connector that tells payment documents."""


class PaymentsErpHarness(ErpHarness, Protocol):
    """A far side whose connector tells payment documents."""

    erp: PaymentsErpUnderTest


class OpenTotalsErpUnderTest(ErpUnderTest, ReadsOpenTotals, Protocol):
    """A connector that tells what each customer owes."""


class OpenTotalsErpHarness(ErpHarness, Protocol):
    """A far side whose connector tells what each customer owes."""

    erp: OpenTotalsErpUnderTest


class TotalsErpUnderTest(OpenTotalsErpUnderTest, ReadsControlTotals, Protocol):
    """A connector that tells the general ledger's account, too."""


class TotalsErpHarness(OpenTotalsErpHarness, Protocol):
    """A far side whose connector tells the general ledger's account, too."""

    erp: TotalsErpUnderTest


class QuotesErpUnderTest(ErpUnderTest, ReadsQuotes, Protocol):
    """A connector that tells quotes."""


class QuotesErpHarness(ErpHarness, Protocol):
    """A far side with quotes."""

    erp: QuotesErpUnderTest

    async def make_quote(self, *, customer: str, total: Money) -> str:
        """A quote that the customer can accept; answers its id."""
        ...

    async def accept_quote(self, *, quote: str) -> None:
        """A person notes that the customer accepted."""
        ...

    async def delete_quote(self, *, quote: str) -> None:
        """A person deletes it."""
        ...


class RecurringErpUnderTest(ErpUnderTest, ReadsRecurring, Protocol):
    """A connector that tells templates of invoices."""


class RecurringErpHarness(ErpHarness, Protocol):
    """A far side with templates that invoices are made from."""

    erp: RecurringErpUnderTest

    async def make_template(self, *, customer: str, amount: Money) -> str:
        """An active template; answers its id."""
        ...

    async def stop_template(self, *, template: str) -> None:
        """A person ends it."""
        ...

    async def delete_template(self, *, template: str) -> None:
        """A person deletes it."""
        ...


async def everything_since(read: Callable[..., Awaitable[Page[T]]], cursor: str, *, limit: int) -> tuple[list[T], str]:
    """All pages after a cursor, and the cursor after them."""
    found: list[T] = []
    more = True
    while more:
        page = await read(cursor, limit=limit)
        assert len(page.rows) <= limit, "a page holds no more rows than were asked for"
        found.extend(page.rows)
        cursor, more = page.cursor, page.more
    return found, cursor


class ErpPaymentDocuments:
    """Every payment document in the books: ours and people's, with what it settles; one that is taken back comes again."""

    async def test_payments_of_ours_and_of_people_are_told_with_what_they_settle(self, harness: PaymentsErpHarness) -> None:
        customer = await harness.make_customer(currency="EUR")
        first, second = [await harness.make_invoice(customer=customer, total=Money.of(900, "EUR")) for _ in range(2)]
        _, cursor = await everything_since(harness.erp.payments_since, "", limit=100)
        lines = {first: Money.of(900, "EUR"), second: Money.of(100, "EUR")}
        payment = payment_of(customer, lines, unapplied=Money.of(50, "EUR"))
        posted = await harness.erp.post_payment(payment)
        await harness.pay_by_hand(invoice=second, amount=Money.of(300, "EUR"))
        found, cursor = await everything_since(harness.erp.payments_since, cursor, limit=1)
        by_reference: dict[str | None, ErpPayment] = {each.reference: each for each in found}
        assert set(by_reference) == {payment.reference, None}, "one that is told twice in a read is told as it stands last"
        ours, theirs = by_reference[payment.reference], by_reference[None]
        assert (ours.erp_id, ours.number, ours.amount) == (posted.erp_id, posted.number, payment.amount)
        assert ({line.invoice_erp_id: line.amount for line in ours.lines}, ours.unapplied) == (lines, Money.of(50, "EUR"))
        assert (ours.customer_erp_id, ours.received_on, ours.stands) == (customer, ON, True)
        assert theirs.amount == Money.of(300, "EUR")
        assert {line.invoice_erp_id: line.amount for line in theirs.lines} == {second: Money.of(300, "EUR")}
        assert (theirs.customer_erp_id, theirs.unapplied, theirs.stands) == (customer, Money.zero("EUR"), True)
        assert await everything_since(harness.erp.payments_since, cursor, limit=100) == ([], cursor)

    async def test_a_payment_that_is_taken_back_comes_again_and_does_not_stand(self, harness: PaymentsErpHarness) -> None:
        customer = await harness.make_customer(currency="EUR")
        invoice = await harness.make_invoice(customer=customer, total=Money.of(900, "EUR"))
        reversed_, deleted = (payment_of(customer, {invoice: Money.of(400, "EUR")}) for _ in range(2))
        for payment in (reversed_, deleted):
            await harness.erp.post_payment(payment)
        _, cursor = await everything_since(harness.erp.payments_since, "", limit=100)
        await harness.erp.post_reversal(reversal_of(reversed_))
        await harness.delete_payment(reference=deleted.reference)
        found, _ = await everything_since(harness.erp.payments_since, cursor, limit=100)
        told = {each.reference: each for each in found if each.reference is not None}
        for payment in (reversed_, deleted):
            assert not told[payment.reference].stands
            assert told[payment.reference].lines == ()


class ErpQuotes:
    """Quotes: told as they stand, and again when they change or are deleted."""

    async def test_a_quote_is_told_and_told_again_when_it_is_accepted_or_deleted(self, harness: QuotesErpHarness) -> None:
        customer = await harness.make_customer(currency="EUR")
        _, cursor = await everything_since(harness.erp.quotes_since, "", limit=100)
        quote = await harness.make_quote(customer=customer, total=Money.of(12_345, "EUR"))
        (found,), cursor = await everything_since(harness.erp.quotes_since, cursor, limit=100)
        assert (found.erp_id, found.customer_erp_id, found.total) == (quote, customer, Money.of(12_345, "EUR"))
        assert (found.status, found.deleted) == (QuoteStatus.OPEN, False)
        assert found.number
        assert found.status_word
        await harness.accept_quote(quote=quote)
        (found,), cursor = await everything_since(harness.erp.quotes_since, cursor, limit=100)
        assert (found.erp_id, found.status) == (quote, QuoteStatus.ACCEPTED)
        await harness.delete_quote(quote=quote)
        (found,), cursor = await everything_since(harness.erp.quotes_since, cursor, limit=100)
        assert (found.erp_id, found.deleted) == (quote, True)
        assert await everything_since(harness.erp.quotes_since, cursor, limit=100) == ([], cursor)

    async def test_quotes_are_read_by_pages_and_none_is_missed(self, harness: QuotesErpHarness) -> None:
        customer = await harness.make_customer(currency="EUR")
        _, cursor = await everything_since(harness.erp.quotes_since, "", limit=100)
        made = {await harness.make_quote(customer=customer, total=Money.of(100, "EUR")) for _ in range(5)}
        found, _ = await everything_since(harness.erp.quotes_since, cursor, limit=2)
        assert {each.erp_id for each in found} == made


class ErpTemplates:
    """Templates that invoices are made from."""

    async def test_a_template_is_told_and_told_again_when_it_ends_or_is_deleted(self, harness: RecurringErpHarness) -> None:
        customer = await harness.make_customer(currency="EUR")
        _, cursor = await everything_since(harness.erp.recurring_since, "", limit=100)
        template = await harness.make_template(customer=customer, amount=Money.of(4_900, "EUR"))
        (found,), cursor = await everything_since(harness.erp.recurring_since, cursor, limit=100)
        assert (found.erp_id, found.customer_erp_id, found.amount) == (template, customer, Money.of(4_900, "EUR"))
        assert (found.active, found.deleted) == (True, False)
        assert found.frequency
        await harness.stop_template(template=template)
        (found,), cursor = await everything_since(harness.erp.recurring_since, cursor, limit=100)
        assert (found.erp_id, found.active) == (template, False)
        await harness.delete_template(template=template)
        (found,), cursor = await everything_since(harness.erp.recurring_since, cursor, limit=100)
        assert (found.erp_id, found.deleted) == (template, True)
        assert await everything_since(harness.erp.recurring_since, cursor, limit=100) == ([], cursor)


class ErpOpenTotals:
    """The ERP's own sums: what each customer owes."""

    async def test_what_a_customer_owes_is_counted_and_summed_up_over_open_invoices(
        self, harness: OpenTotalsErpHarness
    ) -> None:
        customer, other = [await harness.make_customer(currency="EUR") for _ in range(2)]
        first, second = [await harness.make_invoice(customer=customer, total=Money.of(900, "EUR")) for _ in range(2)]
        await harness.make_invoice(customer=other, total=Money.of(10, "EUR"))
        assert await self.owed(harness, customer) == {"EUR": (2, 1_800)}
        await harness.pay_by_hand(invoice=first, amount=Money.of(250, "EUR"))
        assert await self.owed(harness, customer) == {"EUR": (2, 1_550)}
        await harness.erp.post_payment(payment_of(customer, {second: Money.of(900, "EUR")}, unapplied=Money.of(70, "EUR")))
        assert await self.owed(harness, customer) == {"EUR": (1, 650)}, "money that lies on no invoice is not in it"
        assert await self.owed(harness, other) == {"EUR": (1, 10)}

    async def owed(self, harness: OpenTotalsErpHarness, customer: str) -> Mapping[str, tuple[int, int]]:
        """By currency: how many invoices, and how much in minor units."""
        found, _ = await everything_since(harness.erp.open_totals, "", limit=50)
        rows = [each for each in found if each.customer_erp_id == customer]
        assert len(rows) == len({each.open.currency for each in rows}), "a customer is told once in a currency"
        return {each.open.currency: (each.count, each.open.minor) for each in rows}


class ErpControlTotals(ErpOpenTotals):
    """The ERP's own sums: what each customer owes, and the general ledger's account."""

    async def test_the_general_ledger_knows_what_lies_on_no_invoice_too(self, harness: TotalsErpHarness) -> None:
        customer = await harness.make_customer(currency="EUR")
        before = await self.ledger(harness)
        invoice = await harness.make_invoice(customer=customer, total=Money.of(1_000, "EUR"))
        assert await self.ledger(harness) == before + 1_000
        await harness.erp.post_payment(payment_of(customer, {invoice: Money.of(300, "EUR")}, unapplied=Money.of(200, "EUR")))
        assert await self.ledger(harness) == before + 500

    async def ledger(self, harness: TotalsErpHarness) -> int:
        """The balance in euro, in cents."""
        return sum(each.minor for each in await harness.erp.receivable_balances() if each.currency == "EUR")


class DepositErpUnderTest(ErpUnderTest, ReadsDeposits, Protocol):
    """A connector that shows deposits too."""


class DepositErpHarness(ErpHarness, Protocol):
    """A harness whose far side has a bank account in its books."""

    erp: DepositErpUnderTest

    async def enter_deposit(self, *, reference: str, amount: Money) -> str:
        """A person enters what arrived at the bank; its id there."""
        ...

    async def delete_deposit(self, *, reference: str) -> None:
        """A person deletes it."""
        ...


class ErpDeposits:
    """What people entered on the bank account, by the references that they gave it."""

    async def test_a_deposit_is_shown_by_its_reference_for_as_long_as_it_stands(self, harness: DepositErpHarness) -> None:
        payout, collected = fresh_reference(), fresh_reference()
        assert list(await harness.erp.deposits_of([payout])) == []
        made = await harness.enter_deposit(reference=payout, amount=Money.of(9_805, "EUR"))
        again = await harness.enter_deposit(reference=payout, amount=Money.of(5, "EUR"))
        taken = await harness.enter_deposit(reference=collected, amount=Money.of(-300, "EUR"))
        found = await harness.erp.deposits_of([payout, collected, "never_was_here"])
        assert [(each.erp_id, each.reference, each.amount.minor) for each in found] == [
            (made, payout, 9_805),
            (again, payout, 5),
            (taken, collected, -300),
        ]
        await harness.delete_deposit(reference=payout)
        assert [each.erp_id for each in await harness.erp.deposits_of([payout, collected])] == [taken]


TRIED_BY: Final[Mapping[Any, type]] = {
    PostsRefunds: ErpRefunding,
    ReadsPayments: ErpPaymentDocuments,
    ReadsQuotes: ErpQuotes,
    ReadsRecurring: ErpTemplates,
    ReadsOpenTotals: ErpOpenTotals,
    ReadsControlTotals: ErpControlTotals,
    ReadsDeposits: ErpDeposits,
    TypesetsDocuments: ErpTypesetting,
}
"""What a connector may claim, and the suite that tries it."""


def claims_not_tried(connector: object, suite: type) -> list[str]:
    """What a connector claims and no test of a suite tries; and what a suite tries and the connector does not claim."""
    wrong = []
    for claim, tries in TRIED_BY.items():
        if isinstance(connector, claim) and not issubclass(suite, tries):
            wrong.append(f"it claims {claim.__name__}, and {tries.__name__} is not among its tests")
        if issubclass(suite, tries) and not isinstance(connector, claim):
            wrong.append(f"{tries.__name__} is among its tests, and it does not claim {claim.__name__}")
    return wrong
