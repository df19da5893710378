"""Statements out of a real database: what they say now is what the overview says, and what they said once they say again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, timedelta
from random import Random

import pytest_asyncio

from connectors.payments.ports import ChargeStatus, RefundStatus
from domain.business import BusinessSettings
from domain.receivables import ErpInvoice, ErpInvoiceStatus, ErpSettlement, SettlementKind
from domain.statements import Act, AsOf, Facts, Section, open_items, transactions
from store import returns, snapshots
from store.database import Database
from store.staff_accounts import Role
from store.views import statements
from store.views.portal import Choice, Filter, overview
from tests import machine
from tests.store.money import ERP, Books, books_of, invoice, usd
from tests.store.refunding import Counter
from tests.store.requests import Desk

EVER = date(2000, 1, 1)


class Clerk:
    """Books, and the portal that reads a customer's statements of them."""

    def __init__(self, books: Books, portal: Database) -> None:
        self.books, self.portal = books, portal

    async def facts(self, *customers: str, hide_paused: bool = True) -> Facts:
        async with self.portal.read_as(customers, hide_paused=hide_paused) as tx:
            return await statements.facts(tx, customers, currency=None, zone=UTC)

    def now(self) -> AsOf:
        return AsOf(self.books.at, self.books.at.date(), is_now=True)

    async def said(self, *customers: str, as_of: AsOf | None = None) -> tuple[Sequence[Section], Sequence[Section]]:
        """Both statements of everything that ever happened."""
        found, when = await self.facts(*customers), as_of or self.now()
        return open_items(found, when, zone=UTC), transactions(found, EVER, when, zone=UTC)

    async def overview(self, *customers: str) -> Mapping[str, int]:
        async with self.portal.read_as(customers, hide_paused=True) as tx:
            seen = await overview(tx, Filter(home="USD"), Choice(), BusinessSettings(), today=self.books.at.date())
        return {currency: minor for currency, minor in seen.currencies.items() if minor}

    async def is_true(self, *customers: str) -> None:
        """Now, both statements are the overview's, and the last running balance is the sum of what is listed as open."""
        opened, moved = await self.said(*customers)
        assert {each.currency: each.owed for each in opened if each.owed} == await self.overview(*customers)
        assert {each.currency: each.owed for each in moved if each.owed} == await self.overview(*customers)
        for each in opened:
            assert each.owed == sum(item.open for item in each.items) == sum(each.ages)
        left = {each.currency: each.unapplied for each in opened if each.unapplied}
        assert left == {each.currency: each.unapplied for each in moved if each.unapplied}
        for each in moved:
            assert sum(line.owed for line in each.lines) == each.owed
            assert sum(line.unapplied for line in each.lines) == each.unapplied


@pytest_asyncio.fixture
async def clerk(database: machine.Database) -> AsyncIterator[Clerk]:
    async with books_of(database) as books:
        portal = Database(database.portal_url)
        try:
            yield Clerk(books, portal)
        finally:
            await portal.close()


def acts(section: Section) -> list[tuple[Act, int, int, int]]:
    return [(each.act, each.owed, each.unapplied, each.balance) for each in section.lines]


async def test_a_payment_with_something_left_its_application_and_its_return_run_through_the_balance(clerk: Clerk) -> None:
    books = clerk.books
    customer_id, (first, second) = await books.customer(10_000, 700)
    late = await books.opened(customer_id, (first, 10_000))
    await books.record(late, ChargeStatus.EXPIRED)
    await books.record(await books.opened(customer_id, (first, 10_000)), ChargeStatus.CAPTURED)
    books.at += timedelta(hours=1)
    await books.record(late, ChargeStatus.CAPTURED)
    await clerk.is_true(customer_id)
    desk = Desk(books)
    books.at += timedelta(hours=1)
    request_id = await desk.asked(customer_id, f"crd{late[3:]}", (second, 700))
    await desk.decide(request_id, "approve", await desk.staff(Role.AGENT))
    await clerk.is_true(customer_id)
    books.at += timedelta(days=3)
    async with books.store.begin("test") as tx:
        await returns.take_back(tx, late, code="insufficient_funds", erp=ERP, at=books.at)
    await clerk.is_true(customer_id)
    (opened,), (moved,) = await clerk.said(customer_id)
    assert acts(moved) == [
        (Act.INVOICE, 10_000, 0, 10_000),
        (Act.INVOICE, 700, 0, 10_700),
        (Act.CAPTURED, -10_000, 0, 700),
        (Act.CAPTURED, 0, 10_000, 700),
        (Act.APPLIED, -700, -700, 0),
        (Act.RETURNED, 700, -9_300, 700),
    ]
    assert [(each.open, each.days_late) for each in opened.items] == [(700, 54)]
    assert opened.ages == (0, 0, 700, 0, 0)


