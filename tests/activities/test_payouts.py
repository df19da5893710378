"""A payout is read once, sums up, and each part of it is ours once. What is not, or not paid out, is a difference."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from activities.payouts import Payouts
from activities.providers import Providers
from connectors.payments.ports import ChargeStatus
from connectors.payments.sandbox.payouts import PAYS_OUT_WITHIN
from tests import machine
from tests.connectors.sandbox_harness import Receiver, SandboxHarness, start_sandbox
from tests.simulators.running import Program
from tests.store.money import PROVIDER, Books, books_of

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    program = start_sandbox(tmp_path_factory.mktemp("payouts") / "provider.sqlite")
    yield program
    program.stop()


class Bank:
    """A provider that pays out, and Duly's books beside it."""

    def __init__(self, books: Books, harness: SandboxHarness) -> None:
        self.books = books
        self.harness = harness
        self.payouts = Payouts(books.store, Providers({PROVIDER: harness.provider}), books.now)
        self.since = LONG_AGO

    async def paid(self, minor: int) -> str:
        """A payment that succeeded here."""
        customer, [invoice] = await self.books.customer(minor)
        payment = await self.books.opened(customer, (invoice, minor))
        await self.books.record(payment, ChargeStatus.CAPTURED)
        return payment

    async def told(self, kind: str, gross: int, our_ref: str | None = None, **facts: Any) -> None:
        """Something of the provider's next payout."""
        body = {"kind": kind, "gross": gross, "currency": "USD", "our_ref": our_ref, **facts}
        await self.harness.ask("POST", "/v1/test/balance", body)

    async def pay_out(self, *, off_by: int = 0) -> str:
        """The provider pays out; the payout's id."""
        [made] = (await self.harness.ask("POST", "/v1/test/payouts", {"off_by": off_by}))["payouts"]
        return str(made)

    async def compare(self) -> int:
        return await self.payouts.compare(PROVIDER, since=self.since)

    async def open(self) -> list[tuple[str, str, int]]:
        """What differs: kind, item, amount."""
        rows = await self.books.rows(
            "SELECT kind, item, amount FROM differences WHERE closed_at IS NULL ORDER BY kind, item"
        )
        return [(row.kind, row.item, row.amount) for row in rows]


@pytest_asyncio.fixture
async def bank(database: machine.Database, far: Program) -> AsyncIterator[Bank]:
    """Fresh books; of the provider's payouts only what comes after this moment is theirs."""
    harness = SandboxHarness(far.url, Receiver())
    async with books_of(database) as books:
        opened = Bank(books, harness)
        begun = await harness.provider.payouts_after(None, since=LONG_AGO)
        async with books.store.begin("test") as tx:
            await tx.run(
                "INSERT INTO payout_cursors (connection_id, cursor, since, read_at) VALUES (:id, :cursor, :since, :since)",
                id=PROVIDER,
                cursor=begun.cursor,
                since=LONG_AGO,
            )
        yield opened
    await harness.aclose()


async def test_a_payout_that_is_all_ours_is_read_once_and_differs_in_nothing(bank: Bank) -> None:
    payment = await bank.paid(10_000)
    await bank.told("charge", 10_000, f"{payment}-1", fee=170)
    payout = await bank.pay_out()
    assert await bank.compare() == 0
    assert await bank.compare() == 0, "read again, it is the same one"
    row = await bank.books.one("SELECT * FROM payouts")
    assert (row.provider_id, row.amount, row.state) == (payout, 10_000 - 170 - 25, "pending")
    items = await bank.books.rows("SELECT kind, gross, fee, payment_id FROM payout_items ORDER BY kind")
    assert [(each.kind, each.gross, each.fee, each.payment_id) for each in items] == [
        ("charge", 10_000, 170, payment),
        ("fee", -25, 0, None),
    ]
    await bank.harness.advance(timedelta(days=1))
    await bank.compare()
    assert (await bank.books.one("SELECT state FROM payouts")).state == "paid"
    assert await bank.open() == []


async def test_parts_that_are_not_ours_twice_or_of_another_amount_are_told_by_class(bank: Bank) -> None:
    once, twice, other = await bank.paid(1_000), await bank.paid(2_000), await bank.paid(3_000)
    await bank.told("charge", 1_000, f"{once}-1")
    await bank.told("charge", 2_000, f"{twice}-1")
    await bank.told("charge", 2_000, f"{twice}-2")
    await bank.told("charge", 3_500, f"{other}-1")
    await bank.told("dispute", -1_000, f"{once}-1")
    await bank.told("charge", 777, "pay_of_somebody_else-1")
    payout = await bank.pay_out()
    await bank.compare()
    await bank.compare()
    found = await bank.open()
    assert [(kind, amount) for kind, _, amount in found] == [
        ("paid_out_again", 2_000),
        ("paid_out_again", 2_000),
        ("paid_out_amount", 500),
        ("payout_of_strangers", 777),
        ("taken_back_unknown", -1_000),
    ]
    facts = await bank.books.rows("SELECT facts, process_id FROM differences ORDER BY kind, item")
    assert {each.facts["payout"] for each in facts} == {payout}
    # The bank's word arrives after all: what it explains ends by itself, whatever became of the rest.
    await bank.books.record(once, ChargeStatus.RETURNED, return_code="R01")
    await bank.compare()
    assert "taken_back_unknown" not in [kind for kind, _, _ in await bank.open()]


async def test_a_payout_is_waited_for_until_its_parts_sum_up_to_it(bank: Bank) -> None:
    payment = await bank.paid(4_000)
    await bank.told("charge", 4_000, f"{payment}-1")
    payout = await bank.pay_out(off_by=-300)
    await bank.compare()
    assert await bank.open() == [("payout_incomplete", payout, -300)]
    row = await bank.books.one("SELECT opened_at, tell_at FROM differences")
    assert row.tell_at - row.opened_at == timedelta(days=2), "nobody is told before"


async def test_a_payment_that_is_not_paid_out_within_the_term_is_told_until_it_is(bank: Bank) -> None:
    payment = await bank.paid(5_000)
    await bank.compare()
    assert await bank.open() == [], "it may still come"
    bank.books.at += PAYS_OUT_WITHIN + timedelta(minutes=1)
    await bank.compare()
    bank.books.at += timedelta(days=30)
    await bank.compare()
    assert await bank.open() == [("not_paid_out", payment, -5_000)], "it is looked for until it came"
    await bank.told("charge", 5_000, f"{payment}-1")
    await bank.pay_out()
    await bank.compare()
    assert await bank.open() == []


async def test_a_charge_that_bears_no_reference_is_known_by_the_providers_own_id(bank: Bank) -> None:
    payment = await bank.paid(6_000)
    await bank.told("charge", 6_000, source=f"ch_{payment[4:]}")
    await bank.pay_out()
    assert await bank.compare() == 0
    row = await bank.books.one("SELECT payment_id FROM payout_items WHERE kind = 'charge'")
    assert row.payment_id == payment


async def test_a_payout_that_its_bank_sent_back_says_so_when_it_is_looked_at_again(bank: Bank) -> None:
    payment = await bank.paid(7_000)
    await bank.told("charge", 7_000, f"{payment}-1")
    payout = await bank.pay_out()
    await bank.harness.advance(timedelta(days=1))
    await bank.compare()
    await bank.harness.ask("POST", "/v1/test/payouts/move", {"payout": payout, "status": "failed"})
    await bank.compare()
    assert (await bank.books.one("SELECT state FROM payouts WHERE provider_id = :id", id=payout)).state == "failed"
