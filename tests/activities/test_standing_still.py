"""What is sent again, and what is not sent late: a worker that stood still sends nothing, a second attempt asks first."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from typing import cast

import pytest
import pytest_asyncio
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.payments import SEND_WITHIN, Payments
from activities.pokes import Pokes
from activities.posting import WINDOW, Postings
from activities.providers import Providers
from connectors.payments.ports import ChargeStatus
from domain.methods import MethodKind
from domain.money import Money
from tests import machine
from tests.simulation.ledger import FarErp
from tests.simulation.provider import KEY_LIFE, FarProvider
from tests.simulation.stage import Stage
from tests.store.money import ERP, PROVIDER, Books, books_of


@pytest_asyncio.fixture
async def books(database: machine.Database) -> AsyncIterator[Books]:
    async with books_of(database) as opened:
        yield opened


class Jumps:
    """A clock that moves by so much each time it is asked."""

    def __init__(self, at: datetime, by: timedelta) -> None:
        self.at, self.by = at, by

    def __call__(self) -> datetime:
        self.at += self.by
        return self.at


def payments_of(books: Books, far: FarProvider, clock: Callable[[], datetime]) -> Payments:
    pokes = Pokes(cast("Client", None), erps={ERP: None})
    providers = Providers({PROVIDER: far})
    return Payments(books.store, providers, clock, pokes, base_url="https://duly.example", erp=ERP)


async def with_a_card(books: Books, far: FarProvider) -> str:
    """The id of a payment with a saved card, opened."""
    customer_id, (invoice_id,) = await books.customer(1_000)
    method_id = await books.method(customer_id, token="pm_1")
    far.methods["pm_1"] = (MethodKind.CARD, "ok")
    return await books.opened(customer_id, (invoice_id, 1_000), method_id=method_id)


@pytest.mark.parametrize(("stood_for", "charges"), [(SEND_WITHIN, 1), (SEND_WITHIN + timedelta(seconds=1), 0)])
async def test_a_charge_is_not_sent_long_after_it_was_announced(books: Books, stood_for: timedelta, charges: int) -> None:
    far = FarProvider(Stage())
    payment_id = await with_a_card(books, far)
    payments = payments_of(books, far, Jumps(books.at, stood_for))
    charge = ActivityEnvironment().run(payments.charge, payment_id)
    if charges:
        assert (await charge).why == "told"
    else:
        with pytest.raises(ApplicationError, match="stood still"):
            await charge
    assert len(far.charges) == charges


async def test_a_second_attempt_asks_first_for_the_provider_may_have_forgotten_the_key(books: Books) -> None:
    """The first answer was lost, and the worker came back a day later: the same key would charge again."""
    far = FarProvider(stage := Stage())
    payment_id = await with_a_card(books, far)
    payments = payments_of(books, far, books.now)
    await ActivityEnvironment().run(payments.charge, payment_id)
    stage.now += KEY_LIFE + timedelta(hours=1)
    again = ActivityEnvironment()
    again.info = dataclasses.replace(again.info, attempt=2)
    assert (await again.run(payments.charge, payment_id)).why == "told"
    assert len(far.charges) == 1


@pytest.mark.parametrize(("stood_for", "documents"), [(WINDOW, 1), (WINDOW + timedelta(seconds=1), 0)])
async def test_a_posting_is_not_sent_long_after_it_was_claimed(books: Books, stood_for: timedelta, documents: int) -> None:
    customer_id, (invoice_id,) = await books.customer(1_000)
    payment_id = await books.opened(customer_id, (invoice_id, 1_000))
    await books.record(payment_id, ChargeStatus.CAPTURED)
    far = FarErp(Stage())
    names = await books.one(
        "SELECT i.erp_id, c.erp_id AS customer, i.issued_on FROM invoices i JOIN customers c ON c.id = i.customer_id"
    )
    far.add_invoice(names.erp_id, names.customer, Money.of(1_000, "USD"), issued_on=names.issued_on)
    postings = Postings(books.store, {ERP: far}, Jumps(books.at, stood_for), connection_id=ERP)
    await ActivityEnvironment().run(postings.post_round, False)
    assert len(far.bearing(f"{payment_id}-captured")) == documents
    state = (await books.one("SELECT state FROM postings")).state
    assert state == ("confirmed" if documents else "queued")


async def test_while_the_erp_s_connection_cannot_be_built_its_postings_wait(books: Books) -> None:
    """Its secrets cannot be opened, say: nobody's document is refused for that, and nothing of it is lost."""
    customer_id, (invoice_id,) = await books.customer(1_000)
    payment_id = await books.opened(customer_id, (invoice_id, 1_000))
    await books.record(payment_id, ChargeStatus.CAPTURED)
    postings = Postings(books.store, {}, books.now, connection_id=ERP)
    for probe in (False, True):
        assert (await ActivityEnvironment().run(postings.post_round, probe)).down
    assert (await books.one("SELECT state FROM postings")).state == "queued"
