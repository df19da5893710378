"""A parent and its children: what one pays, the other sees as paid, before and after the ERP has confirmed it."""

from __future__ import annotations

from connectors.payments.ports import ChargeStatus
from store.database import Database
from tests.machine import Database as Addresses
from tests.store.money import books_of


async def test_a_child_sees_as_paid_what_its_parent_paid_and_the_erp_has_not_confirmed(database: Addresses) -> None:
    async with books_of(database) as books:
        child, (invoice_id,) = await books.customer(10_000)
        parent, _ = await books.customer(500)
        payment_id = await books.opened(parent, (invoice_id, 10_000), customer_ids=(parent, child))
        await books.record(payment_id, ChargeStatus.CAPTURED)
        portal = Database(database.portal_url)
        try:
            for family in ([child], [parent, child]):
                async with portal.read_as(family, hide_paused=True) as tx:
                    row = await tx.row("SELECT open, shown FROM invoice_states WHERE id = :id", id=invoice_id)
                assert row is not None
                assert (row.open, row.shown) == (0, "paid")
        finally:
            await portal.close()


async def test_another_amount_at_the_provider_is_a_difference_whatever_the_payment_was_doing(database: Addresses) -> None:
    async with books_of(database) as books:
        customer_id, (first, second) = await books.customer(10_000, 10_000)
        flying = await books.opened(customer_id, (first, 10_000))
        ended = await books.opened(customer_id, (second, 10_000))
        await books.record(ended, ChargeStatus.DECLINED)
        for payment_id, state in ((flying, "unknown"), (ended, "declined")):
            for _ in range(2):
                await books.record(payment_id, ChargeStatus.CAPTURED, minor=9_000)
            row = await books.one("SELECT state FROM payments WHERE id = :id", id=payment_id)
            assert row.state == state
            opened = await books.one(
                "SELECT amount FROM differences WHERE process_id = :id AND kind = 'another_amount'", id=payment_id
            )
            assert opened.amount == -1_000
