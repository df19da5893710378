"""Each payout is one deposit of its amount in an ERP's books, from the first on that somebody entered there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
import pytest_asyncio

from activities.deposits import Deposits
from connectors.erp.demo import DemoErp, DemoErpConfig, build
from tests import machine
from tests.simulators.running import DemoErpProgram, start_demo_erp
from tests.store.money import AT, ERP, PROVIDER, Books, books_of

_numbers = count(1)


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoErpProgram]:
    program = start_demo_erp(tmp_path_factory.mktemp("deposits") / "books.sqlite")
    yield program
    program.program.stop()


@pytest_asyncio.fixture
async def erp(far: DemoErpProgram) -> AsyncIterator[DemoErp]:
    connected = build(DemoErpConfig(base_url=far.url, api_key=far.api_key))
    yield connected
    await connected.aclose()


@pytest_asyncio.fixture
async def books(database: machine.Database) -> AsyncIterator[Books]:
    async with books_of(database) as opened:
        yield opened


async def paid_out(books: Books, amount: int, *, days_ago: int, state: str = "paid") -> str:
    """A payout that arrived so many days ago; its id."""
    payout, arrived = f"po_{next(_numbers)}", (AT - timedelta(days=days_ago)).date()
    async with books.store.begin("test") as tx:
        await tx.run(
            """INSERT INTO payouts (connection_id, provider_id, amount, currency, state, made_at, arrives_on, is_itemised,
                   first_read_at, read_at)
               VALUES (:provider, :id, :amount, 'USD', :state, :at, :arrived, true, :at, :at)""",
            provider=PROVIDER,
            id=payout,
            amount=amount,
            state=state,
            at=datetime(arrived.year, arrived.month, arrived.day, tzinfo=UTC),
            arrived=arrived,
        )
    return payout


def enter(far: DemoErpProgram, payout: str, amount: int) -> None:
    far.answer("POST", "/test/deposits", json={"reference": payout, "amount": amount})


async def open_of(books: Books) -> list[tuple[str, str, int]]:
    rows = await books.rows("SELECT kind, item, amount FROM differences WHERE closed_at IS NULL ORDER BY kind, item")
    return [(row.kind, row.item, row.amount) for row in rows]


async def test_payouts_and_deposits_agree_one_by_one_from_the_first_that_was_entered(
    books: Books, far: DemoErpProgram, erp: DemoErp
) -> None:
    deposits = Deposits(books.store, books.now)
    old, right, wrong, none = [
        await paid_out(books, amount, days_ago=days) for amount, days in ((1_000, 30), (2_000, 9), (3_000, 8), (4_000, 7))
    ]
    await paid_out(books, 5_000, days_ago=6, state="failed")
    assert await deposits.compare(erp, ERP) == 0, "where nobody enters deposits none is missed"
    enter(far, right, 2_000)
    enter(far, wrong, 2_990)
    assert await deposits.compare(erp, ERP) == 2
    assert await deposits.compare(erp, ERP) == 2, "asked again, they are the same"
    assert await open_of(books) == [("deposit_amount", wrong, -10), ("deposit_missing", none, -4_000)]
    row = await books.one("SELECT opened_at, tell_at FROM differences WHERE kind = 'deposit_missing'")
    assert row.tell_at - row.opened_at == timedelta(days=2), "a bank takes its time"
    stored = await books.one("SELECT deposit_erp, deposit_amount FROM payouts WHERE provider_id = :id", id=wrong)
    assert (stored.deposit_erp, stored.deposit_amount) == (ERP, 2_990)
    enter(far, wrong, 10)
    enter(far, none, 4_000)
    enter(far, none, 4_000)
    await deposits.compare(erp, ERP)
    assert await open_of(books) == [("deposit_amount", none, 4_000)], "twice is too much, in two parts is enough"
    far.answer("POST", "/test/deposits", json={"reference": right, "deleted": True})
    await deposits.compare(erp, ERP)
    assert ("deposit_missing", right, -2_000) not in await open_of(books), "it is before the first that stands"
    assert old not in [item for _, item, _ in await open_of(books)]


async def test_a_payout_that_another_erp_shows_is_missed_by_nobody(books: Books, far: DemoErpProgram, erp: DemoErp) -> None:
    deposits = Deposits(books.store, books.now)
    first, second = await paid_out(books, 1_000, days_ago=9), await paid_out(books, 2_000, days_ago=8)
    enter(far, second, 2_000)
    await deposits.compare(erp, "another")
    far.answer("POST", "/test/deposits", json={"reference": second, "deleted": True})
    enter(far, first, 1_000)
    assert await deposits.compare(erp, ERP) == 0, "it stands in the other's books"
    shown = await books.one("SELECT deposit_erp FROM payouts WHERE provider_id = :id", id=second)
    assert shown.deposit_erp == "another"
