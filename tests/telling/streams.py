"""Streams of five events, one for each far side: a payment from its acceptance to the bank's last word, told once.

The far side comes to its end first; then its deliveries, each verified, are carried to the door in an order of the test's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar, Final, Generic, TypeVar

from activities.events import process_of
from connectors.conformance.payment_harness import Enters, Saved
from connectors.payments.ports import ProviderEvent
from domain.methods import MethodKind
from domain.money import Money
from tests.connectors.adyen.harness import AdyenHarness
from tests.connectors.gocardless.harness import GoCardlessHarness
from tests.connectors.stripe.harness import StripeHarness
from tests.telling.conftest import TimedSandbox
from tests.telling.ground import SUITE, FarSide, Ground, Paid, read

DAY: Final = timedelta(days=1)
MINOR: Final = 10_000
EVENTS: Final = 5

Far = TypeVar("Far", bound=FarSide)


@dataclass
class Stream(ABC, Generic[Far]):
    """Many payments that all go the same way. `kinds` are what is told of each, in its order."""

    ground: Ground
    far: Far
    kinds: ClassVar[tuple[str, ...]]
    method: ClassVar[MethodKind] = MethodKind.US_BANK_ACCOUNT
    saved: Saved | None = field(default=None, init=False)

    @abstractmethod
    async def accept(self, opened: Paid) -> Paid:
        """The far side takes one payment on, and its answer is written down."""

    @abstractmethod
    async def finish(self, payments: Sequence[Paid]) -> None:
        """All of them come to their end over there."""

    async def play(self, count: int) -> dict[str, tuple[Paid, list[ProviderEvent]]]:
        """So many payments and what is told of each, by the payment's id. Nothing is carried to the door yet."""
        customer_id, invoices = await self.ground.books.customer(*[MINOR] * count)
        payments = []
        for invoice_id in invoices:
            payment_id = await self.ground.books.opened(customer_id, (invoice_id, MINOR), kind=self.method)
            opened = Paid(payment_id=payment_id, invoice_id=invoice_id, customer_id=customer_id)
            payments.append(await self.accept(opened))
        await self.finish(payments)
        told = await self._told({each.payment_id for each in payments}, count * EVENTS)
        return {each.payment_id: (each, told[each.payment_id]) for each in payments}

    async def _told(self, payment_ids: set[str], count: int) -> dict[str, list[ProviderEvent]]:
        """What was delivered about these payments, once all of it has arrived; by the reference, or else by their own id."""
        told: dict[str, list[ProviderEvent]] = {each: [] for each in payment_ids}
        while sum(map(len, told.values())) < count:
            arrived = await self.far.receiver.more_than(self.ground.carried)
            events = read(self.far, arrived[self.ground.carried :])
            self.ground.carried = len(arrived)
            for event in events:
                process = process_of(event.our_ref) or self._known.get(event.provider_id or "")
                if process in told:
                    told[process].append(event)
                    self._known[event.provider_id or ""] = process
        for events in told.values():
            events.sort(key=lambda event: self.kinds.index(event.kind))  # some were on their way at once
        found = {tuple(each.kind for each in events) for events in told.values()}
        assert found == {self.kinds}, found
        return told

    _known: dict[str, str] = field(default_factory=dict, init=False)


class OfSandbox(Stream[TimedSandbox]):
    """A debit that settles, is disputed, and is lost."""

    kinds = ("charge.processing", "charge.captured", "charge.settled", "charge.disputed", "charge.returned")

    async def accept(self, opened: Paid) -> Paid:
        self.saved = self.saved or await self.ground.saved(Enters.GOOD_DEBIT)
        order = SUITE.charge_order(self.saved, opened.our_ref, Money.of(MINOR, "USD"))
        return await self.ground.answered(opened, await self.far.provider.charge(order, key=opened.our_ref))

    async def finish(self, payments: Sequence[Paid]) -> None:
        await self.far.advance(6 * DAY)
        for status in ("disputed", "returned"):
            for each in payments:
                body = {"our_ref": each.our_ref, "status": status}
                assert await self.far.ask("POST", "/v1/test/charges/move", body) == {"moved": 1}


class OfStripe(Stream[StripeHarness]):
    """A card on a page, whose disputes bear no reference and another id than the page's; it is lost."""

    kinds = (
        "payment_intent.succeeded",
        "checkout.session.completed",
        "charge.dispute.created",
        "charge.dispute.updated",
        "charge.dispute.closed",
    )
    method = MethodKind.CARD

    async def accept(self, opened: Paid) -> Paid:
        page = await SUITE.open_page(self.far, opened.our_ref, amount=Money.of(MINOR, "USD"))
        paid = await self.ground.answered(opened, page)
        await self.far.enter(page.action_url or "", Enters.GOOD)
        return paid

    async def finish(self, payments: Sequence[Paid]) -> None:
        await self.far.advance(3 * DAY)
        for status in ("needs_response", "under_review", "lost"):
            for each in payments:
                await self.far.dispute(each.our_ref, status)


class OfGoCardless(Stream[GoCardlessHarness]):
    """A debit that is paid out and charged back."""

    kinds = (
        "payments.created",
        "payments.submitted",
        "payments.confirmed",
        "payments.paid_out",
        "payments.charged_back",
    )

    async def accept(self, opened: Paid) -> Paid:
        self.saved = self.saved or await self.ground.saved(Enters.RETURNING_DEBIT)
        order = SUITE.charge_order(self.saved, opened.our_ref, Money.of(MINOR, "USD"))
        return await self.ground.answered(opened, await self.far.provider.charge(order, key=opened.our_ref))

    async def finish(self, payments: Sequence[Paid]) -> None:  # noqa: ARG002 - each goes its way by itself
        await self.far.advance(12 * DAY)


class OfAdyen(Stream[AdyenHarness]):
    """A card on a page, whose dispute is won and lost all the same in the second round."""

    kinds: ClassVar[tuple[str, ...]] = (
        "AUTHORISATION",
        "NOTIFICATION_OF_CHARGEBACK",
        "CHARGEBACK",
        "CHARGEBACK_REVERSED",
        "SECOND_CHARGEBACK",
    )
    method = MethodKind.CARD

    async def accept(self, opened: Paid) -> Paid:
        page = await SUITE.open_page(self.far, opened.our_ref, amount=Money.of(MINOR, "USD"))
        paid = await self.ground.answered(opened, page)
        await self.far.enter(page.action_url or "", Enters.GOOD)
        return paid

    async def finish(self, payments: Sequence[Paid]) -> None:
        for code in self.kinds[1:]:
            for each in payments:
                await self.far.tell(each.our_ref, code)

    @staticmethod
    def so_far(told: Collection[str]) -> str:
        """The payment's state when that much was told, whatever came first: no more than it proves."""
        if "SECOND_CHARGEBACK" in told:
            return "returned"
        if not {"AUTHORISATION", "CHARGEBACK"} & set(told):
            return "processing" if told else "awaiting_customer"  # the page says that it was used, not how that ended
        if "CHARGEBACK_REVERSED" in told:
            return "settled"
        return "disputed" if {"CHARGEBACK", "NOTIFICATION_OF_CHARGEBACK"} & set(told) else "captured"


class OfAdyenWon(OfAdyen):
    """The same, and its dispute is won."""

    kinds = ("AUTHORISATION", "CAPTURE", "NOTIFICATION_OF_CHARGEBACK", "CHARGEBACK", "CHARGEBACK_REVERSED")
