"""The suspects are what differs and nothing else; a difference is opened once, and ends by agreeing or for a reason."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
from sqlalchemy.exc import IntegrityError

from activities.reconciling import DOCUMENTS
from connectors.payments.ports import ChargeStatus
from domain.differences import DifferenceKind
from store import differences, reconciliation, snapshots
from store.differences import Found
from store.identity import fresh_id
from tests import machine
from tests.store.money import AT, ERP, Books, books_of, usd

KINDS = [each.value for each in DOCUMENTS]
WRONG = ("missing", "twice", "amount", "currency", "deleted", "stray", "taken back", "stands", "on its way back")
FULL_JOIN = """
SELECT coalesce(o.reference, t.reference) AS reference
FROM (SELECT q.id AS reference, q.amount, p.currency FROM postings q JOIN payments p ON p.id = q.payment_id
      WHERE q.kind = 'payment' AND q.state = 'confirmed'
        AND NOT EXISTS (SELECT 1 FROM postings r WHERE r.payment_id = q.payment_id AND r.kind = 'reversal'
                        AND r.state = 'confirmed')) o
FULL JOIN (SELECT reference, amount, currency, count(*) OVER (PARTITION BY reference) AS count FROM erp_payments
           WHERE stands AND reference IS NOT NULL) t ON t.reference = o.reference
