"""A provider that cannot be searched: its deliveries are what it is asked with, the same key is what it is asked by, and
that it shows nothing never releases anything.
"""

# ruff: noqa: ARG002 - the port names more than this provider needs

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any, cast

import pytest
import pytest_asyncio
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities.asking import Asking
from activities.events import Events
from activities.payments import Payments, RecordOutcome, Told
from activities.pokes import Pokes
from activities.providers import Providers
from activities.refunds import Refunds, RefundTold
from activities.setups import RecordSetup, Setups
from connectors.errors import Rejected
from connectors.payments.ports import ChargeStatus, ProviderCharge, ProviderEvent, ProviderRefund, RefundOrder
from domain.ids import attempt_of
from domain.methods import MethodKind
from domain.money import Money
from store import inbox, methods
from tests import machine
from tests.simulation.provider import FarProvider
from tests.simulation.stage import Stage
from tests.store.money import ERP, PROVIDER, Books, books_of
from tests.store.refunding import Counter

LIFE = timedelta(days=30)


class Unsearchable(FarProvider):
    """Answers a send, and again under its key; of what became of it only its events tell."""

    keeps_answers_for = LIFE

    def __init__(self) -> None:
        super().__init__(Stage())
        self.sent: list[str] = []
        self.heard: list[Sequence[ProviderEvent]] = []
        self.refuses = False

    async def charge(self, order: Any, *, key: str) -> ProviderCharge:
        self.sent.append(key)
        if self.refuses:
            raise Rejected("closed", "The account is closed.")
        return await super().charge(order, key=key)

    async def refund(self, order: RefundOrder, *, key: str) -> ProviderRefund:
        self.sent.append(key)
        if self.refuses:
            raise Rejected("too_much", "Nothing is left of it.")
        return await super().refund(order, key=key)

    async def find_charge(
        self, our_ref: str, *, provider_id: str | None = None, heard: Sequence[ProviderEvent] = ()
    ) -> ProviderCharge | None:
        self.heard.append(heard)
        told = [each for each in heard if "minor" in each.facts]
        if not told:
            return None
        return ProviderCharge(
            provider_id=provider_id or told[-1].provider_id or "",
            our_ref=our_ref,
            status=ChargeStatus(told[-1].facts["status"]),
            amount=Money.of(int(told[-1].facts["minor"]), "USD"),
        )

    async def find_refund(
        self, our_ref: str, *, provider_id: str | None = None, heard: Sequence[ProviderEvent] = ()
    ) -> ProviderRefund | None:
        self.heard.append(heard)
        return None

    async def find_setup(self, our_ref: str, *, session_id: str | None = None, heard: Sequence[ProviderEvent] = ()) -> None:
        self.heard.append(heard)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Desk:
    """What is done, and by whom."""

    books: Books
    far: Unsearchable
    payments: Payments
    refunds: Refunds
    events: Events
    setups: Setups

    async def paying(self) -> str:
        """A payment with a saved card, opened."""
        customer_id, (invoice_id,) = await self.books.customer(1_000)
        method_id = await self.books.method(customer_id, token="pm_1")
        self.far.methods["pm_1"] = (MethodKind.CARD, "ok")
        return await self.books.opened(customer_id, (invoice_id, 1_000), method_id=method_id)

    async def sent_and_not_answered(self) -> str:
        """Sent, and the answer was lost; the provider has it."""
        payment_id = await self.paying()
        await ActivityEnvironment().run(self.payments.charge, payment_id)
        await self.record(payment_id, Told(why="unknown"))
        return payment_id

    async def record(self, payment_id: str, told: Told) -> str:
        order = RecordOutcome(payment_id=payment_id, told=told)
        return str((await ActivityEnvironment().run(self.payments.record_outcome, order)).state)

    async def ask(self, payment_id: str) -> Told:
        return cast("Told", await ActivityEnvironment().run(self.payments.find_charge, payment_id))

    async def receive(
        self, key: str, *, our_ref: str | None, provider_id: str, connection: str = PROVIDER, **facts: str
    ) -> str:
        """A verified delivery."""
        self.books.at += timedelta(seconds=1)
        async with self.books.store.begin("test") as tx:
            inbox_id, _ = await inbox.receive(
                tx, connection_id=connection, dedupe_key=key, event_id=key, kind="told", subject="charge",
                our_ref=our_ref, provider_id=provider_id, claims=None, occurred_at=None, at=self.books.at, facts=facts,
            )  # fmt: skip
        return inbox_id


