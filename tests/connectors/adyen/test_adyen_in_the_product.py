"""Adyen under the product's own steps: the database, the activities and the connector are the real ones, and what Adyen
delivers comes in as the door stores it. What is charged is counted there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

import pytest
import pytest_asyncio
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities.events import Events, take_in
from activities.payments import Payments, Recorded, RecordOutcome, Told
from activities.providers import Providers
from activities.refunds import RecordRefund, RefundRecorded, Refunds, RefundTold
from activities.setups import Setups
from connectors.conformance.payment_harness import Enters, Fault, Operation, Saved
from domain.ids import attempt_of
from launch.checking.charges import charged_once
from launch.checking.refunds import refunded_once
from store import methods
from tests import machine
from tests.activities.test_asking import StillPokes
from tests.connectors.adyen.harness import AdyenHarness
from tests.connectors.adyen.test_adyen_conformance import ByEvents
from tests.store.money import ERP, PROVIDER, Books, books_of
from tests.store.refunding import Counter

DAY = timedelta(days=1)
URL = "https://duly.example"


@dataclass(frozen=True, kw_only=True)
class Office:
    """Books, and Adyen."""

    books: Books
    adyen: AdyenHarness
    payments: Payments
    refunds: Refunds
    events: Events

    async def paying(self, what: Enters = Enters.GOOD, *, minor: int = 12_345) -> str:
        """A payment with a method that a customer of ours saved at Adyen, opened."""
        kit = ByEvents()
        kit.known = {}
        customer_id, (invoice_id,) = await self.books.customer(minor)
        saved = await kit.saved(self.adyen, what)
        method_id = await self.keep(customer_id, saved)
        return await self.books.opened(customer_id, (invoice_id, minor), method_id=method_id, kind=saved.method.kind)

    async def keep(self, customer_id: str, saved: Saved) -> str:
        """Adyen knows its shopper by our customer's id, which this method was not saved under: moved to it there."""
        _, _, stored = saved.method.token.rpartition("~")
        await self.adyen.turn(owner=[stored, customer_id])
        details = saved.method.__class__(
            token=f"{customer_id}~{stored}", kind=saved.method.kind, brand=saved.method.brand, last4=saved.method.last4
        )
        async with self.books.store.begin("test") as tx:
            return await methods.keep(
                tx, details, customer_id=customer_id, connection_id=PROVIDER, state="active", by="test", at=self.books.at
            )

    async def charge(self, payment_id: str) -> str:
        told = await ActivityEnvironment().run(self.payments.charge, payment_id)
        return await self.record(payment_id, told)

    async def ask(self, payment_id: str) -> str:
        told = cast("Told", await ActivityEnvironment().run(self.payments.find_charge, payment_id))
        return await self.record(payment_id, told)

    async def record(self, payment_id: str, told: Told) -> str:
        order = RecordOutcome(payment_id=payment_id, told=told)
        recorded = cast("Recorded", await ActivityEnvironment().run(self.payments.record_outcome, order))
        return recorded.state

    async def receive(self, our_ref: str) -> list[str]:
        """What Adyen has delivered about a reference, stored as the door does. What is new there, by its row."""
        events = await self.adyen.heard(our_ref)
        async with self.books.store.begin("test") as tx:
            return await take_in(tx, PROVIDER, events, at=self.adyen.now())

    async def state(self, table: str = "payments") -> str:
        return str((await self.books.one(f"SELECT state FROM {table}")).state)


@pytest_asyncio.fixture
async def office(database: machine.Database, adyen: AdyenHarness) -> AsyncIterator[Office]:
    async with books_of(database) as books:
        books.at = adyen.now()
        providers, pokes = Providers({PROVIDER: adyen.provider}), StillPokes()
        setups = Setups(books.store, providers, adyen.now, pokes, base_url=URL)
        yield Office(
            books=books,
            adyen=adyen,
            payments=Payments(books.store, providers, adyen.now, pokes, base_url=URL, erp=ERP),
            refunds=Refunds(books.store, providers, adyen.now, pokes, erp=ERP),
            events=Events(books.store, providers, adyen.now, cast("Client", None), pokes, setups, erp=ERP),
        )


@pytest.mark.parametrize("fault", [Fault.ANSWER_LOST, Fault.REQUEST_LOST, Fault.UNREADABLE])
async def test_a_charge_without_an_answer_is_asked_about_by_its_key_and_charged_once(office: Office, fault: Fault) -> None:
    payment_id = await office.paying()
    await office.adyen.break_next(Operation.CHARGE, fault)
    assert await office.charge(payment_id) == "unknown"
    assert await office.ask(payment_id) == "captured"
    assert await office.adyen.moving(attempt_of(payment_id, 1)) == 1
    assert await office.books.is_conserved()


