"""What an ERP tells besides invoices is stored once, written only where it changed, and shown to nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, timedelta

import psycopg
import pytest
import pytest_asyncio
from sqlalchemy.exc import DBAPIError

from domain.receivables import ErpLine, ErpPaid, ErpPayment, ErpQuote, ErpRecurring, QuoteStatus
from store import erp_streams, streams
from store.database import Database
from tests import machine
from tests.store.money import AT, ERP, Books, books_of, usd

DAY = date(2026, 11, 20)


@pytest_asyncio.fixture
async def books(database: machine.Database) -> AsyncIterator[Books]:
    async with books_of(database) as opened:
        yield opened


async def customer(books: Books) -> tuple[str, str]:
    """(our id, the ERP's)."""
    ours, _ = await books.customer()
    return ours, (await books.one("SELECT erp_id FROM customers WHERE id = :id", id=ours)).erp_id


def payment(owner: str, erp_id: str = "P-1", *, unapplied: int = 40, stands: bool = True) -> ErpPayment:
    return ErpPayment(
        erp_id=erp_id,
        customer_erp_id=owner,
        number=erp_id,
        amount=usd(100),
        unapplied=usd(unapplied),
        received_on=DAY,
        lines=(ErpPaid(invoice_erp_id="I-2", amount=usd(25)), ErpPaid(invoice_erp_id="I-1", amount=usd(35))),
        reference="pay_1",
        author="mary",
        stands=stands,
    )


def quote(owner: str, erp_id: str = "Q-1", *, status: QuoteStatus = QuoteStatus.OPEN, deleted: bool = False) -> ErpQuote:
    line = ErpLine(description="Desk", quantity="1", unit_price=usd(500), amount=usd(500), tax_rate="0 %", tax=usd(0))
    return ErpQuote(
        erp_id=erp_id,
        customer_erp_id=owner,
        number=erp_id,
        total=usd(500),
        issued_on=DAY,
        expires_on=None,
        status=status,
        status_word="Sent",
        lines=(line,),
        deleted=deleted,
    )


def template(owner: str, *, active: bool = True, deleted: bool = False) -> ErpRecurring:
    return ErpRecurring(
        erp_id="R-1",
        customer_erp_id=owner,
        title="Support",
        frequency="every 2 months",
        starts_on=DAY,
        next_on=None,
        remaining=None,
        amount=usd(900),
        active=active,
        deleted=deleted,
    )


async def test_payment_documents_are_written_only_where_they_changed(books: Books) -> None:
    _, owner = await customer(books)

    async def told(*rows: ErpPayment, seq: int) -> list[str]:
        async with books.store.begin("test") as tx:
            return list(await erp_streams.take_payments(tx, rows, seq, connection_id=ERP, at=books.at))

    assert await told(payment(owner), payment(owner, "P-2"), seq=5) == ["P-1", "P-2"]
    before = await books.rows("SELECT erp_id, xmin FROM erp_payments ORDER BY erp_id")
    assert await told(payment(owner), payment(owner, "P-2", stands=False), seq=6) == ["P-2"]
    after = await books.rows("SELECT erp_id, xmin FROM erp_payments ORDER BY erp_id")
    assert before[0] == after[0], "a row that says what is stored is not written, not even to what it was"
    assert before[1] != after[1]
    row = await books.one("SELECT * FROM erp_payments WHERE erp_id = 'P-1'")
    assert (row.amount, row.unapplied, row.currency, row.reference, row.author) == (100, 40, "USD", "pay_1", "mary")
    assert row.lines == [{"invoice": "I-1", "amount": 35}, {"invoice": "I-2", "amount": 25}]
    assert await told(payment(owner, unapplied=0), seq=4) == [], "an older read never replaces a newer one"
    assert await told(payment("a stranger", "P-3"), seq=7) == [], "whose customer is not there waits for it"


async def test_a_payment_that_is_told_twice_in_a_page_is_stored_by_its_last_word(books: Books) -> None:
    _, owner = await customer(books)
    async with books.store.begin("test") as tx:
        rows = [payment(owner), payment(owner, unapplied=0)]
        await erp_streams.take_payments(tx, rows, 5, connection_id=ERP, at=books.at)
    assert (await books.one("SELECT unapplied FROM erp_payments")).unapplied == 0


async def test_quotes_and_templates_are_written_only_where_they_changed(books: Books) -> None:
    _, owner = await customer(books)
    async with books.store.begin("test") as tx:
        assert await erp_streams.take_quotes(tx, [quote(owner)], connection_id=ERP, at=books.at) == ["Q-1"]
        assert await erp_streams.take_quotes(tx, [quote(owner)], connection_id=ERP, at=books.at) == []
        assert await erp_streams.take_recurring(tx, [template(owner)], connection_id=ERP, at=books.at) == ["R-1"]
        assert await erp_streams.take_recurring(tx, [template(owner)], connection_id=ERP, at=books.at) == []
        stopped = template(owner, active=False)
        assert await erp_streams.take_recurring(tx, [stopped], connection_id=ERP, at=books.at) == ["R-1"]
    ids = await books.rows("SELECT id FROM erp_quotes UNION ALL SELECT id FROM erp_recurring")
    assert [each.id[:4] for each in ids] == ["quo_", "rec_"]


async def test_customers_see_their_own_quotes_and_templates_and_no_payment_document(
    books: Books, database: machine.Database
) -> None:
    (mine, owner), (other, stranger) = await customer(books), await customer(books)
    async with books.store.begin("test") as tx:
        quotes = [
            quote(owner),
            quote(owner, "Q-2", status=QuoteStatus.DRAFT),
            quote(owner, "Q-3", deleted=True),
            quote(stranger, "Q-4"),
        ]
        await erp_streams.take_quotes(tx, quotes, connection_id=ERP, at=books.at)
        await erp_streams.take_recurring(tx, [template(stranger)], connection_id=ERP, at=books.at)
    portal = Database(database.portal_url, pool_size=1)
    try:
        async with portal.read_as([mine], hide_paused=False) as tx:
            assert [row.erp_id for row in await tx.rows("SELECT erp_id FROM erp_quotes")] == ["Q-1"]
            assert await tx.rows("SELECT erp_id FROM erp_recurring") == []
        async with portal.read_as([other], hide_paused=False) as tx:
            assert len(await tx.rows("SELECT erp_id FROM erp_recurring")) == 1
        with pytest.raises(DBAPIError, match="permission denied"):
            async with portal.read_as([mine], hide_paused=False) as tx:
                await tx.rows("SELECT * FROM erp_payments")
    finally:
        await portal.close()


async def test_a_stream_that_failed_waits_until_its_time_and_a_page_ends_that(books: Books) -> None:
    later = AT + timedelta(minutes=5)
    async with books.store.begin("test") as tx:
        assert await streams.start(tx, ERP, "quotes", at=AT) == ("", False)
        await streams.fail(tx, ERP, "quotes", error="It does not answer.", at=AT, next_try_at=later)
        assert await streams.failures(tx, ERP, "quotes") == 1
        assert await streams.start(tx, ERP, "quotes", at=AT + timedelta(minutes=4)) is None
        assert await streams.start(tx, ERP, "quotes", at=later) == ("", False)
        await streams.advance(tx, ERP, "quotes", cursor="7", rows=3, at=later)
        assert await streams.start(tx, ERP, "quotes", at=later) == ("7", False), "more waits: it is not loaded"
        await streams.advance(tx, ERP, "quotes", cursor="9", rows=2, at=later, ended_at_seq=41)
        assert await streams.start(tx, ERP, "quotes", at=later) == ("9", True)
    row = await books.one("SELECT * FROM sync_cursors WHERE entity = 'quotes'")
    assert (row.rows_read, row.ok_seq, row.last_error, row.failures, row.next_try_at) == (5, 41, None, 0, None)
    assert row.last_ok_at == row.loaded_at == row.read_at == later


async def test_who_asks_for_it_now_ends_the_waiting(books: Books) -> None:
    async with books.store.begin("test") as tx:
        await streams.start(tx, ERP, "quotes", at=AT)
        await streams.fail(tx, ERP, "quotes", error="?", at=AT, next_try_at=AT + timedelta(days=1))
        await streams.hasten(tx, ERP)
        assert await streams.start(tx, ERP, "quotes", at=AT) == ("", False)


async def test_the_tables_go_and_come_again(database: machine.Database) -> None:
    """Down to the migration before and up again, with rows that only the newer one knows."""
    from alembic import command

    from store.provision import migrations

    with psycopg.connect(database.plain_admin_url, autocommit=True) as administrator:
        administrator.execute("INSERT INTO sync_cursors (connection_id, entity, cursor) VALUES ('demo', 'quotes', '')")
    configuration = migrations(database.admin_url)
    command.downgrade(configuration, "0013")
    command.upgrade(configuration, "head")
    with psycopg.connect(database.plain_admin_url) as administrator:
        assert administrator.execute("SELECT count(*) FROM sync_cursors").fetchone() == (0,)