@pytest_asyncio.fixture
async def desk(database: machine.Database) -> AsyncIterator[Desk]:
    async with books_of(database) as books:
        far = Unsearchable()
        providers, pokes = Providers({PROVIDER: far}), StillPokes()
        setups = Setups(books.store, providers, books.now, pokes, base_url="https://duly.example")
        yield Desk(
            books=books,
            far=far,
            payments=Payments(books.store, providers, books.now, pokes, base_url="https://duly.example", erp=ERP),
            refunds=Refunds(books.store, providers, books.now, pokes, erp=ERP),
            events=Events(books.store, providers, books.now, cast("Client", None), pokes, setups, erp=ERP),
            setups=setups,
        )


class StillPokes(Pokes):
    """Nobody is woken here."""

    def __init__(self) -> None:
        super().__init__(cast("Client", None), erps={ERP: None})

    def poster(self) -> None:
        """Nothing."""

    def mailer(self) -> None:
        """Nothing."""


async def test_an_unknown_charge_is_asked_about_under_the_same_key_and_is_charged_once(desk: Desk) -> None:
    payment_id = await desk.sent_and_not_answered()
    told = await desk.ask(payment_id)
    assert (told.why, len(desk.far.sent), len(set(desk.far.sent)), len(desk.far.charges)) == ("told", 2, 1, 1)
    assert await desk.record(payment_id, told) == "captured"


async def test_what_events_tell_is_asked_before_anything_is_sent_again(desk: Desk) -> None:
    payment_id = await desk.sent_and_not_answered()
    await desk.receive("a", our_ref=attempt_of(payment_id, 1), provider_id="psp_1", status="captured", minor="1000")
    told = await desk.ask(payment_id)
    assert (told.why, len(desk.far.sent)) == ("told", 1)
    assert told.charge is not None
    assert (told.charge.provider_id, told.charge.status) == ("psp_1", ChargeStatus.CAPTURED)
    assert await desk.record(payment_id, told) == "captured"


async def test_what_has_ended_is_never_sent_to_be_asked_about(desk: Desk) -> None:
    payment_id = await desk.sent_and_not_answered()
    await desk.books.recording.record(payment_id, "no", None, None)
    assert ((await desk.ask(payment_id)).why, len(desk.far.sent)) == ("unknown", 1)


@pytest.mark.parametrize(("after", "sends"), [(LIFE - timedelta(seconds=1), 2), (LIFE, 1), (3 * LIFE, 1)])
async def test_a_key_that_may_be_forgotten_is_not_sent_again(desk: Desk, after: timedelta, sends: int) -> None:
    opened_at = desk.books.at
    payment_id = await desk.sent_and_not_answered()
    desk.books.at = opened_at + after
    told = await desk.ask(payment_id)
    assert len(desk.far.sent) == sends
    if sends == 1:
        assert told.why == "unknown", "a hold is not released because nothing is shown"
        assert await desk.record(payment_id, told) == "unknown"
        assert await desk.books.count("holds") == 1


async def test_a_second_send_that_is_refused_says_nothing_about_the_first(desk: Desk) -> None:
    payment_id = await desk.sent_and_not_answered()
    desk.far.refuses = True
    told = await desk.ask(payment_id)
    assert (told.why, await desk.record(payment_id, told)) == ("unknown", "unknown")
    assert await desk.books.count("holds") == 1


async def test_no_news_leaves_what_was_answered_as_it_is(desk: Desk) -> None:
    payment_id = await desk.sent_and_not_answered()
    await desk.books.record(payment_id, ChargeStatus.PROCESSING)
    told = await desk.ask(payment_id)
    assert (told.why, await desk.record(payment_id, told)) == ("no_news", "processing")
    assert len(desk.far.sent) == 1


async def test_events_are_found_by_our_reference_and_by_theirs_in_the_order_they_came(desk: Desk) -> None:
    ref, other = "pay_1-1", "pay_2-1"
    await desk.receive("by our reference", our_ref=ref, provider_id="psp_9", status="captured")
    await desk.receive("by theirs", our_ref=None, provider_id="psp_1")
    await desk.receive("of another payment", our_ref=other, provider_id="psp_2")
    await desk.receive("of another connection", our_ref=ref, provider_id="psp_1", connection="elsewhere")
    await desk.receive("later", our_ref=ref, provider_id="psp_1")
    async with desk.books.store.begin("test") as tx:
        await inbox.refuse(tx, connection_id=PROVIDER, digest="d", reason="signature", at=desk.books.at)
    asking = Asking(desk.books.store, Providers({PROVIDER: desk.far}))
    await asking.charge_of(PROVIDER, ref, provider_id="psp_1")
    (heard,) = desk.far.heard
    assert [each.event_id for each in heard] == ["by our reference", "by theirs", "later"]
    assert (heard[0].facts, heard[2].received_at) == ({"status": "captured"}, desk.books.at)


