"""Each invariant of `duly check` is green on healthy books and red, by its own name, when that damage is planted.

The damage is written by the superuser with every trigger and foreign key asleep: no door of ours could do it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta

import pytest
import pytest_asyncio

from connectors.payments.ports import ChargeStatus
from store import checks, far_checks
from store.checks import Horizons
from tests import machine
from tests.store.money import AT, ERP, Books, books_of


@pytest_asyncio.fixture
async def books(database: machine.Database) -> AsyncIterator[Books]:
    async with books_of(database) as opened:
        yield opened


async def broken(books: Books, *, later: timedelta = timedelta(0)) -> Mapping[str, tuple[int, list[tuple[str, str]]]]:
    """What is red: by name, how many and who. `later` lets business time pass."""
    async with books.store.begin("test") as tx:
        looked = [
            await checks.look(tx, each, at=books.at + later, horizons=Horizons(), most=3) for each in checks.INVARIANTS
        ]
    assert [each.name for each in looked] == [each.name for each in checks.INVARIANTS]
    return {each.name: (each.count, [(one.id, one.what) for one in each.offenders]) for each in looked if not each.holds}


async def history(books: Books) -> dict[str, str]:
    """Payments in every kind of state, by what became of them."""
    customer_id, ids = await books.customer(*[1_000] * 8)
    first, second, third, fourth, fifth, sixth, *_ = ids
    story: dict[str, str] = {"customer": customer_id}
    story["captured"] = await books.opened(customer_id, (first, 1_000), (second, 400))
    await books.record(story["captured"], ChargeStatus.CAPTURED)
    story["settled"] = await books.opened(customer_id, (second, 600))
    await books.record(story["settled"], ChargeStatus.SETTLED)
    story["returned"] = await books.opened(customer_id, (third, 1_000))
    await books.record(story["returned"], ChargeStatus.RETURNED)
    story["declined"] = await books.opened(customer_id, (fourth, 1_000))
    await books.record(story["declined"], ChargeStatus.DECLINED)
    story["processing"] = await books.opened(customer_id, (fourth, 500))
    await books.record(story["processing"], ChargeStatus.PROCESSING)
    refused = books.request(customer_id, [(fourth, 1_000)])
    await books.open(refused)
    story["refused"] = refused.payment_id
    story["late"] = await books.opened(customer_id, (fifth, 1_000), (sixth, 1_000))
    await books.record(story["late"], ChargeStatus.EXPIRED)
    story["taker"] = await books.opened(customer_id, (fifth, 700))
    await books.record(story["late"], ChargeStatus.CAPTURED)
    return story | {f"invoice {number}": each for number, each in enumerate(ids)}


async def test_healthy_books_break_nothing(books: Books) -> None:
    assert await broken(books) == {}
    story = await history(books)
    assert await books.allocated(story["late"]) == {story["invoice 4"]: 300, story["invoice 5"]: 1_000}
    assert await books.count("wanted", "amount = 700") == 1
    assert await broken(books) == {}


DAMAGE: Mapping[str, tuple[str, str, str]] = {
    # what: (the statement, exactly the invariants that turn red, words of what they say)
    "a journal line is gone": (
        (
            "DELETE FROM journal_lines WHERE entry_id = :captured || '/captured' AND account = 'unapplied'"
            " OR entry_id = :late || '/captured' AND account = 'unapplied'"
        ),
        "journal_balanced, money_conserved",
        "is off by 700",
    ),
    "a line in another currency": (
        "UPDATE journal_lines SET currency = 'EUR' WHERE entry_id = :captured || '/captured' AND account = 'clearing'",
        "journal_balanced",
        "another currency",
    ),
    "an entry has lost its lines": (
        "DELETE FROM journal_lines WHERE entry_id = :settled || '/captured'",
        "journal_balanced, money_conserved",
        "has no lines",
    ),
    "lines have lost their entry": (
        "DELETE FROM journal_entries WHERE id = :returned || '/captured'",
        "journal_balanced, money_conserved",
        "lines without an entry",
    ),
    "an allocation is gone": (
        "DELETE FROM allocations WHERE payment_id = :settled",
        "money_conserved",
        "0 allocated + 0 unapplied + 0 returned + 0 refunded is not 600 captured",
    ),
    "an allocation lies on another invoice": (
        (
            "UPDATE allocations SET invoice_id = (SELECT id FROM invoices ORDER BY issued_on DESC LIMIT 1)"
            " WHERE payment_id = :settled"
        ),
        "money_conserved",
        "other invoices",
    ),
    "the captured amount is another": (
        "UPDATE payments SET captured = captured + 1, amount = amount + 1 WHERE id = :settled",
        "money_conserved, posted_once",
        "is not 601 captured",
    ),
    "a return is not in the payment's row": (
        "UPDATE payments SET returned = 0 WHERE id = :returned",
        "money_conserved, posted_once",
        "is not 1000 captured",
    ),
    "a state without money keeps money": (
        "UPDATE payments SET state = 'declined' WHERE id = :settled",
        "money_conserved",
        "declined with 600 captured",
    ),
    "a captured state that nothing arrived for": (
        "UPDATE payments SET state = 'captured' WHERE id = :declined",
        "money_conserved",
        "captured with 0 captured of 1000",
    ),
    "more is wanted than is unapplied": (
        "UPDATE wanted SET amount = amount + 1 WHERE payment_id = :late",
        "money_conserved",
        "701 is wanted and only 700",
    ),
    "a payment is gone": (
        "DELETE FROM payments WHERE id = :settled",
        "money_conserved, posted_once",
        "no such payment",
    ),
    "an invoice is overpaid and nobody says so": (
        "UPDATE invoices SET settled = total + 1 WHERE id = :free",
        "balances_not_negative",
        "open -1, held 0",
    ),
    "an invoice is held beyond what is open and nobody says so": (
        "UPDATE invoices SET total = 499 WHERE id = (SELECT invoice_id FROM holds WHERE holder_id = :processing)",
        "balances_not_negative",
        "open 499, held 500",
    ),
    "a posting is gone": (
        "DELETE FROM postings WHERE payment_id = :late",
        "posted_once",
        "0 payment posting(s) of 0 for 2000",
    ),
    "a second posting": (
        (
            "INSERT INTO postings (id, connection_id, kind, payment_id, customer_id, docs, amount, queued_at)"
            " SELECT id || '-again', connection_id, kind, payment_id, customer_id, docs, 0, queued_at FROM postings"
            " WHERE id = :settled || '-captured'"
        ),
        "posted_once",
        "2 payment posting(s) of 600 for 600",
    ),
    "a posting of another amount": (
        "UPDATE postings SET amount = amount + 5 WHERE id = :late || '-captured'",
        "posted_once",
        "1 payment posting(s) of 2005 for 2000",
    ),
    "a posting that is less than it allocates": (
        "UPDATE postings SET amount = 599 WHERE id = :settled || '-captured'",
        "posted_once",
        "is of 599 and allocates 600",
    ),
    "no reversal of a return": (
        "DELETE FROM postings WHERE id = :returned || '-returned'",
        "posted_once",
        "0 reversal posting(s)",
    ),
    "a reversal of what was never returned": (
        "UPDATE postings SET payment_id = :settled WHERE id = :returned || '-returned'",
        "posted_once",
        "1 reversal posting(s) of 1000 for 0",
    ),
    "a hold outlives its payment": (
        "UPDATE payments SET state = 'failed' WHERE id = :processing",
        "holds_in_use",
        "500 held for 0 in flight",
    ),
    "a payment in flight lost its hold": (
        "DELETE FROM holds WHERE holder_id = :processing",
        "holds_in_use",
        "0 held for 500 in flight",
    ),
    "a payment in flight holds less than it will take": (
        "UPDATE holds SET amount = 499 WHERE holder_id = :processing",
        "holds_in_use",
        "499 held for 500 in flight",
    ),
}


async def test_each_damage_turns_the_invariant_red_that_is_about_it(books: Books) -> None:
    story = await history(books)
    values = story | {"free": story["invoice 7"]}
    for damage, (statement, names, words) in DAMAGE.items():
        async with books.admin.begin("test") as tx:
            await tx.run("SET LOCAL session_replication_role = replica")
            named = {name: value for name, value in values.items() if f":{name}" in statement}
            assert await tx.run(statement, **named) > 0, damage
            looked = [await checks.look(tx, each, at=books.at, horizons=Horizons(), most=5) for each in checks.INVARIANTS]
            found = [each for each in looked if not each.holds]
            said = " ".join(one.what for each in found for one in each.offenders)
            await (await tx.connection()).rollback()
        assert words in said, f"{damage}: {said}"
        assert {each.name for each in found} == set(names.split(", ")), f"{damage}: {[each.name for each in found]}"
    assert await broken(books) == {}


async def test_what_is_late_is_red_after_its_horizon_and_not_before(books: Books) -> None:
    story = await history(books)
    async with books.admin.begin("test") as tx:
        await tx.run(
            """INSERT INTO inbox (id, connection_id, dedupe_key, event_id, kind, subject, state, received_at)
               VALUES ('evt_1', 'sandbox', 'k', 'e', 'charge.succeeded', 'charge', 'received', :at)""",
            at=AT,
        )
    assert await broken(books, later=timedelta(minutes=4)) == {}
    after_five = await broken(books, later=timedelta(minutes=6))
    assert set(after_five) == {"events_in_time"}
    assert after_five["events_in_time"] == (1, [("evt_1", "charge.succeeded since 2026-11-22 09:00")])
    after_an_hour = await broken(books, later=timedelta(minutes=61))
    assert set(after_an_hour) == {"events_in_time", "postings_in_time", "mail_in_time"}
    count, first = after_an_hour["postings_in_time"]
    assert count == await books.count("postings") == 4 + 1
    assert len(first) == 3
    assert await books.count("outbox", "state = 'queued'") == after_an_hour["mail_in_time"][0]
    await books.damage("UPDATE postings SET confirmed_seq = 1, state = 'confirmed'")
    await books.damage("UPDATE outbox SET state = 'sent' WHERE true")
    await books.damage("UPDATE inbox SET state = 'handled' WHERE true")
    assert await broken(books, later=timedelta(days=1)) == {}
    assert story


async def test_a_difference_that_says_so_makes_a_negative_balance_no_offence(books: Books) -> None:
    customer_id, (invoice_id,) = await books.customer(1_000)
    payment_id = await books.opened(customer_id, (invoice_id, 1_000))
    await books.change(invoice_id, total=700)
    assert await books.balance(invoice_id) == (700, 1_000)
    assert await broken(books) == {}
    await books.record(payment_id, ChargeStatus.CAPTURED)
    assert await books.balance(invoice_id) == (-300, 0)
    assert await broken(books) == {}
    await books.damage("UPDATE differences SET closed_at = :at WHERE true", at=AT)
    assert set(await broken(books)) == {"balances_not_negative"}


async def test_a_reversal_that_waits_says_why_the_erp_may_lack_the_payment(books: Books) -> None:
    """A person deleted it there, and the bank took the money back: the ERP will refuse to reverse what is not there."""
    customer_id, (first,) = await books.customer(1_000)
    payment_id = await books.opened(customer_id, (first, 1_000))
    await books.record(payment_id, ChargeStatus.CAPTURED)
    await books.damage("UPDATE postings SET state = 'confirmed', confirmed_seq = 1")

    async def is_told() -> list[bool]:
        async with books.store.begin("test") as tx:
            return [each.is_told for each in await far_checks.confirmed(tx, ERP, after="", limit=10)]

    assert await is_told() == [False]
    await books.record(payment_id, ChargeStatus.RETURNED)
    assert await is_told() == [True]
    await books.damage("UPDATE postings SET state = 'confirmed', confirmed_seq = 2")
    assert await is_told() == [False, False]


async def test_the_first_offenders_are_named_and_the_rest_counted(books: Books) -> None:
    customer_id, ids = await books.customer(*[100] * 7)
    await books.damage("UPDATE invoices SET settled = 150 WHERE customer_id = :id", id=customer_id)
    count, named = (await broken(books))["balances_not_negative"]
    assert count == 7
    assert [each for each, _ in named] == sorted(ids)[:3]


@pytest.mark.parametrize("kind", ["timeline", "journal_lines"])
async def test_the_damage_could_not_be_done_by_the_worker(books: Books, kind: str) -> None:
    """The control of this file: without the superuser's sleep the same writes are refused."""
    await history(books)
    with pytest.raises(Exception, match=r"append-only|permission denied"):
        await books.rows(f"DELETE FROM {kind} WHERE true RETURNING 1")
