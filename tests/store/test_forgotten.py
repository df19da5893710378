"""Some ERPs say of what was deleted only that it is gone: not whose it was, nor how much."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from connectors.payments.ports import ChargeStatus
from domain.money import Money
from domain.receivables import CreditKind, ErpCredit, ErpInvoice, ErpInvoiceStatus, ErpPaid, ErpPayment
from store import erp_credits, erp_streams, snapshots
from tests.machine import Database as Addresses
from tests.store.money import ERP, Books, books_of

ON = date(2026, 3, 1)
NOTHING = Money.zero("USD")


def gone(erp_id: str) -> ErpInvoice:
    return ErpInvoice(
        erp_id=erp_id,
        customer_erp_id="",
        number=erp_id,
        currency="USD",
        total=NOTHING,
        settled=NOTHING,
        issued_on=ON,
        due_on=ON,
        status=ErpInvoiceStatus.VOID,
        status_word="Deleted",
        deleted=True,
    )


def credit(customer: str, *, total: int, deleted: bool = False) -> ErpCredit:
    money = Money.of(total, "USD")
    return ErpCredit(
        erp_id="credit-1",
        customer_erp_id=customer,
        number="CM-1",
        kind=CreditKind.CREDIT_NOTE,
        issued_on=ON,
        total=money,
        used=NOTHING,
        deleted=deleted,
    )


async def take(books: Books, told: ErpCredit) -> None:
    async with books.store.begin("test") as tx:
        seq = await snapshots.next_seq(tx)
        await erp_credits.take(tx, [told], seq, connection_id=ERP, at=books.at)


async def test_an_invoice_of_which_only_that_is_told_is_deleted_and_keeps_its_customer(database: Addresses) -> None:
    async with books_of(database) as books:
        customer_id, (kept, lost) = await books.customer(10_000, 5_000)
        row = await books.one("SELECT erp_id FROM invoices WHERE id = :id", id=lost)
        await books.tell([gone(row.erp_id), gone("never-read")])
        found = await books.rows("SELECT id, customer_id, total, deleted FROM invoices ORDER BY total DESC")
        assert [(each.id, each.customer_id, each.total, each.deleted) for each in found] == [
            (kept, customer_id, 10_000, False),
            (lost, customer_id, 5_000, True),
        ]


async def test_our_money_on_an_invoice_that_is_gone_is_not_forgotten(database: Addresses) -> None:
    async with books_of(database) as books:
        customer_id, (lost,) = await books.customer(5_000)
        payment_id = await books.opened(customer_id, (lost, 5_000))
        await books.record(payment_id, ChargeStatus.CAPTURED)
        row = await books.one("SELECT erp_id FROM invoices WHERE id = :id", id=lost)
        await books.tell([gone(row.erp_id)])
        after = await books.one("SELECT deleted, settled FROM invoices WHERE id = :id", id=lost)
        assert (after.deleted, after.settled) == (True, 0)
        assert await books.allocated(payment_id) == {lost: 5_000}, "it is not forgotten here"


async def test_a_credit_of_which_only_that_is_told_can_no_longer_be_used(database: Addresses) -> None:
    async with books_of(database) as books:
        customer_id, _ = await books.customer(5_000)
        row = await books.one("SELECT erp_id FROM customers WHERE id = :id", id=customer_id)
        await take(books, credit(row.erp_id, total=3_000))
        await take(books, credit("", total=0, deleted=True))
        left = await books.one("SELECT k.deleted, k.total, b.unapplied FROM credits k JOIN credit_balances b ON b.id = k.id")
        assert (left.deleted, left.total, left.unapplied) == (True, 3_000, 0)


async def test_a_payment_document_of_which_only_that_is_told_no_longer_stands(database: Addresses) -> None:
    async with books_of(database) as books:
        customer_id, _ = await books.customer(5_000)
        row = await books.one("SELECT erp_id FROM customers WHERE id = :id", id=customer_id)
        amount = Money.of(900, "USD")
        standing = ErpPayment(
            erp_id="payment-1",
            customer_erp_id=row.erp_id,
            number="P-1",
            amount=amount,
            unapplied=NOTHING,
            received_on=ON,
            lines=(ErpPaid(invoice_erp_id="invoice-1", amount=amount),),
            reference="pay-1",
        )
        forgotten = replace(standing, customer_erp_id="", amount=NOTHING, lines=(), reference=None, stands=False)
        for told in (standing, forgotten):
            async with books.store.begin("test") as tx:
                seq = await snapshots.next_seq(tx)
                written = await erp_streams.take_payments(tx, [told], seq, connection_id=ERP, at=books.at)
            assert list(written) == ["payment-1"]
        found = await books.one("SELECT reference, amount, stands, lines FROM erp_payments")
        assert (found.reference, found.amount, found.stands, found.lines) == ("pay-1", 900, False, [])