WHERE o.reference IS NULL OR t.reference IS NULL OR o.amount <> t.amount OR o.currency <> t.currency OR t.count > 1
GROUP BY 1 ORDER BY 1"""


@pytest_asyncio.fixture
async def books(database: machine.Database) -> AsyncIterator[Books]:
    async with books_of(database) as opened:
        yield opened


async def _documents(books: Books, count: int, *, seed: int) -> None:
    """So many payments with a document each, and of some something is wrong: in the ERP, or here."""
    chance = random.Random(seed)
    customer, _ = await books.customer()
    ours, theirs, reversals = [], [], []
    for number in range(count):
        payment, amount = fresh_id("pay"), chance.randint(1, 10_000)
        wrong = chance.choice([*WRONG, *[""] * 30])
        if wrong != "stray":
            ours.append((payment, amount))
        if wrong in {"taken back", "stands", "on its way back"}:
            reversals.append((payment, amount, "queued" if wrong == "on its way back" else "confirmed"))
        copies = {"missing": 0, "taken back": 0, "twice": 2}.get(wrong, 1)
        shown = amount + (wrong == "amount"), "EUR" if wrong == "currency" else "USD", wrong != "deleted"
        theirs += [(f"P-{number}-{copy}", f"{payment}-captured", *shown) for copy in range(copies)]
    async with books.admin.begin("test") as tx:
        for payment, amount in ours:
            await tx.run(
                """INSERT INTO payments (id, customer_id, state, amount, currency, captured, connection_id, way, method_kind,
                       method_label, request_hash, run_id, channel, opened_at, changed_at, started_by)
                   VALUES (:id, :customer, 'captured', :amount, 'USD', :amount, 'sandbox', 'saved', 'card', 'Visa', 'h', 'r',
                           'portal', :at, :at, 'x')""",
                id=payment, customer=customer, amount=amount, at=AT,
            )  # fmt: skip
            await tx.run(
                """INSERT INTO postings (id, connection_id, kind, payment_id, customer_id, docs, amount, state,
                       confirmed_seq, confirmed_at, queued_at, currency)
                   VALUES (:posting, :erp, 'payment', :id, :customer, '{}', :amount, 'confirmed', 1, :at, :at, 'USD')""",
                posting=f"{payment}-captured", id=payment, customer=customer, amount=amount, erp=ERP, at=AT,
            )  # fmt: skip
        for payment, amount, state in reversals:
            await tx.run(
                """INSERT INTO postings (id, connection_id, kind, payment_id, customer_id, docs, amount, state, queued_at,
                       currency)
                   VALUES (:posting, :erp, 'reversal', :id, :customer, '{}', :amount, :state, :at, 'USD')""",
                posting=f"{payment}-returned", id=payment, customer=customer, amount=amount, state=state, erp=ERP, at=AT,
            )  # fmt: skip
        for erp_id, reference, amount, currency, stands in theirs:
            await tx.run(
                """INSERT INTO erp_payments (connection_id, erp_id, customer_id, number, currency, amount, unapplied,
                       received_on, reference, stands, read_seq, changed_at)
                   VALUES (:erp, :id, :customer, :id, :currency, :amount, 0, '2026-11-22', :reference, :stands, 2, :at)""",
                erp=ERP, id=erp_id, customer=customer, currency=currency, amount=amount, reference=reference, stands=stands,
                at=AT,
            )  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
async def test_the_suspects_are_what_differs_and_nothing_else(books: Books, seed: int) -> None:
    await _documents(books, 300, seed=seed)
    expected = [row.reference for row in await books.rows(FULL_JOIN)]
    assert expected, "something is wrong with some of them"
    async with books.store.begin("test") as tx:
        whole = await reconciliation.suspects(tx, ERP, kinds=KINDS)
    assert list(whole) == sorted(expected)


async def _found(books: Books, *, amount: int = 100, item: str = "pay_1-captured") -> Found:
    customer, _ = await books.customer()
    return Found(kind=DifferenceKind.AMOUNT_IN_ERP, item=item, amount=usd(amount), customer_id=customer, process_id="pay_1")


async def test_a_difference_is_opened_once_and_ends_when_both_sides_agree(books: Books) -> None:
    found = await _found(books)
    async with books.store.begin("test") as tx:
        assert await differences.keep(tx, [found], connection_id=ERP, at=AT) == 1
        assert await differences.keep(tx, [found], connection_id=ERP, at=AT + timedelta(days=1)) == 0
        assert list(await reconciliation.suspects(tx, ERP, kinds=KINDS)) == [found.item], "it is asked about until it ends"
        await differences.agree(tx, ["another"], DOCUMENTS, [], at=AT)
        await differences.agree(tx, [found.item], DOCUMENTS, [found], at=AT)
    row = await books.one("SELECT opened_at, last_seen_at, closed_at FROM differences")
    assert (row.opened_at, row.last_seen_at, row.closed_at) == (AT, AT + timedelta(days=1), None)
    async with books.store.begin("test") as tx:
        await differences.agree(tx, [found.item], DOCUMENTS, [], at=AT + timedelta(days=2))
    assert (await books.one("SELECT closed_how FROM differences")).closed_how == "agrees"


async def test_a_persons_reason_holds_while_the_other_side_shows_the_same(books: Books) -> None:
    found = await _found(books)
    async with books.store.begin("test") as tx:
        await differences.keep(tx, [found], connection_id=ERP, at=AT)
    difference = (await books.one("SELECT id FROM differences")).id
    async with books.store.begin("test") as tx:
        assert await differences.close(tx, difference, reason="a bank fee", by="stf_ann", at=AT)
        assert await differences.close(tx, difference, reason="a bank fee", by="stf_ann", at=AT), (
            "said twice, it is one word"
        )
        assert not await differences.close(tx, difference, reason="a bank fee", by="stf_ben", at=AT)
        assert await differences.keep(tx, [found], connection_id=ERP, at=AT) == 0
        assert await differences.keep(tx, [await _found(books, amount=101)], connection_id=ERP, at=AT) == 1
    assert len(await books.rows("SELECT 1 FROM differences WHERE closed_at IS NULL")) == 1


async def test_a_figure_that_is_wrong_is_not_closed_by_saying_so(books: Books) -> None:
    customer, (invoice,) = await books.customer(100)
    async with books.admin.begin("test") as tx:
        await tx.run(
            """INSERT INTO differences (id, kind, invoice_id, customer_id, amount, currency, opened_at)
               VALUES ('dif_1', 'overpaid', :invoice, :customer, 1, 'USD', :at)""",
            invoice=invoice, customer=customer, at=AT,
        )  # fmt: skip
    async with books.store.begin("test") as tx:
        assert not await differences.close(tx, "dif_1", reason="it is fine", by="stf_ann", at=AT)


async def test_the_database_itself_wants_a_reason(books: Books) -> None:
    await _found(books)
    with pytest.raises(IntegrityError, match="accepted_for_a_reason"):
        async with books.admin.begin("test") as tx:
            await tx.run(
                """INSERT INTO differences (id, kind, amount, currency, opened_at, closed_at, closed_how)
                   VALUES ('dif_1', 'overpaid', 1, 'USD', :at, :at, 'accepted')""",
                at=AT,
            )


async def test_what_people_entered_is_said_once_and_waits_for_nobody(books: Books) -> None:
    customer, _ = await books.customer()
    found = Found(kind=DifferenceKind.FOREIGN_PAYMENT, item="P-9", amount=usd(5), customer_id=customer)
    async with books.store.begin("test") as tx:
        assert await differences.note_counted(tx, [found], connection_id=ERP, at=AT) == 1
        assert await differences.note_counted(tx, [found], connection_id=ERP, at=AT) == 0
    assert (await books.one("SELECT closed_how FROM differences")).closed_how == "counted"


async def test_a_run_is_equal_only_where_everybody_answered_and_nothing_is_open_beyond_its_grace(books: Books) -> None:
    missing = Found(kind=DifferenceKind.MISSING_IN_ERP, item="pay_2-captured", amount=usd(-7))
    async with books.store.begin("test") as tx:
        await reconciliation.write_down(tx, "one", asked_by="schedule", at=AT)
        await reconciliation.write_down(tx, "one", asked_by="schedule", at=AT + timedelta(days=1))
        await reconciliation.count(tx, "one", ERP, {"looked_at": 3, "differing": 0})
        await differences.keep(tx, [missing], connection_id=ERP, at=AT)
        assert await reconciliation.finish(tx, "one", at=AT), "it may still settle by itself"
        await reconciliation.write_down(tx, "two", asked_by="schedule", at=AT + timedelta(days=1))
        assert (await reconciliation.load(tx, "two", ERP)).previous_at == AT
        assert not await reconciliation.finish(tx, "two", at=AT + timedelta(days=1))
        await differences.agree(tx, [missing.item], DOCUMENTS, [], at=AT + timedelta(days=2))
        await reconciliation.write_down(tx, "three", asked_by="schedule", at=AT + timedelta(days=2))
        await reconciliation.count(tx, "three", ERP, {"looked_at": 0, "differing": 0}, problem="it is down")
        assert not await reconciliation.finish(tx, "three", at=AT + timedelta(days=2))


async def test_a_run_that_could_not_ask_a_side_is_not_the_one_before_for_it(books: Books) -> None:
    """Or what people entered between the two would be said by nobody."""
    day = timedelta(days=1)
    async with books.store.begin("test") as tx:
        for number, problem in enumerate((None, "it is down", "it is down")):
            await reconciliation.write_down(tx, f"run-{number}", asked_by="schedule", at=AT + number * day)
            await reconciliation.count(tx, f"run-{number}", "sandbox", {"looked_at": 1, "differing": 0})
            await reconciliation.count(tx, f"run-{number}", ERP, {"looked_at": 0, "differing": 0}, problem=problem)
            await reconciliation.finish(tx, f"run-{number}", at=AT + number * day)
        await reconciliation.write_down(tx, "now", asked_by="schedule", at=AT + 3 * day)
        assert (await reconciliation.load(tx, "now", ERP)).previous_at == AT
        assert (await reconciliation.load(tx, "now", "sandbox")).previous_at == AT + 2 * day
        assert (await reconciliation.load(tx, "now", "never asked")).previous_at is None


async def test_what_is_gone_without_a_trace_is_asked_about_where_its_invoice_says_so(books: Books) -> None:
    """No list tells of it: what was read of the document still stands here, and agrees."""
    customer_id, (invoice_id,) = await books.customer(1_000)
    payment_id = await books.opened(customer_id, (invoice_id, 1_000))
    await books.record(payment_id, ChargeStatus.CAPTURED)
    reference = f"{payment_id}-captured"
    async with books.admin.begin("test") as tx:
        await tx.run(
            """INSERT INTO erp_payments (connection_id, erp_id, customer_id, number, currency, amount, unapplied,
                   received_on, reference, stands, read_seq, changed_at)
               VALUES (:erp, 'P-1', :customer, 'P-1', 'USD', 1000, 0, '2026-11-22', :reference, true, 2, :at)""",
            erp=ERP, customer=customer_id, reference=reference, at=AT,
        )  # fmt: skip
    async with books.store.begin("test") as tx:
        seq = await snapshots.next_seq(tx)
        await tx.run("UPDATE postings SET state = 'confirmed', confirmed_seq = :seq, confirmed_at = :at", seq=seq, at=AT)
        assert await reconciliation.suspects(tx, ERP, kinds=KINDS) == []
    await books.change(invoice_id, total=1_000)
    async with books.store.begin("test") as tx:
        assert await reconciliation.suspects(tx, ERP, kinds=KINDS) == [reference]


async def test_payments_that_lay_there_before_are_nobodys_news(books: Books) -> None:
    customer, _ = await books.customer()
    for number, minutes in (("P-1", 0), ("P-2", 5)):
        await books.damage(
            """INSERT INTO erp_payments (connection_id, erp_id, customer_id, number, currency, amount, unapplied,
                   received_on, stands, read_seq, changed_at)
               VALUES (:erp, :id, :customer, :id, 'USD', 700, 0, '2026-11-22', true, 1, :at)""",
            erp=ERP, id=number, customer=customer, at=AT + timedelta(minutes=minutes),
        )  # fmt: skip
    async with books.store.begin("test") as tx:
        assert [each.number for each in await reconciliation.foreign(tx, ERP, since=AT)] == ["P-2"]
        assert await reconciliation.listed_since(tx, ERP) is None