async def test_where_the_key_repeats_an_error_the_event_tells(office: Office) -> None:
    payment_id = await office.paying()
    await office.adyen.break_next(Operation.CHARGE, Fault.BROKEN_AFTER)
    assert [await office.charge(payment_id), await office.ask(payment_id)] == ["unknown", "unknown"]
    assert await office.books.count("holds") == 1
    await office.receive(attempt_of(payment_id, 1))
    assert await office.ask(payment_id) == "captured"
    assert await office.adyen.moving(attempt_of(payment_id, 1)) == 1
    finding = await charged_once(office.books.store, {PROVIDER: office.adyen.provider})
    assert (finding.looked_at, finding.count, finding.problem) == (1, 0, None)


async def test_a_debit_is_settled_by_silence_and_taken_back_by_an_event_after_that(office: Office) -> None:
    payment_id = await office.paying(Enters.RETURNING_DEBIT)
    our_ref = attempt_of(payment_id, 1)
    assert [await office.charge(payment_id), await office.ask(payment_id)] == ["processing", "processing"]
    await office.receive(our_ref)
    assert await office.ask(payment_id) == "processing"
    await office.adyen.advance(13 * DAY)
    assert await office.ask(payment_id) == "settled"
    await office.adyen.advance(4 * DAY)
    (chargeback,) = await office.receive(our_ref)
    assert await ActivityEnvironment().run(office.events.apply_event, chargeback) == "handled"
    assert await office.state() == "returned"
    assert await office.books.is_conserved()


DISPUTE = ("NOTIFICATION_OF_CHARGEBACK", "CHARGEBACK", "CHARGEBACK_REVERSED", "SECOND_CHARGEBACK")


@pytest.mark.parametrize("shift", range(5))
async def test_a_dispute_that_was_lost_is_a_return_in_whatever_order_it_is_told(office: Office, shift: int) -> None:
    """Each event twice, onwards and backwards; the books move by the last word, however early that came."""
    payment_id = await office.paying()
    our_ref = attempt_of(payment_id, 1)
    assert await office.charge(payment_id) == "captured"
    for code in DISPUTE:
        await office.adyen.tell(our_ref, code)
    told = list(await office.adyen.heard(our_ref))
    assert [each.kind for each in told] == ["AUTHORISATION", *DISPUTE]
    order = [*told[shift:], *told[:shift]]
    for event in (*order, *reversed(order)):
        async with office.books.store.begin("test") as tx:
            fresh = await take_in(tx, PROVIDER, [event], at=office.adyen.now())
        for inbox_id in fresh:
            assert await ActivityEnvironment().run(office.events.apply_event, inbox_id) in {"handled", "stale"}
    assert await office.state() == "returned"
    assert await office.books.allocated(payment_id) == {}
    assert await office.books.count("journal_entries", "kind = 'returned'") == 1
    assert await office.books.is_conserved()


async def test_a_part_that_was_authorised_settles_nothing(office: Office) -> None:
    kit = ByEvents()
    kit.known = {}
    customer_id, (invoice_id,) = await office.books.customer(10_000)
    page_ref = "set_01jd0000000000000000000000"
    page = await kit.start_setup(office.adyen, page_ref)
    await office.adyen.enter(page.url, Enters.GOOD, "card_part")
    setup = await kit.setup_now(office.adyen, page_ref)
    assert setup.method is not None
    payer = kit.setup_order(office.adyen, page_ref).payer
    method_id = await office.keep(customer_id, Saved(payer=payer, method=setup.method))
    payment_id = await office.books.opened(customer_id, (invoice_id, 10_000), method_id=method_id)
    assert await office.charge(payment_id) == "unknown"
    assert await office.books.count("differences", "kind = 'another_amount'") == 1
    assert await office.books.allocated(payment_id) == {}


async def test_a_refund_without_an_answer_goes_once_and_is_booked_when_its_event_came(office: Office) -> None:
    payment_id = await office.paying()
    await office.charge(payment_id)
    await office.receive(attempt_of(payment_id, 1))
    counter = Counter(office.books)
    (invoice_id,) = await office.books.allocated(payment_id)
    request = counter.request(payment_id, 345, [(invoice_id, 345)])
    assert await counter.ask(request) == ("send", None)

    async def step(what: str) -> str:
        told = cast("RefundTold", await ActivityEnvironment().run(getattr(office.refunds, what), request.refund_id))
        order = RecordRefund(refund_id=request.refund_id, told=told)
        return cast("RefundRecorded", await ActivityEnvironment().run(office.refunds.record_refund, order)).state

    await office.adyen.break_next(Operation.REFUND, Fault.ANSWER_LOST)
    assert await step("send_refund") == "unknown"
    await office.adyen.advance(timedelta(hours=30))  # other providers have forgotten the key by now
    assert await step("send_refund") == "processing"
    assert await step("find_refund") == "processing"
    await office.receive(request.refund_id)
    assert await step("find_refund") == "refunded"
    assert await office.adyen.given_back(request.refund_id) == 345
    finding = await refunded_once(office.books.store, {PROVIDER: office.adyen.provider})
    assert (finding.looked_at, finding.count, finding.problem) == (1, 0, None)
