"""What becomes true late where nothing can be looked up: the events are the truth, and the silence between them.

As `test_late_truth.py` does for those that answer: played at the simulated Adyen, delivered with its signature, and counted
in the books, towards the ERP, in the mail and in what waits for staff.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import cast

import pytest_asyncio
from temporalio.testing import ActivityEnvironment

from activities.refunds import RecordRefund, RefundRecorded, Refunds, RefundTold
from connectors.conformance.payment_harness import Enters
from domain.money import Money
from launch.checking.charges import charged_once
from tests import machine
from tests.connectors.adyen.harness import AdyenHarness
from tests.connectors.adyen.test_adyen_conformance import ByEvents
from tests.store.money import ERP, PROVIDER
from tests.store.refunding import Counter
from tests.telling.ground import SUITE, Ground, Paid, ground_of, read
from tests.telling.test_late_truth import CAME_BACK, DAY, PAID, told, waiting

CAPTURED = {**PAID, "payment": ("captured", 10_000, 0)}
UNPAID = {"allocated": 0, "invoice": (10_000, 0), "postings": [], "journal": {}, "entries": []}


def by_events() -> ByEvents:
    suite = ByEvents()
    suite.known = {}
    return suite


@pytest_asyncio.fixture
async def ground(database: machine.Database, adyen: AdyenHarness) -> AsyncIterator[Ground]:
    async with ground_of(database, adyen, suite=by_events()) as made:
        yield made


async def hear(ground: Ground, adyen: AdyenHarness, our_ref: str) -> list[str]:
    """Carry to the door whatever has been delivered since the last time. The codes that were among it."""
    await adyen.heard(our_ref)
    arrived = adyen.receiver.deliveries[ground.carried :]
    ground.carried += len(arrived)
    events = read(ground.far, arrived)
    await ground.receive(*events)
    return [each.kind for each in events if each.our_ref == our_ref]


async def came_back_after_silence(ground: Ground, adyen: AdyenHarness) -> None:
    """Under way while it is announced, presumed settled when the days have passed without a word, and then taken back."""
    paid = await ground.paid(await ground.saved(Enters.RETURNING_DEBIT))
    assert await hear(ground, adyen, paid.our_ref) == ["AUTHORISATION"]
    under_way = {**UNPAID, "payment": ("processing", 0, 0), "invoice": (10_000, 10_000), "mails": []}
    assert await ground.end(paid) == under_way
    await adyen.advance(6 * DAY)
    await ground.events.mend(paid.payment_id)
    assert await ground.end(paid) == under_way, "six days are no seven business days"
    await adyen.advance(7 * DAY)
    await ground.events.mend(paid.payment_id)
    assert await ground.end(paid) == PAID
    assert await waiting(ground.books) == []
    await adyen.advance(4 * DAY)
    assert await hear(ground, adyen, paid.our_ref) == ["CHARGEBACK"]
    assert await ground.end(paid) == CAME_BACK
    assert await waiting(ground.books) == [("payment_returned", "AM04", 10_000)]
    assert await told(ground, paid, ["captured", "settled", "returned"]) == ["captured", "settled", "returned"]
    assert await ground.books.is_conserved()


async def test_an_american_debit_is_settled_by_silence_and_comes_back_after_that(
    ground: Ground, adyen: AdyenHarness
) -> None:
    await came_back_after_silence(ground, adyen)


async def test_a_european_debit_does_so_too(database: machine.Database, adyen_in_europe: AdyenHarness) -> None:
    async with ground_of(database, adyen_in_europe, suite=by_events()) as ground:
        await came_back_after_silence(ground, adyen_in_europe)


async def test_a_debit_that_fails_while_it_is_under_way_is_never_money_for_long(ground: Ground, adyen: AdyenHarness) -> None:
    """Adyen tells a debit that never came as it tells one that came back: both go through the books."""
    paid = await ground.paid(await ground.saved(Enters.FAILING_DEBIT))
    await adyen.advance(4 * DAY)
    assert await hear(ground, adyen, paid.our_ref) == ["AUTHORISATION", "CHARGEBACK"]
    assert await ground.end(paid) == CAME_BACK
    await adyen.advance(20 * DAY)
    await ground.events.mend(paid.payment_id)
    assert await ground.end(paid) == CAME_BACK, "silence after that settles nothing"


async def test_silence_settles_nothing_that_was_not_announced(ground: Ground, adyen: AdyenHarness) -> None:
    """Its answer said that it was under way; the event that would have said so was lost, and comes weeks later after all:
    the days count from then.
    """
    paid = await ground.paid(await ground.saved(Enters.GOOD_DEBIT))
    for _ in range(2):
        await adyen.advance(20 * DAY)
        await ground.events.mend(paid.payment_id)
        assert await ground.state(paid.payment_id) == "processing"
    assert await hear(ground, adyen, paid.our_ref) == ["AUTHORISATION"]
    assert await ground.state(paid.payment_id) == "processing"
    await adyen.advance(13 * DAY)
    await ground.events.mend(paid.payment_id)
    assert await ground.end(paid) == PAID


async def disputed(ground: Ground, adyen: AdyenHarness) -> Paid:
    """A card's payment; its bank asks for the money."""
    paid = await ground.paid(await ground.saved(Enters.GOOD))
    assert await ground.end(paid) == CAPTURED
    await adyen.tell(paid.our_ref, "NOTIFICATION_OF_CHARGEBACK")
    await hear(ground, adyen, paid.our_ref)
    assert await ground.end(paid) == {**PAID, "payment": ("disputed", 10_000, 0)}
    assert await waiting(ground.books) == [("payment_disputed", None, 10_000)]
    return paid