async def test_what_the_erp_shows_of_ours_is_counted_once_and_what_a_person_changed_there_is_said(clerk: Clerk) -> None:
    books = clerk.books
    customer_id, (invoice_id,) = await books.customer(10_000)
    payment_id = await books.opened(customer_id, (invoice_id, 4_000))
    await books.record(payment_id, ChargeStatus.CAPTURED)
    await confirmed(books, f"{payment_id}-captured")
    erp = await books.one("SELECT i.erp_id, c.erp_id AS customer FROM invoices i, customers c WHERE c.id = i.customer_id")
    for shown in (4_000, 3_000):
        await books.tell([settled_by(erp.erp_id, erp.customer, 10_000, (shown, f"{payment_id}-captured"))])
        await clerk.is_true(customer_id)
    _, (moved,) = await clerk.said(customer_id)
    assert acts(moved)[-1] == (Act.CHANGED, 1_000, 0, 7_000)


async def test_the_moment_of_a_persons_change_in_the_erp_is_when_duly_read_it(clerk: Clerk) -> None:
    """So the statement of the day before stays what it was."""
    books = clerk.books
    customer_id, (invoice_id,) = await books.customer(10_000)
    payment_id = await books.opened(customer_id, (invoice_id, 4_000))
    await books.record(payment_id, ChargeStatus.CAPTURED)
    await confirmed(books, f"{payment_id}-captured")
    erp = await books.one("SELECT i.erp_id, c.erp_id AS customer FROM invoices i, customers c WHERE c.id = i.customer_id")
    before, then = await clerk.said(customer_id), clerk.now()
    for _ in range(3):
        books.at += timedelta(days=1)
        await books.tell([settled_by(erp.erp_id, erp.customer, 10_000, (3_000, f"{payment_id}-captured"))])
    assert await clerk.said(customer_id, as_of=then._replace(is_now=False)) == before
    (opened,), _ = await clerk.said(customer_id)
    assert opened.owed == 7_000
    (opened,), _ = await clerk.said(customer_id, as_of=then._replace(day=then.day + timedelta(days=1), is_now=False))
    assert opened.owed == 7_000


async def test_drafts_void_paused_parents_and_others_are_on_no_statement_and_sites_are_once(clerk: Clerk) -> None:
    books = clerk.books
    customer_id, (shown,) = await books.customer(10_000)
    other, _ = await books.customer(5_555)
    erp = await books.one("SELECT erp_id FROM customers WHERE id = :id", id=customer_id)
    plain = invoice("x", erp.erp_id, 1_000)
    hidden = [
        replace(plain, erp_id="draft", number="DRAFT", status=ErpInvoiceStatus.DRAFT),
        replace(plain, erp_id="void", number="VOID", status=ErpInvoiceStatus.VOID),
        replace(plain, erp_id="paused", number="PAUSED", paused=True),
        replace(plain, erp_id="parent", number="PARENT", is_parent=True, total=usd(3_000)),
    ]
    sites = [
        replace(plain, erp_id=f"site{n}", number=f"SITE{n}", parent_erp_id="parent", total=usd(n * 1_000)) for n in (1, 2)
    ]
    await books.tell([*hidden, *sites])
    await clerk.is_true(customer_id)
    opened, moved = await clerk.said(customer_id)
    assert {each.number for each in opened[0].items} == {"SITE1", "SITE2", f"{erp.erp_id}-0"}
    assert opened[0].owed == moved[0].owed == 13_000
    paused = open_items(await clerk.facts(customer_id, hide_paused=False), clerk.now(), zone=UTC)
    assert paused[0].owed == 14_000
    # As the portal's own role, whatever is asked for: nothing of another customer's.
    async with clerk.portal.read_as([customer_id], hide_paused=True) as tx:
        asked = await statements.facts(tx, [customer_id, other], currency=None, zone=UTC)
    assert {each.number for each in asked.invoices} == {"SITE1", "SITE2", f"{erp.erp_id}-0"}
    assert shown in {each.id for each in asked.invoices}


