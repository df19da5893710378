"""Events of a far side on their way into the books: its own simulator behind HTTP, the real connector, a real database.

No process of a payment is open any more: whatever is told comes late, and is applied by a process of the event's own, which
here runs where it is started. What a far side delivers is kept by the receiver; a test carries it to the door, in the order
that it wants, as often as it wants, or not at all.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol, cast

from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import ActivityEnvironment

from activities.catching_up import CatchingUp, CaughtUp
from activities.events import Events, Swept, deliver, take_in
from activities.pokes import Pokes
from activities.providers import Providers
from activities.recording import Recording
from activities.setups import Setups
from connectors.conformance.payment_harness import Delivery, Enters, PaymentSuite, ProviderHarness, Saved
from connectors.conformance.payments import Trait
from connectors.payments.ports import PaymentProvider, ProviderCharge, ProviderEvent
from domain.methods import MethodKind
from domain.money import Money
from tests import machine
from tests.connectors.sandbox_harness import Receiver
from tests.store.money import ERP, PROVIDER, Books, books_of

SUITE: Final = PaymentSuite()
MOST_TRIES: Final = 3


class FarSide(ProviderHarness, Protocol):
    """The laboratory of a running simulator, whose clock goes with ours, and what it has delivered."""

    receiver: Receiver
    passed: timedelta

    def now(self) -> datetime: ...


@dataclass(slots=True)
class Processes:
    """Temporal's client where no payment's process is open: an event's own process runs to its end, and may fail."""

    apply: Callable[[str], Any] | None = None
    failed: dict[str, ApplicationError] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)

    def get_workflow_handle(self, workflow_id: str) -> Gone:
        return Gone(workflow_id)

    async def start_workflow(self, name: str, *given: Any, args: Sequence[Any] = (), **_options: Any) -> None:
        assert self.apply is not None
        if name != "LateEvent":
            return  # a payment's own process, which the sweep takes up: it is told nothing here
        inbox_id = str((*given, *args)[0])
        self.started.append(inbox_id)
        self.failed.pop(inbox_id, None)
        for left in reversed(range(MOST_TRIES)):
            try:
                await ActivityEnvironment().run(self.apply, inbox_id)
            except ApplicationError as error:
                if error.non_retryable or not left:
                    self.failed[inbox_id] = error
                    return
            else:
                return