async def test_who_can_be_searched_is_told_nothing(desk: Desk) -> None:
    class Searchable(FarProvider):
        async def find_charge(
            self, our_ref: str, *, provider_id: str | None = None, heard: Sequence[ProviderEvent] = ()
        ) -> ProviderCharge | None:
            assert list(heard) == []
            return await super().find_charge(our_ref, provider_id=provider_id)

    await desk.receive("a", our_ref="pay_1-1", provider_id="psp_1")
    asking = Asking(desk.books.store, Providers({PROVIDER: Searchable(Stage())}))
    assert await asking.charge_of(PROVIDER, "pay_1-1", provider_id=None) is None
    assert asking.key_life(PROVIDER) is None


async def test_a_late_event_that_tells_nothing_is_done_with(desk: Desk) -> None:
    payment_id = await desk.sent_and_not_answered()
    await desk.books.record(payment_id, ChargeStatus.CAPTURED)
    inbox_id = await desk.receive("words", our_ref=attempt_of(payment_id, 1), provider_id="psp_1")
    assert await ActivityEnvironment().run(desk.events.apply_event, inbox_id) == "stale"


async def test_a_late_event_takes_back_what_was_captured(desk: Desk) -> None:
    payment_id = await desk.sent_and_not_answered()
    await desk.books.record(payment_id, ChargeStatus.CAPTURED)
    inbox_id = await desk.receive("back", our_ref=None, provider_id=f"ch_{payment_id[4:]}", status="returned", minor="1000")
    assert await ActivityEnvironment().run(desk.events.apply_event, inbox_id) == "handled"
    assert (await desk.books.one("SELECT state FROM payments")).state == "returned"


async def a_refund(desk: Desk) -> str:
    """A refund that was sent, and whose answer was lost."""
    counter = Counter(desk.books)
    payment_id = await desk.sent_and_not_answered()
    await desk.record(payment_id, await desk.ask(payment_id))
    desk.far.sent.clear()
    (invoice_id,) = await desk.books.allocated(payment_id)
    return await counter.sent(payment_id, 400, (invoice_id, 400))


async def send(desk: Desk, refund_id: str) -> RefundTold:
    return cast("RefundTold", await ActivityEnvironment().run(desk.refunds.send_refund, refund_id))


@pytest.mark.parametrize(("after", "why", "sends"), [(timedelta(hours=30), "told", 1), (LIFE * 2, "unknown", 0)])
async def test_a_refund_is_sent_again_while_its_key_lives(desk: Desk, after: timedelta, why: str, sends: int) -> None:
    refund_id = await a_refund(desk)
    desk.books.at += after
    told = await send(desk, refund_id)
    assert (told.why, len(desk.far.sent)) == (why, sends)


async def test_a_refund_that_is_refused_the_second_time_may_have_gone_the_first(desk: Desk) -> None:
    refund_id = await a_refund(desk)
    desk.books.at += timedelta(hours=1)
    desk.far.refuses = True
    assert (await send(desk, refund_id)).why == "unknown"


async def test_a_set_up_without_news_is_not_given_up(desk: Desk) -> None:
    customer_id, _ = await desk.books.customer(1_000)
    async with desk.books.store.begin("test") as tx:
        assert await methods.claim_setup(
            tx, setup_id="set_1", customer_id=customer_id, connection_id=PROVIDER, kind=MethodKind.CARD, currency="USD",
            run_id="run", request_hash="hash", consent_wording="Yes.", started_by="A. Cole", channel="portal",
            return_path="/", at=desk.books.at,
        )  # fmt: skip
    told = await ActivityEnvironment().run(desk.setups.find_setup, "set_1")
    recorded = await ActivityEnvironment().run(desk.setups.record_setup, RecordSetup(setup_id="set_1", told=told))
    assert (told.why, recorded.state, len(desk.far.heard)) == ("unknown", "started", 1)
