"""The ERP's own sums beside ours: what a cursor missed is found and read again; what the ledger alone knows is said."""

from __future__ import annotations

from activities.totals import ControlTotals
from tests.launch.town import Town
from tests.store.money import ERP


async def compare(town: Town) -> int:
    return await ControlTotals(town.books.store, town.books.now).compare(town.connector, ERP)


async def open_differences(town: Town) -> list[tuple[str, int]]:
    rows = await town.books.rows("SELECT kind, amount FROM differences WHERE closed_at IS NULL ORDER BY kind")
    return [(row.kind, row.amount) for row in rows]


async def test_books_with_payments_credits_and_what_people_did_agree_to_the_cent(town: Town) -> None:
    customer_id, (first, second, third) = await town.customer(1_000, 2_000, 700)
    await town.paid(customer_id, (first, 1_000), (second, 500))
    await town.post()
    await town.enter_credit(customer_id, 300)
    town.erp.act("pay_by_hand", invoice_id=await there(town, second), amount=250)
    town.erp.act("write_off", invoice_id=await there(town, third))
    await town.customer(400)
    await town.sync()
    assert await compare(town) == 0
    assert await open_differences(town) == []


async def test_money_on_an_invoice_that_is_void_is_in_the_ledger_and_is_no_gap(town: Town) -> None:
    """It is told as what it is (paid_then_void), and not as a booking that nobody knows."""
    customer_id, (first, second) = await town.customer(1_000, 2_000)
    await town.paid(customer_id, (first, 1_000))
    await town.paid(customer_id, (second, 500))
    await town.post()
    town.erp.act("void", invoice_id=await there(town, first))
    town.erp.act("delete_invoice", invoice_id=await there(town, second))
    await town.sync()
    assert await compare(town) == 0
    assert await open_differences(town) == []


async def there(town: Town, invoice_id: str) -> str:
    """The ERP's id of an invoice."""
    return str((await town.books.one("SELECT erp_id FROM invoices WHERE id = :id", id=invoice_id)).erp_id)


async def test_an_invoice_whose_change_was_missed_is_read_again_at_once(town: Town) -> None:
    _, (first, second) = await town.customer(1_000, 2_000)
    await town.books.damage("UPDATE invoices SET settled = 400 WHERE id = :id", id=first)
    assert await town.books.balance(first) == (600, 0)
    assert await compare(town) == 0
    assert await town.books.balance(first) == (1_000, 0)
    assert await open_differences(town) == []
    # As many, and as much: only who looks at each would see it, and that is what cursors are for.
    await town.books.damage("UPDATE invoices SET deleted = true WHERE id = :id", id=second)
    assert await compare(town) == 0
    assert await town.books.count("invoices", "NOT deleted") == 2


async def test_an_invoice_that_was_never_told_is_a_difference_until_everything_was_read_again(town: Town) -> None:
    _, (first, _) = await town.customer(1_000, 2_000)
    await town.books.damage("DELETE FROM invoices WHERE id = :id", id=first)
    await town.sync()
    assert await town.books.count("invoices") == 1, "no later read brings it"
    assert await compare(town) == 1
    assert await open_differences(town) == [("customer_total", 1_000)]
    row = await town.books.one("SELECT facts FROM differences")
    assert row.facts == {"there": "2 open, 30.00 USD", "here": "1 open, 20.00 USD"}
    await town.sync()
    assert await town.books.count("invoices") == 2
    assert await compare(town) == 0
    assert await open_differences(town) == []


async def test_everything_is_read_again_once_and_not_every_night(town: Town) -> None:
    """What still differs afterwards is a person's: reading a million invoices each night would not mend it."""
    _, (first,) = await town.customer(1_000)
    town.erp.act("set_state", invoice_id=await there(town, first), state="Word never heard")
    await town.sync()
    assert await compare(town) == 1, "the ERP does not count it as open, and we do not know"
    await town.sync()
    cursor = (await town.books.one("SELECT cursor FROM sync_cursors WHERE entity = 'invoices'")).cursor
    assert cursor != ""
    assert await compare(town) == 1
    assert (await town.books.one("SELECT cursor FROM sync_cursors WHERE entity = 'invoices'")).cursor == cursor


async def test_what_only_the_general_ledger_knows_is_said_once(town: Town) -> None:
    await town.customer(1_000)
    town.erp.act("book_on_receivables", amount=125, currency="USD")
    assert await compare(town) == 1
    assert await open_differences(town) == [("ledger_total", 125)]
    row = await town.books.one("SELECT customer_id, facts FROM differences")
    assert row.customer_id is None
    assert row.facts["documents"] == "10.00 USD"
    assert await compare(town) == 1
    assert await town.books.count("differences") == 1, "the same difference, seen again"