async def test_a_dispute_that_is_won_leaves_everything_as_if_it_had_not_been(ground: Ground, adyen: AdyenHarness) -> None:
    paid = await disputed(ground, adyen)
    for code in ("CHARGEBACK", "CHARGEBACK_REVERSED"):
        await adyen.tell(paid.our_ref, code)
    await hear(ground, adyen, paid.our_ref)
    assert await ground.end(paid) == PAID
    assert await waiting(ground.books) == []
    assert await told(ground, paid, ["disputed", "dispute_won"]) == ["disputed", "dispute_won"]


async def test_a_dispute_that_is_lost_after_it_was_won_opens_the_invoice(ground: Ground, adyen: AdyenHarness) -> None:
    paid = await disputed(ground, adyen)
    for code in ("CHARGEBACK", "CHARGEBACK_REVERSED"):
        await adyen.tell(paid.our_ref, code)
    await hear(ground, adyen, paid.our_ref)
    await adyen.tell(paid.our_ref, "SECOND_CHARGEBACK")
    await hear(ground, adyen, paid.our_ref)
    assert await ground.end(paid) == CAME_BACK
    assert await waiting(ground.books) == [("payment_returned", "second_chargeback", 10_000)]


async def test_a_capture_that_failed_takes_the_money_back(ground: Ground, adyen: AdyenHarness) -> None:
    paid = await ground.paid(await ground.saved(Enters.GOOD))
    assert await hear(ground, adyen, paid.our_ref) == ["AUTHORISATION"]
    assert await ground.end(paid) == CAPTURED
    await adyen.tell(paid.our_ref, "CAPTURE_FAILED")
    await hear(ground, adyen, paid.our_ref)
    assert await ground.end(paid) == CAME_BACK
    assert await waiting(ground.books) == [("payment_returned", "capture_failed", 10_000)]
    assert await ground.books.is_conserved()


async def declined(ground: Ground, adyen: AdyenHarness) -> Paid:
    """Refused by its answer and by its event."""
    paid = await ground.paid(await ground.saved(Enters.DECLINED_LATER))
    await hear(ground, adyen, paid.our_ref)
    assert await ground.end(paid) == {**UNPAID, "payment": ("declined", 0, 0), "mails": ["payment_failed"]}
    return paid


async def test_a_yes_after_a_no_is_adopted_and_charged_once(ground: Ground, adyen: AdyenHarness) -> None:
    paid = await declined(ground, adyen)
    await adyen.tell(paid.our_ref, "AUTHORISATION")
    assert await hear(ground, adyen, paid.our_ref) == ["AUTHORISATION"]
    assert await ground.end(paid) == {**CAPTURED, "mails": ["payment_failed", "receipt"]}
    assert await adyen.moving(paid.our_ref) == 1
    finding = await charged_once(ground.books.store, {PROVIDER: adyen.provider})
    assert (finding.count, finding.problem) == (0, None)
    assert await ground.books.is_conserved()


async def test_a_yes_after_a_no_lies_beside_an_invoice_that_was_paid_again(ground: Ground, adyen: AdyenHarness) -> None:
    """Nothing of it is put on the invoice a second time: it is the customer's to use or to get back."""
    paid = await declined(ground, adyen)
    saved = await ground.saved(Enters.GOOD)
    second_id = await ground.books.opened(paid.customer_id, (paid.invoice_id, 10_000), kind=saved.method.kind)
    second = Paid(payment_id=second_id, invoice_id=paid.invoice_id, customer_id=paid.customer_id)
    order = SUITE.charge_order(saved, second.our_ref, Money.of(10_000, "USD"))
    await ground.answered(second, await adyen.provider.charge(order, key=f"charge/{second.our_ref}"))
    await adyen.tell(paid.our_ref, "AUTHORISATION")
    await hear(ground, adyen, paid.our_ref)
    late = await ground.end(paid)
    assert (late["payment"], late["allocated"], late["invoice"]) == (("captured", 10_000, 0), 0, (0, 0))
    assert (await ground.end(second))["allocated"] == 10_000
    assert await ground.books.is_conserved()


async def test_a_refund_that_came_back_after_it_had_gone_is_booked_back(ground: Ground, adyen: AdyenHarness) -> None:
    paid = await ground.paid(await ground.saved(Enters.GOOD))
    await hear(ground, adyen, paid.our_ref)
    counter, refunds = Counter(ground.books), Refunds(ground.books.store, ground.providers, adyen.now, ground.pokes, erp=ERP)
    request = counter.request(paid.payment_id, 400, [(paid.invoice_id, 400)])
    assert await counter.ask(request) == ("send", None)
    sent = cast("RefundTold", await ActivityEnvironment().run(refunds.send_refund, request.refund_id))
    record = RecordRefund(refund_id=request.refund_id, told=sent)
    recorded = cast("RefundRecorded", await ActivityEnvironment().run(refunds.record_refund, record))
    assert recorded.state == "processing"
    assert await hear(ground, adyen, request.refund_id) == ["REFUND"]
    assert (await counter.state(request.refund_id), await counter.sums(paid.payment_id)) == ("refunded", (0, 400))
    gone = await ground.end(paid)
    assert (gone["invoice"], gone["postings"]) == ((400, 0), [("payment", 10_000), ("refund", 400)])
    await adyen.bank_says(request.refund_id, succeeded=False)
    assert await hear(ground, adyen, request.refund_id) == ["REFUND_FAILED"]
    assert (await counter.state(request.refund_id), await counter.sums(paid.payment_id)) == ("failed", (0, 0))
    assert await ground.end(paid) == {
        **CAPTURED,
        "postings": [("payment", 10_000), ("refund", 400), ("refund_reversal", 400)],
        "entries": ["captured", "refund_came_back", "refunded"],
        "mails": ["receipt", "refund_came_back", "refund_done"],
    }
    assert await ground.books.is_conserved()
