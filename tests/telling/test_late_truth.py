"""What becomes true days after a payment was captured: debits that come back, disputes won and lost, chargebacks in vain.

Each is played at its far side's simulator, delivered with its signature, and counted in the books: allocations, journal,
postings towards the ERP, mail, and what waits for staff.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest
import pytest_asyncio

from connectors.conformance.payment_harness import Enters, PaymentSuite, Saved, a_payer, fresh_ref
from connectors.errors import Unavailable
from connectors.payments.ports import ChargeStatus, ProviderCharge, ProviderEvent
from domain.methods import MethodKind
from store.views import staff_inbox
from tests import machine
from tests.connectors.gocardless.harness import GoCardlessHarness
from tests.connectors.stripe.harness import StripeHarness
from tests.store.money import Books
from tests.telling.ground import Ground, Paid, ground_of

DAY = timedelta(days=1)
PAID = {
    "payment": ("settled", 10_000, 0),
    "allocated": 10_000,
    "invoice": (0, 0),
    "postings": [("payment", 10_000)],
    "journal": {"clearing": 10_000, "receivable": -10_000},
    "entries": ["captured"],
    "mails": ["receipt"],
}
CAME_BACK = {
    "payment": ("returned", 10_000, 10_000),
    "allocated": 0,
    "invoice": (10_000, 0),
    "postings": [("payment", 10_000), ("reversal", 10_000)],
    "journal": {"clearing": 0, "receivable": 0},
    "entries": ["captured", "returned"],
    "mails": ["payment_returned", "receipt"],
}


@pytest_asyncio.fixture
async def ground(database: machine.Database, stripe: StripeHarness) -> AsyncIterator[Ground]:
    async with ground_of(database, stripe) as made:
        yield made


async def waiting(books: Books) -> list[tuple[str, str | None, int | None]]:
    """(kind, what was told, minor units) of what waits for a person; not the set-ups, which were made without a row here."""
    async with books.admin.begin("test") as tx:
        found = await staff_inbox.waiting(tx, staff_inbox.Asked(), staff_id="stf_1", at=books.at)
    return [(each.kind, each.told, each.amount) for each in found if each.kind != "event_parked"]


async def told(ground: Ground, paid: Paid, kinds: Sequence[str]) -> list[str]:
    rows = await ground.books.rows(
        "SELECT kind FROM timeline WHERE process_id = :id AND kind = ANY(:kinds) ORDER BY seq",
        id=paid.payment_id,
        kinds=list(kinds),
    )
    return [row.kind for row in rows]


async def came_back_by_debit(ground: Ground, kind: str, reason: str) -> None:
    """Captured and settled first: then its bank takes it back."""
    paid = await ground.paid(await ground.saved(Enters.RETURNING_DEBIT))
    await ground.far.advance(7 * DAY)
    await ground.catch_up()
    assert (await ground.end(paid))["allocated"] == 10_000
    await ground.far.advance(5 * DAY)
    await ground.hear(kind)
    assert await ground.end(paid) == CAME_BACK
    assert await waiting(ground.books) == [("payment_returned", reason, 10_000)]
    assert await told(ground, paid, ["captured", "returned"]) == ["captured", "returned"]


async def test_an_american_debit_that_comes_back_is_a_dispute_there_and_a_return_here(ground: Ground) -> None:
    await came_back_by_debit(ground, "charge.dispute.created", "insufficient_funds")


async def test_a_european_debit_that_comes_back_does_so_too(
    database: machine.Database, stripe_in_europe: StripeHarness
) -> None:
    async with ground_of(database, stripe_in_europe) as ground:
        await came_back_by_debit(ground, "charge.dispute.created", "insufficient_funds")


async def test_a_debit_that_is_charged_back_opens_its_invoice_again(
    database: machine.Database, gocardless: GoCardlessHarness
) -> None:
    async with ground_of(database, gocardless) as ground:
        await came_back_by_debit(ground, "payments.charged_back", "authorisation_disputed")


async def test_a_debit_that_fails_after_it_was_confirmed_has_come_back(
    database: machine.Database, gocardless: GoCardlessHarness
) -> None:
    async with ground_of(database, gocardless) as ground:
        paid = await ground.paid(await mandate(gocardless, "fails_late"))
        await gocardless.advance(6 * DAY)
        await ground.hear("payments.paid_out")
        assert await ground.end(paid) == PAID
        await gocardless.advance(3 * DAY)
        await ground.hear("payments.failed")
        assert await ground.end(paid) == CAME_BACK
        assert await waiting(ground.books) == [("payment_returned", "insufficient_funds", 10_000)]


async def test_a_chargeback_that_is_cancelled_is_told_to_a_person_and_books_nothing_by_itself(
    database: machine.Database, gocardless: GoCardlessHarness
) -> None:
    async with ground_of(database, gocardless) as ground:
        paid = await ground.paid(await mandate(gocardless, "returns_in_vain"))
        await gocardless.advance(10 * DAY)
        await ground.hear("payments.charged_back")
        assert await ground.end(paid) == CAME_BACK
        await gocardless.advance(3 * DAY)
        await ground.hear("payments.chargeback_cancelled")
        assert await ground.end(paid) == CAME_BACK
        told_to_staff = {("payment_returned", "authorisation_disputed", 10_000), ("difference", "return_undone", 10_000)}
        assert set(await waiting(ground.books)) == told_to_staff
        await ground.events.mend(paid.payment_id)
        assert len(await waiting(ground.books)) == 2, "told once"


async def disputed(ground: Ground, stripe: StripeHarness) -> Paid:
    """A card's payment, settled; its bank asks for the money."""
    paid = await ground.paid(await ground.saved(Enters.GOOD))
    await stripe.advance(3 * DAY)
    await ground.catch_up()
    await stripe.dispute(paid.our_ref, "needs_response")
    await ground.hear("charge.dispute.created")
    return paid


