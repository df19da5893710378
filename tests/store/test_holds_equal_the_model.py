"""Holds, late success and what late money wanted: the store, driven by the activities' own classes, is the model of
`tests/model/holds_walk.py` after every step of random walks, and differs from each broken relative of
it where that one's story ends.

Not walked here, because nothing of ours does it yet: a second attempt of a payment, and refunds.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from random import Random

import pytest
import pytest_asyncio

from connectors.payments.ports import ChargeStatus
from store.identity import fresh_id
from tests.machine import Database
from tests.model.hold_stories import SOUND, STORIES, Script
from tests.model.holds_walk import TOTALS, WISHES, HoldRules, HoldWorld
from tests.store.money import Books, books_of

WALKS = 24
STEPS = 26
NOT_OURS_YET = frozenset({"next attempt", "refund unapplied"})
Balances = dict[str, tuple[int, int]]
Lines = dict[tuple[str, str], int]


class SqlHolds:
    """The second implementation of what a walk drives. Each walk has a customer and invoices of its own."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self.customer_id = ""
        self.invoices: dict[str, str] = {}
        self.payments: dict[str, str] = {}

    async def prepare(self) -> None:
        self.customer_id, ids = await self.books.customer(*TOTALS.values())
        self.invoices = dict(zip(TOTALS, ids, strict=True))
        self.payments = {name: fresh_id("pay") for name in WISHES}

    async def ask_to_open(self, name: str, payment_id: str) -> str:
        lines = [(self.invoices[each], minor) for each, minor in WISHES[name].items()]
        what, _ = await self.books.open(self.books.request(self.customer_id, lines, payment_id=payment_id))
        return what

    async def perform(self, kind: str, *arguments: str, world: HoldWorld, random: Random) -> None:
        """What our side does when this happens; what happens at the provider alone is not heard of."""
        match kind, *arguments:
            case "open", name:
                assert await self.ask_to_open(name, self.payments[name]) == "charge"
            case (("fetch" | "cancel works"), name):
                await self._told(name, world, random)
            case "hear decline", name:
                # The page can still be paid: no end, whatever the event says.
                await self.books.record(self.payments[name], ChargeStatus.NEEDS_CUSTOMER, failure_code="card_declined")
            case "cancel lost", name:
                await self.books.recording.record(self.payments[name], "unknown", None, "no answer to our cancellation")
            case "staff free", name:
                await self.books.recording.record(self.payments[name], "no", None, "ended by a person")
            case "staff raise total", invoice:
                await self.books.change(self.invoices[invoice], total=world.totals[invoice])
            case "money returned", name:
                await self.books.record(self.payments[name], ChargeStatus.RETURNED)

    async def _told(self, name: str, world: HoldWorld, random: Random) -> None:
        """The provider is asked, and tells what its page is."""
        (page,) = world.payments[name].pages
        ends = (ChargeStatus.DECLINED, ChargeStatus.CANCELED, ChargeStatus.EXPIRED)
        status = {
            "payable": ChargeStatus.NEEDS_CUSTOMER,
            "dead": random.choice(ends),
            "succeeded": ChargeStatus.RETURNED if world.payments[name].state == "returned" else ChargeStatus.CAPTURED,
        }[page.state]
        await self.books.record(self.payments[name], status)

    async def lines(self, table: str, who: str) -> Lines:
        rows = await self.books.rows(
            f"""SELECT {who} AS payment_id, invoice_id, sum(amount)::bigint AS amount FROM {table}
                WHERE {who} = ANY(:ids) GROUP BY 1, 2 HAVING sum(amount) <> 0""",
            ids=list(self.payments.values()),
        )
        names = {payment_id: name for name, payment_id in self.payments.items()}
        invoices = {invoice_id: name for name, invoice_id in self.invoices.items()}
        return {(names[row.payment_id], invoices[row.invoice_id]): row.amount for row in rows}

    async def balances(self) -> Balances:
        rows = await self.books.rows("SELECT id, open, held FROM balances WHERE customer_id = :me", me=self.customer_id)
        by_id = {row.id: (row.open, row.held) for row in rows}
        return {name: by_id[each] for name, each in self.invoices.items()}


def some(lines: Lines) -> Lines:
    return {key: minor for key, minor in lines.items() if minor}


async def compare(world: HoldWorld, sql: SqlHolds) -> None:
    """Both say the same of every hold, allocation, wish and balance."""
    assert await sql.lines("holds", "holder_id") == some(world.holds)
    assert await sql.lines("allocations", "payment_id") == some(world.allocations)
    assert await sql.lines("wanted", "payment_id") == some(world.wanted)
    assert await sql.balances() == {each: (world.open(each), world.held(each)) for each in TOTALS}


async def refuses_what_does_not_fit(world: HoldWorld, sql: SqlHolds, random: Random) -> None:
    """Whoever asks for more than is available is refused, and nothing is held for them."""
    may = {name for (name,) in world.choices("open")}
    too_much = [
        name
        for name, wish in WISHES.items()
        if name not in may and any(minor > world.available(invoice) for invoice, minor in wish.items())
    ]
    if too_much:
        assert await sql.ask_to_open(random.choice(too_much), fresh_id("pay")) == "answer"


async def walk(books: Books, seed: int, rules: HoldRules) -> None:
    """Fails at the first step after which the store and the model differ."""
    random, world, sql = Random(seed), HoldWorld(rules), SqlHolds(books)
    await sql.prepare()
    for _ in range(STEPS):
        possible = [(kind, choices) for kind, choices in world.possible().items() if kind not in NOT_OURS_YET]
        kind, choices = random.choice(possible)
        arguments = random.choice(choices)
        world.perform(kind, *arguments)
        await sql.perform(kind, *arguments, world=world, random=random)
        await compare(world, sql)
        await refuses_what_does_not_fit(world, sql, random)


@pytest_asyncio.fixture
async def books(database: Database) -> AsyncIterator[Books]:
    async with books_of(database) as books:
        yield books


async def test_the_store_is_the_model_after_every_step_of_random_walks(books: Books) -> None:
    for seed in range(WALKS):
        await walk(books, seed, SOUND)
    assert await books.is_conserved()


async def play(books: Books, rules: HoldRules, script: Script) -> None:
    """A story, as far as the rules let it go. Fails at the first step after which the store and the model differ."""
    world, sql = HoldWorld(rules), SqlHolds(books)
    await sql.prepare()
    for kind, *arguments in script:
        if tuple(arguments) not in world.choices(kind):
            return
        world.perform(kind, *arguments)
        await sql.perform(kind, *arguments, world=world, random=Random(0))
        await compare(world, sql)


OURS = [name for name, (_, script, _) in STORIES.items() if not NOT_OURS_YET & {kind for kind, *_ in script}]


@pytest.mark.parametrize("name", OURS)
async def test_the_store_tells_every_story_as_the_rule_does_and_not_as_its_broken_relative(books: Books, name: str) -> None:
    rules, script, _ = STORIES[name]
    await play(books, SOUND, script)
    with pytest.raises(AssertionError):
        await play(books, rules, script)