async def test_a_child_sees_what_its_parent_paid_and_nothing_else_of_the_parents_journal(clerk: Clerk) -> None:
    books = clerk.books
    child, (theirs,) = await books.customer(10_000)
    parent, (own,) = await books.customer(500)
    payment_id = await books.opened(parent, (theirs, 10_000), (own, 500), customer_ids=(parent, child))
    await books.record(payment_id, ChargeStatus.CAPTURED)
    await clerk.is_true(child)
    await clerk.is_true(parent, child)
    _, (moved,) = await clerk.said(child)
    assert acts(moved) == [(Act.INVOICE, 10_000, 0, 10_000), (Act.CAPTURED, -10_000, 0, 0)]
    async with clerk.portal.read_as([child], hide_paused=True) as tx:
        lines = await tx.rows("SELECT account, invoice_id, amount FROM journal_lines")
        entries = await tx.rows("SELECT id FROM journal_entries")
    assert [tuple(each) for each in lines] == [("receivable", theirs, -10_000)]
    assert [each.id for each in entries] == [f"{payment_id}/captured"]
    stranger, _ = await books.customer(1)
    async with clerk.portal.read_as([stranger], hide_paused=True) as tx:
        assert await tx.rows("SELECT entry_id FROM journal_lines") == await tx.rows("SELECT id FROM journal_entries") == []


async def test_what_is_written_off_or_closed_counts_until_duly_read_so_and_each_currency_has_a_section(clerk: Clerk) -> None:
    books = clerk.books
    customer_id, _ = await books.customer(10_000)
    erp = await books.one("SELECT erp_id FROM customers WHERE id = :id", id=customer_id)
    await books.tell([replace(invoice("eur", erp.erp_id, 2_000, currency="EUR"), number="EUR-1")])
    then, before = clerk.now(), await clerk.said(customer_id)
    assert [(each.currency, each.owed) for each in before[0]] == [("EUR", 2_000), ("USD", 10_000)]
    gone = replace(invoice(f"{erp.erp_id}-0", erp.erp_id, 10_000), status=ErpInvoiceStatus.WRITTEN_OFF)
    for _ in range(2):
        books.at += timedelta(days=1)
        await books.tell([gone])
    await clerk.is_true(customer_id)
    _, (_, usd_moves) = await clerk.said(customer_id)
    assert acts(usd_moves)[-1] == (Act.WRITTEN_OFF, -10_000, 0, 0)
    assert usd_moves.lines[-1].on == (books.at - timedelta(days=1)).date()
    assert await clerk.said(customer_id, as_of=then._replace(is_now=False)) == before
    # It is taken up again: then it had never ended.
    books.at += timedelta(days=1)
    await books.tell([replace(gone, status=ErpInvoiceStatus.OPEN)])
    await clerk.is_true(customer_id)


async def test_more_paid_than_owed_is_said_and_never_owed_below_zero(clerk: Clerk) -> None:
    books = clerk.books
    customer_id, (invoice_id, _) = await books.customer(10_000, 500)
    await books.record(await books.opened(customer_id, (invoice_id, 10_000)), ChargeStatus.CAPTURED)
    erp = await books.one("SELECT erp_id FROM customers WHERE id = :id", id=customer_id)
    await books.tell([settled_by(f"{erp.erp_id}-0", erp.erp_id, 10_000, (2_000, None))])
    await clerk.is_true(customer_id)
    _, (moved,) = await clerk.said(customer_id)
    assert (Act.BEYOND, 2_000, 0, 500) in acts(moved)