async def test_a_dispute_books_nothing_while_it_is_open_and_waits_for_staff(ground: Ground, stripe: StripeHarness) -> None:
    paid = await disputed(ground, stripe)
    assert await ground.end(paid) == {**PAID, "payment": ("disputed", 10_000, 0)}
    assert await waiting(ground.books) == [("payment_disputed", None, 10_000)]
    await stripe.dispute(paid.our_ref, "under_review")
    await ground.hear("charge.dispute.updated")
    assert (await ground.end(paid))["payment"] == ("disputed", 10_000, 0)


async def test_a_dispute_that_is_won_leaves_everything_as_if_it_had_not_been(ground: Ground, stripe: StripeHarness) -> None:
    paid = await disputed(ground, stripe)
    await stripe.dispute(paid.our_ref, "won")
    await ground.hear("charge.dispute.closed")
    assert await ground.end(paid) == PAID
    assert await waiting(ground.books) == []
    assert await told(ground, paid, ["disputed", "dispute_won"]) == ["disputed", "dispute_won"]


async def test_a_dispute_that_is_lost_opens_the_invoice_and_waits_until_that_is_paid_again(
    ground: Ground, stripe: StripeHarness
) -> None:
    paid = await disputed(ground, stripe)
    await stripe.dispute(paid.our_ref, "lost")
    await ground.hear("charge.dispute.closed")
    assert await ground.end(paid) == CAME_BACK
    assert await waiting(ground.books) == [("payment_returned", "fraudulent", 10_000)]
    assert await told(ground, paid, ["disputed", "dispute_lost", "returned"]) == ["disputed", "dispute_lost"]
    other = await ground.books.opened(paid.customer_id, (paid.invoice_id, 10_000))
    assert await waiting(ground.books) == []
    await ground.books.record(other, ChargeStatus.DECLINED)
    assert [kind for kind, *_ in await waiting(ground.books)] == ["payment_returned"]