@dataclass(frozen=True, slots=True)
class Gone:
    """A process that has ended."""

    id: str

    async def signal(self, _name: str, _what: str) -> None:
        raise RPCError("workflow not found", RPCStatusCode.NOT_FOUND, b"")

    async def describe(self) -> None:
        raise RPCError("workflow not found", RPCStatusCode.NOT_FOUND, b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """A payment of an invoice; `charge_id` is the far side's own, once it has answered."""

    payment_id: str
    invoice_id: str
    customer_id: str
    charge_id: str = ""

    @property
    def our_ref(self) -> str:
        return f"{self.payment_id}-1"


class Ground:
    """One far side and one set of books. `connection_id` is the same for each far side: nothing here reads it."""

    def __init__(
        self, books: Books, far: FarSide, provider: PaymentProvider | None = None, suite: PaymentSuite = SUITE
    ) -> None:
        self.books = books
        self.suite = suite
        self.far = far
        self.processes = Processes()
        self.carried = 0
        client = cast("Client", self.processes)
        providers = self.providers = Providers({PROVIDER: provider or far.provider})
        pokes = self.pokes = Pokes(client, erps={ERP: None})
        setups = Setups(books.store, providers, far.now, pokes, base_url="https://duly.example")
        self.events = Events(books.store, providers, far.now, client, pokes, setups, erp=ERP)
        self.catching_up = CatchingUp(books.store, providers, far.now, client)
        self.recording = Recording(books.store, far.now, erp=ERP)
        self.processes.apply = self.events.apply_event

    async def saved(self, what: Enters) -> Saved:
        """A method that the far side keeps."""
        return await self.suite.saved(self.far, what)

    async def opened(
        self,
        minor: int = 10_000,
        *,
        kind: MethodKind = MethodKind.CARD,
        currency: str = "USD",
        payment_id: str | None = None,
    ) -> Paid:
        """A payment whose charge has not left yet."""
        customer_id, (invoice_id,) = await self.books.customer(minor, currency=currency)
        line = (invoice_id, minor)
        payment_id = await self.books.opened(customer_id, line, kind=kind, currency=currency, payment_id=payment_id)
        return Paid(payment_id=payment_id, invoice_id=invoice_id, customer_id=customer_id)

    async def paid(self, saved: Saved, minor: int = 10_000) -> Paid:
        """A payment by a saved method, as far as the far side's answer tells."""
        opened = await self.opened(minor, kind=saved.method.kind, currency=saved.currency)
        order = SUITE.charge_order(saved, opened.our_ref, Money.of(minor, saved.currency))
        return await self.answered(opened, await self.far.provider.charge(order, key=f"charge/{opened.our_ref}"))

    async def answered(self, opened: Paid, charge: ProviderCharge) -> Paid:
        """The far side's answer is written down."""
        await self.recording.record(opened.payment_id, "told", charge, None)
        return replace(opened, charge_id=charge.provider_id)

    # ------------------------------------------------------------ the doors

    async def receive(self, *events: ProviderEvent) -> list[str]:
        """What was verified is stored, and delivered where it is new: as the door of webhooks does it."""
        async with self.books.store.begin("test") as tx:
            fresh = await take_in(tx, PROVIDER, events, at=self.far.now())
        for inbox_id in fresh:
            await deliver(self.client, self.books.store, inbox_id, clock=self.far.now, providers=self.providers)
        return fresh

    @property
    def client(self) -> Client:
        return cast("Client", self.processes)

    async def hear(self, kind: str) -> None:
        """Carry to the door, in its order, what has been delivered since the last time: once that kind is among it."""
        events: list[ProviderEvent] = []
        while kind not in {each.kind for each in events}:
            arrived = await self.far.receiver.more_than(self.carried + len(events))
            events = read(self.far, arrived[self.carried :])
        self.carried += len(events)
        await self.receive(*events)

    async def catch_up(self) -> CaughtUp:
        """The daily look at the far side's own list."""
        caught_up: CaughtUp = await ActivityEnvironment().run(self.catching_up.catch_up, PROVIDER)
        return caught_up

    async def sweep(self) -> Swept:
        """The sweep, some minutes later."""
        await self.far.advance(timedelta(minutes=5))
        swept: Swept = await ActivityEnvironment().run(self.events.sweep)
        return swept

    # ------------------------------------------------------------ what became of it

    async def states(self) -> dict[str, str]:
        """The state of each event by its kind; the last of a kind wins."""
        rows = await self.books.rows("SELECT kind, state FROM inbox ORDER BY received_at, id")
        return {row.kind: row.state for row in rows}

    async def state(self, payment_id: str) -> str:
        return str((await self.books.one("SELECT state FROM payments WHERE id = :id", id=payment_id)).state)

    async def end(self, paid: Paid) -> dict[str, Any]:
        """Where a payment has come to, in the books and towards the ERP."""
        mine = {"id": paid.payment_id}
        row = await self.books.one("SELECT state, captured, returned FROM payments WHERE id = :id", **mine)
        postings = await self.books.rows("SELECT kind, amount FROM postings WHERE payment_id = :id ORDER BY seq", **mine)
        accounts = await self.books.rows(
            """SELECT l.account, sum(l.amount)::bigint AS s FROM journal_lines l JOIN journal_entries e ON e.id = l.entry_id
               WHERE e.process_id = :id GROUP BY l.account ORDER BY l.account""",
            **mine,
        )
        entries = await self.books.rows("SELECT kind FROM journal_entries WHERE process_id = :id ORDER BY kind", **mine)
        mails = await self.books.rows("SELECT template FROM outbox WHERE process_id = :id ORDER BY template", **mine)
        return {
            "payment": (row.state, row.captured, row.returned),
            "allocated": sum((await self.books.allocated(paid.payment_id)).values()),
            "invoice": await self.books.balance(paid.invoice_id),
            "postings": [(each.kind, each.amount) for each in postings],
            "journal": {each.account: each.s for each in accounts},
            "entries": [each.kind for each in entries],
            "mails": [each.template for each in mails],
        }


def read(far: FarSide, deliveries: Sequence[Delivery]) -> list[ProviderEvent]:
    """What deliveries say, each verified as at the door. They are signed in real time, or without a time."""
    at = far.now() if Trait.SIGNED_TIME in far.lacks else datetime.now(UTC)
    return [event for each in deliveries for event in far.provider.read_webhook(each.raw, each.headers, now=at)]


@asynccontextmanager
async def ground_of(
    database: machine.Database, far: FarSide, provider: PaymentProvider | None = None, suite: PaymentSuite = SUITE
) -> AsyncIterator[Ground]:
    """A far side over a fresh database. `suite`: how methods are saved there."""
    async with books_of(database) as books:
        yield Ground(books, far, provider, suite)