async def test_a_statement_made_again_is_the_one_of_that_moment_along_a_story_of_random_turns(clerk: Clerk) -> None:
    """Payments, returns, refunds, settlements in the ERP and its echo of ours, at any hour; each moment is asked for again
    at the end. Only what the ERP dates back may change the past: the same story with one such settlement must differ.
    """
    books, chance = clerk.books, Random(20)
    customer_id, invoices = await books.customer(*[chance.randrange(1_000, 9_000) for _ in range(6)])
    counter = Counter(books)
    told: dict[AsOf, tuple[Sequence[Section], Sequence[Section]]] = {}
    erp = await books.one("SELECT erp_id FROM customers WHERE id = :id", id=customer_id)
    totals = {each.id: each.total for each in await books.rows("SELECT id, total FROM invoices")}
    elsewhere: dict[str, list[tuple[int, str | None]]] = {each: [] for each in invoices}
    paid: list[tuple[str, str]] = []
    for _ in range(24):
        books.at += timedelta(hours=chance.randrange(1, 40))
        turn, picked = chance.choice(("pay", "pay", "return", "refund", "erp", "echo")), chance.choice(invoices)
        left, _ = await books.balance(picked)
        if turn == "pay" and left > 1:
            paid.append((await books.opened(customer_id, (picked, chance.randrange(1, left))), picked))
            await books.record(paid[-1][0], ChargeStatus.CAPTURED)
        elif turn == "return" and paid:
            async with books.store.begin("test") as tx:
                await returns.take_back(tx, paid.pop()[0], code="no_funds", erp=ERP, at=books.at)
        elif turn == "refund" and paid:
            payment_id, on = paid.pop()
            await counter.told(await counter.sent(payment_id, 1, (on, 1)), RefundStatus.SUCCEEDED)
        elif turn == "erp" and left > 1:
            elsewhere[picked].append((1, None))
            await shown(books, picked, totals[picked], elsewhere[picked])
            # A day of the ERP's has no hours: what was told earlier on this day did not know of it.
            told = {then: said for then, said in told.items() if then.day != books.at.date()}
        elif turn == "echo":
            for each in await books.rows("SELECT id FROM postings WHERE confirmed_seq IS NULL"):
                await confirmed(books, each.id)
            await shown(books, picked, totals[picked], elsewhere[picked])
        await clerk.is_true(customer_id)
        told[clerk.now()] = await clerk.said(customer_id)
    assert len(told) > 15
    for then, said in told.items():
        assert await clerk.said(customer_id, as_of=then._replace(is_now=False)) == said, then
    first = next(iter(told))
    await books.tell([settled_by(f"{erp.erp_id}-5", erp.erp_id, totals[invoices[5]], (1, None), on=first.day)])
    again = await clerk.said(customer_id, as_of=first._replace(is_now=False))
    assert again != told[first]


def settled_by(
    erp_id: str, customer: str, total: int, *settlements: tuple[int, str | None], on: date = date(2026, 11, 22)
) -> ErpInvoice:
    """An invoice as the ERP shows it with these settlements: (minor units, our reference or None)."""
    index = int(erp_id.rpartition("-")[2])
    rows = tuple(
        ErpSettlement(kind=SettlementKind.PAYMENT, document_number=f"D{n}", amount=usd(minor), on=on, reference=reference)
        for n, (minor, reference) in enumerate(settlements)
    )
    settled = sum(minor for minor, _ in settlements)
    return replace(invoice(erp_id, customer, total, settled=settled, index=index), settlements=rows)


async def shown(books: Books, invoice_id: str, total: int, elsewhere: Sequence[tuple[int, str | None]]) -> None:
    """The ERP is read: what people wrote there, and what it has of ours."""
    row = await books.one(
        """SELECT i.erp_id, c.erp_id AS customer FROM invoices i JOIN customers c ON c.id = i.customer_id
           WHERE i.id = :id""",
        id=invoice_id,
    )
    ours = await books.rows(
        """SELECT a.payment_id, sum(a.amount)::bigint AS minor FROM allocations a JOIN postings p ON p.id = a.posting_id
           WHERE a.invoice_id = :id AND p.confirmed_seq IS NOT NULL GROUP BY 1 HAVING sum(a.amount) <> 0""",
        id=invoice_id,
    )
    mine = [(each.minor, each.payment_id) for each in ours]
    told = settled_by(row.erp_id, row.customer, total, *elsewhere, *mine, on=books.at.date())
    # What was written down on an earlier day keeps that day.
    before = await books.one("SELECT settlements FROM invoices WHERE id = :id", id=invoice_id)
    dated = {each["document"]: date.fromisoformat(each["on"]) for each in before.settlements}
    kept = tuple(
        each if each.reference else replace(each, on=dated.get(each.document_number, each.on)) for each in told.settlements
    )
    await books.tell([replace(told, settlements=kept)])


async def confirmed(books: Books, posting_id: str) -> None:
    """The ERP has it: from the next read on its own figures count."""
    async with books.store.begin("test") as tx:
        seq = await snapshots.next_seq(tx)
        await tx.run(
            """UPDATE postings SET state = 'confirmed', sent_seq = :seq, confirmed_seq = :seq, confirmed_at = :at
               WHERE id = :id""",
            id=posting_id,
            seq=seq,
            at=books.at,
        )