async def test_a_payment_may_be_disputed_again_after_it_was_won(ground: Ground, stripe: StripeHarness) -> None:
    paid = await disputed(ground, stripe)
    for status in ("won", "needs_response", "lost"):
        await stripe.dispute(paid.our_ref, status)
        await ground.hear("charge.dispute.created" if status == "needs_response" else "charge.dispute.closed")
    assert await ground.end(paid) == CAME_BACK
    kinds = ["disputed", "dispute_won", "dispute_lost"]
    assert await told(ground, paid, kinds) == ["disputed", "dispute_won", "disputed", "dispute_lost"]


async def test_a_part_that_is_lost_is_decided_by_a_person(ground: Ground, stripe: StripeHarness) -> None:
    paid = await ground.paid(await ground.saved(Enters.GOOD))
    await stripe.advance(3 * DAY)
    await stripe.dispute(paid.our_ref, "lost", amount=4_000)
    await ground.hear("charge.dispute.created")
    assert await ground.end(paid) == {**PAID, "payment": ("disputed", 10_000, 0)}
    assert [kind for kind, *_ in await waiting(ground.books)] == ["payment_disputed"]


async def test_an_answer_that_was_overtaken_by_a_dispute_does_not_win_it(ground: Ground, stripe: StripeHarness) -> None:
    """Two look at once: the one that asked before the bank did writes down last."""
    paid = await ground.paid(await ground.saved(Enters.GOOD))
    await stripe.advance(3 * DAY)
    await ground.catch_up()

    class Overtaken:
        """Whose first answer is kept back until somebody else has asked and written."""

        name = "overtaken"
        answers: int = 0

        async def find_charge(
            self, our_ref: str, *, provider_id: str | None = None, heard: Sequence[ProviderEvent] = ()
        ) -> ProviderCharge | None:
            assert not heard
            found = await stripe.provider.find_charge(our_ref, provider_id=provider_id)
            self.answers += 1
            if self.answers == 1:
                await stripe.dispute(paid.our_ref, "needs_response")
                await ground.events.mend(paid.payment_id)
            return found

        charge = open_payment_page = cancel_charge = find_charge

    slow = Overtaken()
    behind = Ground(ground.books, stripe, slow)  # type: ignore[arg-type]
    with pytest.raises(Unavailable):
        await behind.events.mend(paid.payment_id)
    assert await ground.state(paid.payment_id) == "disputed"
    await behind.events.mend(paid.payment_id)
    assert await ground.state(paid.payment_id) == "disputed"
    await stripe.dispute(paid.our_ref, "won")
    await behind.events.mend(paid.payment_id)
    assert await ground.end(paid) == PAID


async def test_the_answer_to_the_charge_itself_comes_too_late_to_win_a_dispute(
    ground: Ground, stripe: StripeHarness
) -> None:
    paid = await ground.paid(await ground.saved(Enters.GOOD))
    first = await stripe.provider.find_charge(paid.our_ref, provider_id=paid.charge_id)
    await stripe.dispute(paid.our_ref, "needs_response")
    await ground.hear("charge.dispute.created")
    await ground.recording.record(paid.payment_id, "told", first, None)
    assert await ground.state(paid.payment_id) == "disputed"


async def mandate(gocardless: GoCardlessHarness, use: str) -> Saved:
    """A mandate whose payments go that way."""
    our_ref = fresh_ref("set")
    page = await PaymentSuite().start_setup(gocardless, our_ref, kind=MethodKind.US_BANK_ACCOUNT)
    await gocardless.enter(page.url, Enters.GOOD_DEBIT, use)
    done = await PaymentSuite().setup_now(gocardless, our_ref)
    assert done.method is not None
    return Saved(payer=a_payer(done.payer_ref), method=done.method, currency=gocardless.debit_currency)
